package redis

import (
	"context"
	"errors"
	"strconv"

	"github.com/redis/rueidis"

	"github.com/gohubkit/hubkit/broker"
)

// Read returns stored messages. With a retention in the query it begins the history of a room that has
// none, so that the position it returns can be resumed from: a reader that was there before the first
// message learns of a gap like any other. Without one, a room without history has no position.
func (b *Broker) Read(ctx context.Context, room string, q broker.Query) (broker.Page, error) {
	if err := b.ready(ctx); err != nil {
		return broker.Page{}, err
	}
	if err := q.Check(); err != nil {
		return broker.Page{}, err
	}
	if err := broker.CheckRoom(room); err != nil {
		return broker.Page{}, err
	}
	offset := "-1"
	if !q.Since.IsZero() {
		offset = strconv.FormatUint(q.Since.Offset, 10)
	}
	since := q.Since.Epoch
	if since == "" {
		since = "-" // never an epoch
	}
	begin := "0"
	if q.Retention.Enabled() {
		begin = b.metadataAge(q.Retention)
	}
	p, err := b.read(ctx, b.names.room(room), []string{
		since, offset, "-1", strconv.Itoa(q.Last), strconv.Itoa(q.Limit),
		strconv.Itoa(q.Retention.Size), milliseconds(q.Retention.TTL), begin,
	})
	if err != nil {
		return broker.Page{}, err
	}
	out := broker.Page{Top: p.top.position(), Gap: p.gap, More: p.more}
	if len(p.messages) > 0 {
		out.Messages = make([]broker.Message, len(p.messages))
		for i := range p.messages {
			out.Messages[i] = p.messages[i].Message
		}
	}
	return out, nil
}

// readAfter reads what comes after a message that this node has handed over, and has Redis verify that the
// history still contains that message.
func (b *Broker) readAfter(ctx context.Context, channel string, last mark) (page, error) {
	return b.read(ctx, channel, []string{
		last.epoch, strconv.FormatUint(last.offset, 10), strconv.FormatUint(last.stamp, 10),
		"0", strconv.Itoa(catchUpPage), "0", "0", b.metadataMillis,
	})
}

func (b *Broker) read(ctx context.Context, channel string, args []string) (p page, err error) {
	ctx, cancel := context.WithTimeout(ctx, b.ioTimeout)
	defer cancel()
	res, err := b.exec(ctx, channel, readScript, []string{channel + ":meta", channel + ":log"}, args)
	if err != nil {
		return p, err
	}
	answer, err := res.ToArray()
	if err != nil {
		return p, unavailable(err)
	}
	if p, err = parsePage(answer); err != nil {
		return page{}, unavailable(err)
	}
	return p, nil
}

func parsePage(answer []rueidis.RedisMessage) (p page, err error) {
	if len(answer) != 6 {
		return p, errAnswer
	}
	var err1 error
	if p.top.epoch, err1 = answer[0].ToString(); err1 != nil {
		return p, err1
	}
	var numbers [4]int64
	for i := range numbers {
		n, err := answer[i+1].AsInt64()
		if err != nil {
			return p, err
		}
		numbers[i] = n
	}
	p.top.offset, p.top.stamp = uint64(numbers[0]), uint64(numbers[1])
	p.gap, p.more = numbers[2] == 1, numbers[3] == 1
	entries, err := answer[5].AsStrSlice()
	if err != nil {
		return p, err
	}
	p.messages = make([]message, len(entries))
	for i, e := range entries {
		m, err := decodeMessage(e)
		if err != nil {
			return p, err
		}
		if !m.stored() {
			return p, errors.Join(errEnvelope, errAnswer)
		}
		// The epoch may have changed since: the offsets go on all the same.
		m.at.epoch, m.Position.Epoch = p.top.epoch, p.top.epoch
		p.messages[i] = m
	}
	return p, nil
}
