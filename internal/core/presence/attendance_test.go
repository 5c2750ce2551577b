package presence

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/internal/core/codec"
	"github.com/gohubkit/hubkit/internal/core/rate"
	"github.com/gohubkit/hubkit/internal/engine/frame"
	"github.com/gohubkit/hubkit/protocol"
)

// list is a broker that knows who is in the only room.
type list struct {
	broker.Broker
	mu      sync.Mutex
	members []broker.Member
	asked   int
	ask     func() error // in the broker, if set
}

func (l *list) Enter(context.Context, string, broker.Member) error { return nil }
func (l *list) Leave(context.Context, string, string) error        { return nil }
func (l *list) Count(context.Context, string) (int, error)         { return len(l.members), nil }
func (l *list) Members(_ context.Context, _ string, limit int) ([]broker.Member, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked++
	if l.ask != nil {
		if err := l.ask(); err != nil {
			return nil, err
		}
	}
	if limit == 0 {
		limit = len(l.members)
	}
	return slices.Clone(l.members[:min(limit, len(l.members))]), nil
}

// room notes what its members are told: +conn and a digit of its info, -conn, and other frames as they are.
type room struct {
	t      *testing.T
	source frame.Source
	mu     sync.Mutex
	log    []string
}

func (r *room) Len() int              { return 4000 }
func (r *room) Source() *frame.Source { return &r.source }

func (r *room) AddEvent(encode func([]byte, frame.Form) []byte) {
	p := encode(nil, codec.FormJSON)
	var e protocol.Event
	if err := e.Decode(p); err != nil {
		r.t.Errorf("%s: %v", p, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch e.Op {
	case protocol.OpJoin, protocol.OpLeave:
		m, err := protocol.ParseMember(e.Data)
		if err != nil {
			r.t.Error(err)
		}
		sign := map[string]string{string(protocol.OpJoin): "+", string(protocol.OpLeave): "-"}[string(e.Op)]
		r.log = append(r.log, sign+m.Conn+string(m.Info[:min(1, len(m.Info))]))
	default:
		r.log = append(r.log, string(p))
	}
}

// told returns what the members were told since the last time.
func (r *room) told() []string {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	log := r.log
	r.log = nil
	return log
}

func (r *room) expect(want ...string) {
	r.t.Helper()
	if got := r.told(); !slices.Equal(got, want) {
		r.t.Errorf("told %v, want %v", got, want)
	}
}

// world is a room of a node in a bubble.
type world struct {
	*Attendance
	room   *room
	list   *list
	stale  bool
	cancel context.CancelFunc
	lost   atomic.Int32 // functions that panicked
}

func inWorld(t *testing.T, perSecond float64, burst int, f func(*testing.T, *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{room: &room{t: t}, list: &list{}}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		w.cancel = cancel
		n := New(w.list, Config{
			Context: ctx, Timeout: 10 * time.Second, Stale: func() bool { return w.stale },
			Run: func(f func()) {
				go func() {
					defer func() {
						if recover() != nil {
							w.lost.Add(1)
						}
					}()
					f()
				}()
			},
		})
		w.Attendance = n.Attend("here", w.room, Rate{Limit: rate.New(perSecond, burst), Burst: burst})
		f(t, w)
	})
}

func (w *world) enter(conn string) { w.Note(broker.Member{Conn: conn}, true) }
func (w *world) leave(conn string) { w.Note(broker.Member{Conn: conn}, false) }

// TestNote: within the rate changes are told at once, and beyond it in order, less what cancels out.
func TestNote(t *testing.T) {
	inWorld(t, 2, 2, func(_ *testing.T, w *world) {
		w.enter("a")
		w.enter("b")
		w.room.expect("+a", "+b")
		w.enter("c")
		w.enter("d")
		w.leave("c") // nobody has heard of it
		w.enter("e")
		w.leave("a")
		w.room.expect()
		time.Sleep(tick + 1)
		w.room.expect("+d")
		w.enter("a") // its leaving was not told either
		time.Sleep(time.Minute)
		w.room.expect("+e")
		w.Note(broker.Member{Conn: "e", Info: json.RawMessage("1")}, true)
		w.room.expect("+e1")
	})
}

// TestNoteLarge: a member of many bytes counts as several changes, and one beyond the burst as the burst.
func TestNoteLarge(t *testing.T) {
	inWorld(t, 1, 3, func(_ *testing.T, w *world) {
		large := json.RawMessage(fmt.Sprintf("1%0*d", 100*unit, 0))
		w.Note(broker.Member{Conn: "a", Info: large}, true)
		w.enter("b")
		w.room.expect("+a1")
		time.Sleep(time.Second + tick)
		w.room.expect("+b")
	})
}

// TestCrowded: if too much waits, members are told to ask, over a time that their number needs, until it is calm again.
func TestCrowded(t *testing.T) {
	inWorld(t, 10, 1, func(_ *testing.T, w *world) {
		for i := range 200 {
			w.list.members = append(w.list.members, broker.Member{Conn: fmt.Sprint("m", i)})
			w.enter(fmt.Sprint("m", i))
		}
		time.Sleep(time.Second)
		w.room.expect("+m0", `{"op":"presence","room":"here","data":{"count":200},"spread_ms":2000}`)
		for i := range 200 {
			w.leave(fmt.Sprint("m", i))
		}
		w.room.expect()
		time.Sleep(maxBacklog)
		w.room.expect(`{"op":"presence","room":"here","data":{"count":200},"spread_ms":2000}`)
		time.Sleep(3 * maxBacklog)
		w.room.expect()
		w.enter("late")
		w.room.expect("+late")
	})
}

// TestCrowdedWithoutAnAnswer: while the broker does not answer, members are told nothing, and later once.
func TestCrowdedWithoutAnAnswer(t *testing.T) {
	inWorld(t, 1, 1, func(_ *testing.T, w *world) {
		w.list.ask = func() error { return broker.ErrUnavailable }
		for i := range 100 {
			w.enter(fmt.Sprint("m", i))
		}
		time.Sleep(time.Minute)
		w.room.expect("+m0")
		w.list.mu.Lock()
		w.list.ask = nil
		w.list.mu.Unlock()
		time.Sleep(time.Minute)
		w.room.expect(`{"op":"presence","room":"here","data":{"count":0},"spread_ms":2000}`)
	})
}

// TestMissed: what waits is not told any more, and members are told to ask.
func TestMissed(t *testing.T) {
	inWorld(t, 1, 1, func(_ *testing.T, w *world) {
		w.enter("a")
		w.enter("b")
		w.Missed()
		time.Sleep(time.Minute)
		w.room.expect("+a", `{"op":"presence","room":"here","spread_ms":2000}`)
	})
}

// TestNodeCloses: nothing is told after the node's end.
func TestNodeCloses(t *testing.T) {
	inWorld(t, 1, 1, func(_ *testing.T, w *world) {
		w.enter("a")
		w.enter("b")
		w.cancel()
		time.Sleep(time.Minute)
		w.room.expect("+a")
	})
}

func TestNewWithoutPresence(t *testing.T) {
	if n := New(struct{ broker.Broker }{}, Config{}); n != nil {
		t.Error("a broker without presence has one")
	}
}
