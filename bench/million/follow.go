package main

import (
	"errors"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/gohubkit/hubkit/backoff"
	"github.com/gohubkit/hubkit/internal/payload"
	"github.com/gohubkit/hubkit/protocol"
)

// seat is what a client remembers of its connection: 24 bytes, a million times.
type seat struct {
	offset uint64 // in the small room
	epoch  uint32 // there: follower.epochs has its name
	state  uint8  // what follows
	common uint8  // messages of the common room, modulo 256
}

const (
	isOpen = 1 << iota
	inCommon
	inSmall
	inBoth = isOpen | inCommon | inSmall
)

// comeback is a client that has lost its connection.
type comeback struct {
	since    time.Time
	sequence *backoff.Sequence
}

// follower is the clients of one load process, as far as they are protocol v1: it says hello for them, follows the
// positions of their rooms, counts, and decides when who has lost a connection comes back. The loop calls most
// methods, orders the others.
type follower struct {
	first, rooms int
	stream       bool

	mu     sync.Mutex
	seats  []seat
	epochs names
	away   map[int]*comeback
	stats  CrowdStats
	event  protocol.Event

	commonLatency, smallLatency, returns *hdrhistogram.Histogram // microseconds
}

func newFollower(spec crowdSpec) *follower {
	f := &follower{
		first: spec.First, rooms: spec.Rooms, stream: spec.Stream,
		seats: make([]seat, spec.Conns),
		away:  make(map[int]*comeback),
		stats: CrowdStats{Lost: make(map[int]int)},
	}
	f.commonLatency, f.smallLatency, f.returns = newHistogram(), newHistogram(), newHistogram()
	return f
}

// newHistogram is of microseconds.
func newHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(1, (10 * time.Minute).Microseconds(), 3)
}

func (f *follower) room(i int) string { return smallRoom(homeOf(f.first+i, f.rooms)) }

// path is the target of connection i's handshake, which says who it is.
func (f *follower) path(i int) string {
	user := "?user=u" + strconv.Itoa(f.first+i)
	if f.stream {
		return streamPath + user + "&room=" + commonRoom + "&room=" + f.room(i)
	}
	return "/ws" + user
}

// hello joins both rooms, and goes on from where the client was in the small one.
func (f *follower) hello(i int) []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	q := protocol.Request{Op: protocol.OpHello, Resume: []protocol.Resume{
		{Room: []byte(commonRoom)}, {Room: []byte(f.room(i)), Position: f.position(i)},
	}}
	return protocol.AppendRequest(nil, &q)
}

func (f *follower) position(i int) protocol.Position {
	s := &f.seats[i]
	if s.epoch == 0 {
		return protocol.Position{}
	}
	return protocol.Position{Epoch: []byte(f.epochs.name(s.epoch)), Offset: s.offset}
}

// names numbers strings, from one up.
type names struct {
	all     []string
	numbers map[string]uint32
}

func (n *names) name(number uint32) string { return n.all[number-1] }

func (n *names) number(name []byte) uint32 {
	if k, ok := n.numbers[string(name)]; ok {
		return k
	}
	if n.numbers == nil {
		n.numbers = make(map[string]uint32)
	}
	n.all = append(n.all, string(name))
	k := uint32(len(n.all))
	n.numbers[n.all[k-1]] = k
	return k
}

// frame takes what connection i has received, and reports whether it is in both its rooms, and whether one of them is to be
// asked for again, after a while.
func (f *follower) frame(i int, data []byte) (settled bool, again *rejoin) {
	f.mu.Lock()
	defer f.mu.Unlock()
	e := &f.event
	if err := e.Decode(data); err != nil {
		f.fault(&f.stats.Strange, "connection %d: %v in %q", f.first+i, err, data)
		return false, nil
	}
	switch e.Op {
	case protocol.OpWelcome:
	case protocol.OpOK, protocol.OpJoined:
		f.joined(i)
	case protocol.OpMessage:
		f.message(i)
	case protocol.OpStale:
		f.stats.Stale++
	case protocol.OpLive:
	case protocol.OpGap:
		f.fault(&f.stats.Gaps, "connection %d: gap in %s up to %d", f.first+i, e.Room, e.Position.Offset)
	case protocol.OpError:
		if again = f.refused(); again != nil {
			break
		}
		f.fault(&f.stats.Refused, "connection %d, room %s: %s %s", f.first+i, e.Room, e.Code, e.Message)
	default:
		f.fault(&f.stats.Strange, "connection %d: unexpected %q", f.first+i, data)
	}
	return f.seats[i].state == inBoth, again
}

// rejoin is a room that a hub could not let a client into for now.
type rejoin struct {
	room  string
	after time.Duration
}

// refused says what the event, an error, means to the Go client: a join that is refused for now is tried again on the same
// connection, when the hub says or after a second, and up to as long later. It is nil where there is more to it.
func (f *follower) refused() *rejoin {
	e := &f.event
	if len(e.Room) == 0 || !protocol.ErrorCode(e.Code).Retry() {
		return nil
	}
	f.stats.Again++
	after := e.RetryAfter
	if after <= 0 {
		after = time.Second
	}
	return &rejoin{string(e.Room), after + rand.N(after)}
}

// join asks for a room again, unless the client has left or is there by now.
func (f *follower) join(i int, room string) []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	q := protocol.Request{Op: protocol.OpJoin, ID: 1, Room: []byte(room)}
	bit := uint8(inCommon)
	if room != commonRoom {
		bit, q.Position = inSmall, f.position(i)
	}
	if f.seats[i].state&(isOpen|bit) != isOpen {
		return nil
	}
	return protocol.AppendRequest(nil, &q)
}

