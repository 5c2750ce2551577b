package load

import (
	"bytes"
	"encoding/binary"
	"time"

	"github.com/gohubkit/hubkit/cmd/hubload/internal/plan"
	"github.com/gohubkit/hubkit/internal/wsload"
	"github.com/gohubkit/hubkit/protocol"
)

// handler is the shards, as link tells them.
type handler struct{ w *Worker }

func (h handler) shard(i int) *shard { return h.w.shards[i%len(h.w.shards)] }

func (h handler) Opened(i int, subprotocol string) { h.shard(i).opened(i, subprotocol) }
func (h handler) Message(i int, data []byte)       { h.shard(i).received(i, data) }
func (h handler) Pong(i int, data []byte)          { h.shard(i).ponged(i, data) }
func (h handler) Closed(i int, err error) {
	s := h.shard(i)
	if s.conn(i).state == ready {
		s.lost(i, err)
	} else {
		s.failed(i, err)
	}
}

func (s *shard) opened(i int, subprotocol string) {
	p := s.w.plan
	if p.Mode != plan.Hub {
		for _, frame := range p.Hello {
			s.w.links.Send(i, wsload.Text, []byte(p.Fill(frame, s.global(i))))
		}
		s.becameReady(i)
		return
	}
	if subprotocol != p.Subprotocol {
		s.giveUp(i, errSubprotocol)
		return
	}
	s.conn(i).state = greeted
	s.send(i, &protocol.Request{Op: protocol.OpHello, Token: s.w.token})
}

func (s *shard) send(i int, q *protocol.Request) {
	s.scratch = protocol.AppendRequest(s.scratch[:0], q)
	s.w.links.Send(i, wsload.Text, s.scratch)
}

// received is the hot path of a fan-out: most frames are messages, and nothing of them is decoded but the mark.
func (s *shard) received(i int, data []byte) {
	if s.w.plan.Mode != plan.Hub || bytes.HasPrefix(data, messageStart) {
		s.count(i, data)
		return
	}
	if bytes.HasPrefix(data, joinStart) || bytes.HasPrefix(data, leaveStart) {
		return // presence: with many members most of what comes, and of no interest
	}
	if err := s.event.Decode(data); err != nil {
		s.errors.Count("frame: " + clip(err.Error()))
		return
	}
	s.handle(i, &s.event, data)
}

// How a hub begins its frames. One that begins them otherwise is understood too, by decoding.
var (
	messageStart = []byte(`{"op":"message"`)
	joinStart    = []byte(`{"op":"join"`)
	leaveStart   = []byte(`{"op":"leave"`)
)

// Ids of requests: a join's is its room's place and one, a publish's is greater than any of those.
const placeBits = 10

func publishID(seq uint32, place int) uint64 { return (uint64(seq)+1)<<placeBits | uint64(place) }

func (s *shard) handle(i int, e *protocol.Event, data []byte) {
	c := s.conn(i)
	switch e.Op {
	case protocol.OpMessage:
		s.count(i, data)
	case protocol.OpWelcome:
		if c.state == greeted {
			s.join(i)
		}
	case protocol.OpOK:
		if e.ID >= 1<<placeBits {
			s.sum.Accepted++
		} else if c.state == joining {
			if c.answers--; c.answers == 0 {
				s.becameReady(i)
			}
		}
	case protocol.OpError:
		s.handleError(i, e)
	case protocol.OpGap:
		s.sum.Gaps++
	case protocol.OpGoAway:
		s.sum.GoAways++
	case protocol.OpStale:
		s.sum.Stale++
	}
}

func (s *shard) handleError(i int, e *protocol.Event) {
	switch c := s.conn(i); {
	case c.state == greeted:
		s.giveUp(i, requestError("hello", e))
	case c.state == joining && e.ID < 1<<placeBits:
		s.giveUp(i, requestError("join", e))
	case e.ID >= 1<<placeBits:
		s.refuse(s.w.plan.RoomOf(s.global(i), int(e.ID&(1<<placeBits-1))), e)
	case e.ID == 0 && string(e.Code) == string(protocol.CodeRateLimited):
		// A hub that is over its limit does not look into the frame. Only publishes come so often.
		if room, ok := s.publishers[i]; ok {
			s.refuse(room, e)
		}
	default:
		s.errors.Count("error: " + string(e.Code))
	}
}

func (s *shard) refuse(room int, e *protocol.Event) {
	s.sum.Refused++
	s.refused[room]++
	s.errors.Count("publish: " + string(e.Code))
}

func (s *shard) join(i int) {
	p := s.w.plan
	c := s.conn(i)
	c.state = joining
	c.answers = p.RoomsPerConn
	for j := range p.RoomsPerConn {
		s.send(i, &protocol.Request{Op: protocol.OpJoin, ID: uint64(j) + 1, Room: []byte(p.RoomName(p.RoomOf(s.global(i), j)))})
	}
}

// count counts the messages in a frame: servers may put several into one.
func (s *shard) count(i int, data []byte) {
	c := s.conn(i)
	for {
		m, rest, ok := next(data)
		if !ok {
			return
		}
		data = rest
		w := s.window(i, c, m)
		if w == nil {
			s.sum.Foreign++
			continue
		}
		fresh, ordered := w.take(m.seq)
		switch {
		case !fresh:
			s.sum.Repeated++
			continue
		case !ordered:
			s.sum.Late++
		}
		s.sum.Received++
		record(s.hist.Delivery, time.Duration(time.Now().UnixNano()-m.sent))
	}
}

// window is where a message is noted that is expected on this connection; nil for any other.
func (s *shard) window(i int, c *conn, m mark) *window {
	p := s.w.plan
	if m.run != p.Run || !c.counts || int(m.stream) >= p.Streams() {
		return nil
	}
	if p.Mode == plan.Echo {
		if int(m.stream) != s.global(i) {
			return nil
		}
		return &c.windows[0]
	}
	room, k := int(m.stream)%p.Rooms, int(m.stream)/p.Rooms
	j, ok := p.Place(s.global(i), room)
	if !ok {
		return nil
	}
	return &c.windows[j*p.Publishers+k]
}

// ping pings the connections in turn, so that all have been within the interval.
func (s *shard) ping(now time.Time) {
	every := s.w.plan.PingEvery
	if every == 0 || len(s.conns) == 0 {
		return
	}
	if s.pingBegan.IsZero() {
		s.pingBegan = now
	}
	due := int(float64(now.Sub(s.pingBegan)) / float64(every) * float64(len(s.conns)))
	for ; s.pingTurn < due; s.pingTurn++ {
		k := s.pingTurn % len(s.conns)
		if c := &s.conns[k]; c.state == ready && !c.pinging {
			c.pinging = true
			s.sum.Pings++
			s.w.links.Send(s.local(k), wsload.Ping, binary.BigEndian.AppendUint64(nil, uint64(now.UnixNano())))
		}
	}
}

func (s *shard) ponged(i int, data []byte) {
	c := s.conn(i)
	if len(data) != 8 || !c.pinging {
		return // to a ping that was not this tool's, or an unsolicited one
	}
	c.pinging = false
	s.sum.Pongs++
	record(s.hist.Ping, time.Duration(time.Now().UnixNano()-int64(binary.BigEndian.Uint64(data))))
}
