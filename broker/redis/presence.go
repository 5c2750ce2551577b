package redis

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/rueidis"

	"github.com/gohubkit/hubkit/broker"
)

const membersPage = 1000

// Enter adds a member and announces it. It blocks no longer than ctx or the I/O timeout. After an error that matches
// broker.ErrUnavailable the member stays with this node, and is announced when Redis is back. To prevent that, call
// Leave.
func (b *Broker) Enter(ctx context.Context, room string, m broker.Member) error {
	if err := b.ready(ctx); err != nil {
		return err
	}
	if err := m.Check(); err != nil {
		return err
	}
	if err := broker.CheckRoom(room); err != nil {
		return err
	}
	member, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("redis: %w: member %q: %w", broker.ErrInvalid, m.Conn, err)
	}
	a, others := b.presence.enter(room, m.Conn, string(member))
	err = b.announceMember(ctx, a, m.Conn, string(member), others)
	b.presence.entered(a, m.Conn, err)
	return err
}

// announceMember has Redis list a member of a room, and all others of this node too if it has lost them.
func (b *Broker) announceMember(ctx context.Context, a *attendance, conn, json string, others bool) error {
	var claim listing
	if others {
		claim.claim = claimOthers
	}
	one := []entry{{conn, json, true}}
	if why, err := b.enter(ctx, a.room, claim, one); err != nil || why == intact {
		return err
	}
	a.mending.Lock()
	defer a.mending.Unlock()
	why, err := b.enter(ctx, a.room, claim, one)
	if err != nil || why == intact {
		return err // somebody else has mended it
	}
	return b.mend(ctx, a.room, why)
}

// Leave removes a member of this node and announces it. It blocks no longer than ctx or the I/O timeout. After an error
// that matches broker.ErrUnavailable the broker removes the member as soon as Redis can be reached.
func (b *Broker) Leave(ctx context.Context, room, conn string) error {
	if err := b.ready(ctx); err != nil {
		return err
	}
	if err := broker.CheckRoom(room); err != nil {
		return err
	}
	json, was := b.presence.leave(room, conn)
	if !was {
		return nil
	}
	return b.leave(ctx, room, conn, json)
}

// Members lists members ordered by Conn. It asks the server for pages of 1,000, so a longer list is not of one
// instant. It blocks no longer than ctx, and waits for each page no longer than the I/O timeout. After Redis has lost the
// room's presence it returns an error that matches broker.ErrUnavailable until nodes have listed their members again.
func (b *Broker) Members(ctx context.Context, room string, limit int) ([]broker.Member, error) {
	return b.MembersAfter(ctx, room, "", limit)
}

// MembersAfter is Members for the members whose Conn follows after.
func (b *Broker) MembersAfter(ctx context.Context, room, after string, limit int) ([]broker.Member, error) {
	if strings.ContainsRune(after, 0) {
		return nil, fmt.Errorf("redis: %w: members after the connection ID %q", broker.ErrInvalid, after)
	}
	if limit < 0 {
		return nil, fmt.Errorf("redis: %w: limit of %d members", broker.ErrInvalid, limit)
	}
	var members []broker.Member
	for {
		page := membersPage
		if limit > 0 {
			page = min(page, limit-len(members))
		}
		list, err := b.list(ctx, room, after, page)
		if err != nil {
			return nil, err
		}
		for _, s := range list.members {
			m, err := decodeMember(s)
			if err != nil {
				b.stats.invalid.Add(1)
				continue // one bad entry is no reason to know nobody
			}
			members = append(members, m)
		}
		if after = list.last; after == "" || len(members) == limit {
			return members, nil
		}
	}
}

// Count returns the number of members on all nodes. It blocks and fails as Members does.
func (b *Broker) Count(ctx context.Context, room string) (int, error) {
	list, err := b.list(ctx, room, "", 0)
	return list.count, err
}

type memberList struct {
	count   int
	members []string
	last    string
}

// list runs the script that lists and counts, again while it is still busy with the members of nodes that
// are gone.
func (b *Broker) list(ctx context.Context, room, after string, limit int) (l memberList, err error) {
	for {
		if err := b.ready(ctx); err != nil {
			return l, err
		}
		if err := broker.CheckRoom(room); err != nil {
			return l, err
		}
		channel := b.names.room(room)
		owner := ""
		if b.presence.owns(room) {
			owner = b.owner
		}
		res, err := b.attend(ctx, membersScript, channel, append([]string{owner, after, strconv.Itoa(limit)}, b.presence.dead(b.ttl)...)...)
		if err != nil {
			return l, err
		}
		answer, err := res.ToArray()
		if err != nil || len(answer) != 4 {
			return l, unavailable(errAnswer)
		}
		state, err1 := answer[0].AsInt64()
		count, err2 := answer[1].AsInt64()
		members, err3 := answer[2].AsStrSlice()
		last, err4 := answer[3].ToString()
		if err := errors.Join(err1, err2, err3, err4); err != nil {
			return l, unavailable(err)
		}
		switch state {
		case 0:
			return memberList{int(count), members, last}, nil
		case 2:
			b.presence.soon(room)
			fallthrough
		case 3:
			return l, unavailable(errMissing)
		}
	}
}

// errMissing is returned in place of a list or a count that would have too few members.
var errMissing = errors.New("the server has lost members of the room, and nodes are listing them again")

// attend runs one of the scripts of presence, all of which take the channel, the verb and the TTL first.
func (b *Broker) attend(ctx context.Context, s *rueidis.Lua, channel string, args ...string) (rueidis.RedisResult, error) {
	ctx, cancel := context.WithTimeout(ctx, b.ioTimeout)
	defer cancel()
	return b.exec(ctx, channel, s, []string{b.names.presence(channel)},
		append([]string{b.names.onWire(channel), b.verbs.publish, milliseconds(b.ttl)}, args...))
}

// entry is a member to be listed.
type entry struct {
	conn, json string
	tell       bool // that it has come, unless it is listed
}

// loss is what has become of the members of this node in a room.
type loss int64

const (
	intact loss = iota
	lost        // Redis does not know them
	buried      // they were announced as gone
)

// claimOthers says that Redis must know other members of this node.
const claimOthers = "others"

// listing is what the script that lists members is told of the others; see there.
type listing struct{ claim, part, others string }

// enter runs the script that lists members.
func (b *Broker) enter(ctx context.Context, room string, l listing, entries []entry) (loss, error) {
	args := make([]string, 0, 4+3*len(entries))
	args = append(args, b.owner, l.claim, l.part, l.others)
	for _, e := range entries {
		tell := ""
		if e.tell {
			tell = "1"
		}
		args = append(args, e.conn, e.json, tell)
	}
	res, err := b.attend(ctx, enterScript, b.names.room(room), args...)
	if err != nil {
		return intact, err
	}
	n, err := res.AsInt64()
	if err != nil {
		return intact, unavailable(err)
	}
	return loss(n), nil
}

func (b *Broker) leave(ctx context.Context, room, conn, json string) error {
	_, err := b.attend(ctx, leaveScript, b.names.room(room), b.owner, conn, json)
	if err == nil {
		b.presence.left(room, conn)
	}
	return err
}
