package load

import (
	"time"

	"github.com/gohubkit/hubkit/backoff"
	"github.com/gohubkit/hubkit/cmd/hubload/internal/plan"
	"github.com/gohubkit/hubkit/protocol"
)

type state uint8

const (
	idle    state = iota
	dialing       // to Opened
	greeted       // hello is sent, welcome awaited
	joining       // the rooms' answers are awaited
	ready
	waiting // to come back
	over    // failed or closed, for good
)

// conn is one connection. It belongs to its shard.
type conn struct {
	state    state
	ever     bool // was ready
	counts   bool // was ready when the measurement began: deliveries to it are expected
	pinging  bool
	began    int64 // dialed, in nanoseconds of the Unix clock
	answers  int   // to joins, still to come
	windows  []window
	sequence *backoff.Sequence
}

// shard is a part of the connections with what is counted of them. All of it belongs to its link.Links shard.
type shard struct {
	w     *Worker
	id    int
	conns []conn // connection i of the process is at i over the number of shards

	next      int // to dial
	inflight  int
	deadlines []deadline // of those connecting, in order
	returns   returns
	quitting  bool

	streams    []stream
	turn       int           // of the stream that sends next
	publishers map[int]int   // room, by connection; one of them where a connection publishes in several
	refused    map[int]int64 // by room
	published  bool
	scratch    []byte
	message    []byte
	pingTurn   int
	pingBegan  time.Time

	event protocol.Event
	sum   Counters
	hist  Histograms

	failures, closes, errors Reasons
}

type deadline struct {
	i     int
	began int64
}

func newShard(w *Worker, id, conns int) *shard {
	return &shard{
		w: w, id: id, conns: make([]conn, conns),
		publishers: map[int]int{}, refused: map[int]int64{}, message: newMessage(w.plan.Size), hist: NewHistograms(),
		failures: Reasons{}, closes: Reasons{}, errors: Reasons{},
		sum: Counters{Unready: int64(conns)},
	}
}

func (s *shard) conn(i int) *conn { return &s.conns[i/len(s.w.shards)] }

// global is the number of a connection over all processes.
func (s *shard) global(i int) int { return i*s.w.plan.Procs + s.w.proc }

// local is the number in this process of the k-th connection of the shard.
func (s *shard) local(k int) int { return k*len(s.w.shards) + s.id }

// tick does what is due.
func (s *shard) tick(now time.Time, phase *phase) {
	if s.quitting {
		return
	}
	s.expire(now)
	for !s.returns.empty() && s.returns.due(now) && s.inflight < s.w.inflight {
		s.dial(s.returns.pop())
	}
	s.ramp(now, phase.connecting)
	if !phase.measuring.IsZero() {
		s.publish(now, phase.measuring, phase.until)
	}
	s.ping(now)
}

func (s *shard) settled() bool {
	return s.next == len(s.conns) && s.sum.Connecting == 0 && s.sum.Waiting == 0
}

// ramp dials those whose time has come.
func (s *shard) ramp(now time.Time, since time.Time) {
	if since.IsZero() {
		return
	}
	due := len(s.conns)
	if s.w.plan.Ramp > 0 {
		share := s.w.plan.Ramp * float64(len(s.conns)) / float64(s.w.plan.Conns)
		due = min(due, int(now.Sub(since).Seconds()*share)+1)
	}
	for s.next < due && s.inflight < s.w.inflight {
		i := s.local(s.next)
		s.next++
		s.dial(i)
	}
}

func (s *shard) dial(i int) {
	c := s.conn(i)
	if c.state == waiting {
		s.sum.Waiting--
	}
	c.state = dialing
	c.began = time.Now().UnixNano()
	c.answers = 0
	c.pinging = false
	s.inflight++
	s.sum.Connecting++
	s.sum.Attempts++
	s.deadlines = append(s.deadlines, deadline{i, c.began})
	if err := s.w.links.Dial(i); err != nil {
		s.failed(i, err)
	}
}

// expire gives up on those that have been connecting for too long.
func (s *shard) expire(now time.Time) {
	for len(s.deadlines) > 0 {
		d := s.deadlines[0]
		c := s.conn(d.i)
		if c.connecting() && c.began == d.began {
			if now.UnixNano()-d.began < int64(s.w.plan.ConnectTimeout) {
				return
			}
			s.giveUp(d.i, timeoutError(c.state))
		}
		s.deadlines = s.deadlines[1:]
	}
}

func (c *conn) connecting() bool {
	return c.state == dialing || c.state == greeted || c.state == joining
}

func (s *shard) becameReady(i int) {
	c := s.conn(i)
	c.state = ready
	s.inflight--
	s.sum.Connecting--
	s.sum.Open++
	record(s.hist.Connect, time.Duration(time.Now().UnixNano()-c.began))
	if c.ever {
		s.sum.Reconnected++
	} else {
		c.ever = true
		s.sum.Unready--
	}
	if c.sequence != nil {
		c.sequence.Connected()
	}
}

// giveUp ends an attempt that the server has not ended.
func (s *shard) giveUp(i int, err error) {
	s.w.links.Hangup(i, int(protocol.CloseNormal))
	s.failed(i, err)
}

// failed ends an attempt.
func (s *shard) failed(i int, err error) {
	s.inflight--
	s.sum.Connecting--
	s.sum.Failed++
	s.failures.Count(reason(err))
	s.comeBack(i, err)
}

// lost tells that a ready connection was closed.
func (s *shard) lost(i int, err error) {
	s.sum.Open--
	s.sum.Closed++
	s.closes.Count(reason(err))
	if c := s.conn(i); c.sequence != nil {
		c.sequence.Disconnected()
	}
	s.comeBack(i, err)
}

// comeBack plans the next attempt, if there is to be one.
func (s *shard) comeBack(i int, err error) {
	c := s.conn(i)
	c.state = over
	if !s.w.plan.Reconnect || s.quitting || !mayReturn(err) {
		return
	}
	if c.sequence == nil {
		c.sequence = s.w.backoff.Start()
	}
	if h, ok := hint(err); ok {
		c.sequence.Hint(h.RetryAfter, h.Spread)
	}
	c.state = waiting
	s.sum.Waiting++
	s.returns.push(time.Now().Add(c.sequence.Next()), i)
}

// quit hangs up on all.
func (s *shard) quit() {
	s.quitting = true
	s.published = true
	for k := range s.conns {
		if c := &s.conns[k]; c.connecting() || c.state == ready {
			s.w.links.Hangup(s.local(k), int(protocol.CloseNormal))
		}
	}
}

// begin fixes who is expected to receive, and returns how many of them each room has.
func (s *shard) begin(members []int64) {
	p := s.w.plan
	for k := range s.conns {
		c := &s.conns[k]
		if c.counts = c.state == ready; !c.counts {
			continue
		}
		if p.Mode == plan.Echo {
			c.windows = make([]window, 1)
			continue
		}
		c.windows = make([]window, p.RoomsPerConn*p.Publishers)
		for j := range p.RoomsPerConn {
			members[p.RoomOf(s.global(s.local(k)), j)]++
		}
	}
	s.findStreams()
}
