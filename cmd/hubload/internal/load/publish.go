package load

import (
	"strings"
	"time"

	"github.com/gohubkit/hubkit/cmd/hubload/internal/plan"
	"github.com/gohubkit/hubkit/internal/wsload"
	"github.com/gohubkit/hubkit/protocol"
)

// stream is a sequence of messages that one connection publishes in one room.
type stream struct {
	number uint32
	i      int // the connection
	room   int
	seq    uint32 // of the next message
	round  int64  // how often its turn has come
}

// findStreams finds which connections of the shard publish.
func (s *shard) findStreams() {
	p := s.w.plan
	if p.Rate == 0 {
		return
	}
	for number := range p.Streams() {
		conn, room := number, 0
		if p.Mode != plan.Echo {
			room = number % p.Rooms
			conn = p.Publisher(room, number/p.Rooms)
		}
		if conn%p.Procs != s.w.proc {
			continue
		}
		if i := conn / p.Procs; i%len(s.w.shards) == s.id {
			s.streams = append(s.streams, stream{number: uint32(number), i: i, room: room})
			s.publishers[i] = room
		}
	}
}

// publish sends what is due. Message n of the whole test goes out on stream n modulo the number of streams, n/rate
// after the start: each shard knows its own without asking. The load does not wait for a slow server.
func (s *shard) publish(now, since, until time.Time) {
	if s.published || len(s.streams) == 0 {
		s.published = true
		return
	}
	p := s.w.plan
	for {
		st := &s.streams[s.turn]
		n := st.round*int64(p.Streams()) + int64(st.number)
		at := since.Add(time.Duration(float64(n) / p.Rate * float64(time.Second)))
		if !at.Before(until) {
			s.published = true
			return
		}
		if at.After(now) {
			return
		}
		st.round++
		if s.turn++; s.turn == len(s.streams) {
			s.turn = 0
		}
		if s.conn(st.i).state != ready {
			s.sum.Skipped++
			continue
		}
		sent := time.Now()
		record(s.hist.Lag, sent.Sub(at))
		s.publishOne(st, sent)
	}
}

func (s *shard) publishOne(st *stream, now time.Time) {
	p := s.w.plan
	mark{now.UnixNano(), p.Run, st.number, st.seq}.stamp(s.message)
	s.sum.Sent++
	if p.Mode == plan.Hub {
		place, _ := p.Place(s.global(st.i), st.room)
		s.send(st.i, &protocol.Request{
			Op: protocol.OpPublish, ID: publishID(st.seq, place),
			Room: []byte(p.RoomName(st.room)), Data: s.quoted(),
		})
	} else {
		before, after, _ := strings.Cut(p.Fill(p.Frame, s.global(st.i)), plan.HoldPayload)
		s.scratch = append(append(append(s.scratch[:0], before...), s.message...), after...)
		s.w.links.Send(st.i, wsload.Text, s.scratch)
		s.sum.Accepted++ // nobody will say
	}
	st.seq++
	if p.Mode == plan.Echo {
		s.sum.Expected++
	}
}

// quoted is the message as JSON: it has nothing to escape.
func (s *shard) quoted() []byte {
	return append(append([]byte{'"'}, s.message...), '"')
}

// add adds the messages of each room that went out and were not refused.
func (s *shard) add(published []int64) {
	for _, st := range s.streams {
		published[st.room] += int64(st.seq)
	}
	for room, n := range s.refused {
		published[room] -= n
	}
}