// opened notes that a handshake is done.
func (f *follower) opened(i int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seats[i].state = isOpen
	f.stats.Open++
}

func (f *follower) joined(i int) {
	e, s := &f.event, &f.seats[i]
	before := s.state
	switch string(e.Room) {
	case commonRoom:
		s.state |= inCommon
	case f.room(i):
		s.state |= inSmall
		if at := f.position(i); at.IsZero() {
			s.epoch, s.offset = f.epochs.number(e.Position.Epoch), e.Position.Offset
		} else {
			f.follows(i, 0)
		}
	default:
		f.fault(&f.stats.Strange, "connection %d: joined %q", f.first+i, e.Room)
		return
	}
	if s.state == before {
		f.fault(&f.stats.Strange, "connection %d: joined %q twice", f.first+i, e.Room)
		return
	}
	f.stats.Joined++
	if c := f.away[i]; c != nil && s.state == inBoth {
		delete(f.away, i)
		f.stats.Back++
		_ = f.returns.RecordValue(max(1, time.Since(c.since).Microseconds())) // ten minutes are enough
	}
}

// follows checks that the event is so many offsets after the client's position, and takes its place.
func (f *follower) follows(i int, step uint64) {
	e, s := &f.event, &f.seats[i]
	// In a room to which nothing was published the epoch may change, see PROTOCOL.md.
	if epoch := f.epochs.number(e.Position.Epoch); epoch != s.epoch && s.offset == 0 && e.Position.Offset == step {
		s.epoch = epoch
	} else if epoch != s.epoch {
		f.fault(&f.stats.Missing, "connection %d: epoch of %s is %q after %q", f.first+i, e.Room, e.Position.Epoch, f.position(i).Epoch)
		s.epoch, s.offset = epoch, e.Position.Offset
		return
	}
	switch want := s.offset + step; {
	case e.Position.Offset > want:
		f.fault(&f.stats.Missing, "connection %d: %s is at %d after %d", f.first+i, e.Room, e.Position.Offset, s.offset)
	case e.Position.Offset < want:
		f.fault(&f.stats.Repeated, "connection %d: %s is at %d after %d", f.first+i, e.Room, e.Position.Offset, s.offset)
	}
	s.offset = e.Position.Offset
}

func (f *follower) message(i int) {
	e := &f.event
	at := payload.Next(e.Data)
	if at < 0 {
		f.fault(&f.stats.Strange, "connection %d: message %q", f.first+i, e.Data)
		return
	}
	sent, _ := payload.Time(e.Data[at:])
	took := max(1, (time.Now().UnixNano()-sent)/1000)
	switch string(e.Room) {
	case commonRoom:
		f.seats[i].common++
		f.stats.Common++
		_ = f.commonLatency.RecordValue(took)
	case f.room(i):
		f.follows(i, 1)
		f.stats.Small++
		_ = f.smallLatency.RecordValue(took)
	default:
		f.fault(&f.stats.Strange, "connection %d: message of %q", f.first+i, e.Room)
	}
}

// fault counts, and keeps the first.
func (f *follower) fault(n *int64, format string, args ...any) {
	*n++
	if f.stats.Fault == "" {
		f.stats.Fault = fmt.Sprintf(format, args...)
	}
}

// lost says how long connection i waits before it tries to come back: what package backoff says, and the hint of
// the close frame, as the Go client does. code is that of the close frame, or 1006.
func (f *follower) lost(i, code int, reason string) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := &f.seats[i]
	if s.state&isOpen != 0 {
		f.stats.Open--
	}
	if rooms := s.state &^ isOpen; rooms != 0 { // else it was on its way
		f.stats.Lost[code]++
		f.stats.Joined -= bits.OnesCount8(rooms)
	}
	s.state = 0
	c := f.away[i]
	if c == nil {
		c = &comeback{since: time.Now(), sequence: backoff.Default().Start()}
		f.away[i] = c
	}
	if h, ok := protocol.ParseHint(reason); ok {
		c.sequence.Hint(h.RetryAfter, h.Spread)
	}
	f.stats.Tries++
	return c.sequence.Next()
}

// beats counts a beat of connection i, and reports whether it is there to make it.
func (f *follower) beats(i int) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	open := f.seats[i].state&isOpen != 0
	if open {
		f.stats.Beats++
	}
	return open
}

// snapshot returns what was counted so far.
func (f *follower) snapshot() CrowdStats {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.stats
	s.Lost = make(map[int]int)
	for code, n := range f.stats.Lost {
		s.Lost[code] = n
	}
	return s
}

// unlike returns how many connections are not where they should be.
func (f *follower) unlike(w Where) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range f.seats {
		if s := &f.seats[i]; s.offset != w.Tops[homeOf(f.first+i, f.rooms)] || s.common != uint8(w.Common) {
			n++
		}
	}
	return n
}

var errEncode = errors.New("a histogram cannot be encoded")

// latencies returns what was measured since the last call.
func (f *follower) latencies() (l Latencies, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, x := range []struct {
		h   *hdrhistogram.Histogram
		out *[]byte
	}{{f.commonLatency, &l.Common}, {f.smallLatency, &l.Small}, {f.returns, &l.Return}} {
		if *x.out, err = x.h.Encode(hdrhistogram.V2CompressedEncodingCookieBase); err != nil {
			return l, errors.Join(errEncode, err)
		}
		x.h.Reset()
	}
	return l, nil
}
