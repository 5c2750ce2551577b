package redis

import (
	"context"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/gohubkit/hubkit/broker"
)

// Read returns stored messages. It blocks no longer than ctx. If the query has a retention, a room without history has a
// position too. A client can resume from it for two minutes after the last Read, and learns of a gap as usual. If the query
// has no retention, such a room has no position.
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
	channel := b.names.room(room)
	how, args := b.readArgs(&q)
	p, err := b.read(ctx, channel, how, args)
	if err != nil {
		return broker.Page{}, err
	}
	if p.top.epoch != "" {
		b.rooms.saw(channel, p.top, q.Retention.Enabled())
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

// readArgs is what the script is told of a query, but for the last argument, which is always the same.
func (b *Broker) readArgs(q *broker.Query) (how reading, args []string) {
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
	limit := q.Limit
	if q.PositionOnly {
		limit = -1
	}
	how, back := readFrom, "0"
	switch {
	case q.Reverse:
		how, back = readBack, "1"
	case !q.Since.IsZero():
		how = readOn
	}
	return how, []string{
		since, offset, "-1", strconv.Itoa(q.Last), strconv.Itoa(limit),
		strconv.Itoa(q.Retention.Size), milliseconds(q.Retention.TTL), begin, strconv.Itoa(q.Bytes), back,
	}
}

// emptyMillis is how long the metadata of a room without messages lives: the script's last argument.
func (b *Broker) emptyMillis() string {
	return milliseconds(b.emptyFor())
}

// emptyFor is emptyAge within the metadata TTL.
func (b *Broker) emptyFor() time.Duration { return min(b.emptyAge, b.metadataTTL) }

// readAfter reads what comes after a message that this node has handed over, and has Redis verify that the
// history still contains that message.
func (b *Broker) readAfter(ctx context.Context, channel string, last mark) (page, error) {
	return b.read(ctx, channel, readOn, []string{
		last.epoch, strconv.FormatUint(last.offset, 10), strconv.FormatUint(last.stamp, 10),
		"0", strconv.Itoa(catchUpPage), "0", "0", b.metadataMillis, strconv.Itoa(catchUpBytes), "0",
	})
}

// emptyAge is how long the metadata of a room lives to which nothing was published and which has no members: those who have just
// lost their connection come back meanwhile.
const emptyAge = 2 * time.Minute

// reading is how entries of a log are read.
type reading int

const (
	readFrom reading = iota // from the oldest asked for
	readOn                  // from the one after the message that the reader was at
	readBack                // from the newest asked for
)

func (b *Broker) read(ctx context.Context, channel string, how reading, args []string) (p page, err error) {
	ctx, cancel := context.WithTimeout(ctx, b.ioTimeout)
	defer cancel()
	res, err := b.exec(ctx, channel, readScript, []string{channel + ":meta", channel + ":log"},
		append(args, b.emptyMillis()))
	if err != nil {
		return p, err
	}
	answer, err := res.ToArray()
	if err != nil {
		return p, unavailable(err)
	}
	p, first, entries, err := parsePage(answer)
	if err != nil {
		return page{}, unavailable(err)
	}
	p.take(first, entries, how)
	b.stats.invalid.Add(p.invalid)
	return p, nil
}

// parsePage reads the answer of the script: the entries, which take opens, are those from the offset first on.
func parsePage(answer []rueidis.RedisMessage) (p page, first uint64, entries []string, err error) {
	if len(answer) != 8 {
		return p, 0, nil, errAnswer
	}
	if p.top.epoch, err = answer[0].ToString(); err != nil {
		return p, 0, nil, err
	}
	var numbers [6]int64
	for i := range numbers {
		if numbers[i], err = answer[i+1].AsInt64(); err != nil {
			return p, 0, nil, err
		}
	}
	p.top.offset, p.top.stamp = uint64(numbers[0]), uint64(numbers[1])
	p.gap, p.more = numbers[2] == 1, numbers[3] == 1
	p.invalid = numbers[5]
	entries, err = answer[7].AsStrSlice()
	return p, uint64(numbers[4]), entries, err
}

// take opens entries. One that is no message is left out and counted. What follows it is read with the next page, after a
// gap if the reader was at the message before the first.
func (p *page) take(first uint64, entries []string, how reading) {
	p.messages = make([]message, 0, len(entries))
	for i, e := range entries {
		m, err := decodeMessage(e)
		want := first + uint64(i)
		if how == readBack {
			want = first - uint64(i)
		}
		switch {
		case err != nil || m.at.offset != want:
			p.invalid++
			if len(p.messages) > 0 {
				p.more = true
				return
			}
			continue
		case how == readOn && len(p.messages) == 0 && i > 0:
			p.top, p.gap, p.more = mark{p.top.epoch, m.at.offset - 1, m.before}, true, true
			return
		}
		// The epoch may have changed since: the offsets go on all the same.
		m.at.epoch, m.Position.Epoch = p.top.epoch, p.top.epoch
		p.messages = append(p.messages, m)
	}
	if how == readOn && len(entries) > 0 && len(p.messages) == 0 {
		p.gap, p.more = true, false // up to the newest
	}
}
