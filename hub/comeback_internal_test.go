package hub

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/broker/memory"
	"github.com/gohubkit/hubkit/internal/admission"
)

// fleet is a broker with other nodes on it.
type fleet struct {
	*memory.Broker
	nodes []broker.Node
	err   error
}

func (f *fleet) Nodes(ctx context.Context) ([]broker.Node, error) {
	own, err := f.Broker.Nodes(ctx)
	if err != nil || f.err != nil {
		return nil, f.err
	}
	return append(own, f.nodes...), nil
}

func newFleet(t *testing.T, nodes ...broker.Node) *fleet {
	t.Helper()
	b, err := memory.New()
	if err != nil {
		t.Fatal(err)
	}
	return &fleet{Broker: b, nodes: nodes}
}

func node(id string, seen time.Duration, info broker.NodeInfo) broker.Node {
	return broker.Node{ID: id, NodeInfo: info, Seen: time.Now().Add(-seen)}
}

func TestRemaining(t *testing.T) {
	rate := func(r float64) broker.NodeInfo { return broker.NodeInfo{AdmitRate: r} }
	room := func(r float64, conns, capacity int) broker.NodeInfo {
		return broker.NodeInfo{AdmitRate: r, Conns: conns, Capacity: capacity}
	}
	tests := []struct {
		name  string
		own   float64
		err   error
		nodes []broker.Node
		want  remaining
	}{
		{"alone", 0, nil, nil, remaining{rate: defaultAdmitRate, room: -1}},
		{"alone, with a rate", 500, nil, nil, remaining{rate: 500, room: -1}},
		{"nobody knows", 500, broker.ErrUnavailable, []broker.Node{node("b", 0, rate(300))}, remaining{rate: 500, room: -1}},
		{"two", 500, nil, []broker.Node{node("b", 0, rate(300)), node("c", 0, rate(400))}, remaining{rate: 700, stated: true, room: -1}},
		{"one says nothing", 500, nil, []broker.Node{node("b", 0, rate(300)), node("c", 0, rate(0))},
			remaining{rate: 300 + defaultAdmitRate, room: -1}},
		{"one drains", 500, nil, []broker.Node{node("b", 0, rate(300)), node("c", 0, broker.NodeInfo{AdmitRate: 400, Draining: true})},
			remaining{rate: 300, stated: true, room: -1}},
		{"one is silent", 500, nil, []broker.Node{node("b", 0, rate(300)), node("c", silentAfter+time.Second, rate(400))},
			remaining{rate: 300, stated: true, room: -1}},
		{"all drain", 500, nil, []broker.Node{node("b", 0, broker.NodeInfo{AdmitRate: 300, Draining: true})}, remaining{rate: 500, room: -1}},
		{"room", 500, nil, []broker.Node{node("b", 0, room(1, 30, 100)), node("c", 0, room(1, 110, 100))},
			remaining{rate: 2, stated: true, room: 70}},
		{"one has no bound", 500, nil, []broker.Node{node("b", 0, rate(1)), node("c", 0, room(1, 0, 100))},
			remaining{rate: 2, stated: true, room: -1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFleet(t, tt.nodes...)
			f.err = tt.err
			opts := []Option{WithBroker(f), WithLogger(slog.New(slog.DiscardHandler)), WithNode("a")}
			if tt.own > 0 {
				opts = append(opts, WithAdmission(tt.own, 1))
			}
			h, err := New(opts...)
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := h.Close(); err != nil {
					t.Error(err)
				}
			}()
			if got := h.remaining(t.Context()); got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
			h.stats.stale.Store(true)
			if got, want := h.remaining(t.Context()), (remaining{rate: h.admitRate(), room: -1}); got != want {
				t.Errorf("without the broker: %+v, want %+v", got, want)
			}
			h.stats.stale.Store(false)
		})
	}
}

func TestExodus(t *testing.T) {
	const window = 30 * time.Second
	spread := admission.Spread
	tests := []struct {
		name        string
		to          remaining
		n           int
		window      time.Duration
		leave, back time.Duration
	}{
		{"nobody", remaining{rate: 1000}, 0, window, window, window},
		{"nothing is said", remaining{rate: 1000, room: -1}, 100, window, window, window},
		{"few, and nothing is said of many", remaining{rate: 1000, room: -1}, 100_000, window, window, spread(100_000, 1000)},
		{"the pace of the others", remaining{rate: 2000, stated: true, room: -1}, 20_000, window, spread(20_000, 2000), spread(20_000, 2000)},
		{"they have room", remaining{rate: 2000, stated: true, room: 20_000}, 20_000, window, spread(20_000, 2000), spread(20_000, 2000)},
		{"they have not", remaining{rate: 2000, stated: true, room: 19_999}, 20_000, window, window, window},
		{"faster than a balancer looks", remaining{rate: 1e5, stated: true, room: -1}, 10, window, window / 10, window / 10},
		{"slower than the window", remaining{rate: 100, stated: true, room: -1}, 20_000, window, window, spread(20_000, 100)},
		{"together", remaining{rate: 2000, stated: true, room: -1}, 20_000, 0, 0, spread(20_000, 2000)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := tt.to.exodus(tt.n, tt.window)
			if e.leave != tt.leave || e.back != tt.back {
				t.Fatalf("leave within %v and back within %v, want %v and %v", e.leave, e.back, tt.leave, tt.back)
			}
			// Whoever leaves in its turn and does as it is told comes back in the same order, over the whole time.
			for _, i := range []int{0, tt.n / 3, tt.n - 1} {
				if i < 0 || tt.n == 0 {
					continue
				}
				why := e.notice(i)
				turn := time.Duration(float64(e.back) * float64(i) / float64(tt.n))
				if e.leave == 0 {
					turn = 0
				}
				if got := e.due(i) + why.RetryAfter; (got - turn).Abs() > time.Millisecond {
					t.Errorf("number %d is back after %v, want %v", i, got, turn)
				}
				if why.Spread < leastSpread || e.leave == 0 && why.Spread != e.back {
					t.Errorf("number %d has a spread of %v", i, why.Spread)
				}
			}
		})
	}
	if why := straggler(); why.Spread != leastSpread || why.RetryAfter != 0 {
		t.Errorf("a straggler is told %+v", why)
	}
}

// TestLatecomer: who comes while the hub goes is told what those are told who go at that moment, and afterwards what is
// left of the time in which they come back.
func TestLatecomer(t *testing.T) {
	const s = time.Second
	for _, tt := range []struct {
		name          string
		plan          exodus
		elapsed       time.Duration
		after, spread time.Duration
	}{
		{"the others are as fast", exodus{n: 10, leave: 10 * s, back: 10 * s}, 5 * s, 0, s},
		{"the others are slower, at first", exodus{n: 10, leave: 10 * s, back: 40 * s}, 0, 0, 4 * s},
		{"half way", exodus{n: 10, leave: 10 * s, back: 40 * s}, 5 * s, 15 * s, 4 * s},
		{"when all have left", exodus{n: 10, leave: 10 * s, back: 40 * s}, 10 * s, 30 * s, 4 * s},
		{"when most are back", exodus{n: 10, leave: 10 * s, back: 40 * s}, 35 * s, 5 * s, 4 * s},
		{"when all are back", exodus{n: 10, leave: 10 * s, back: 40 * s}, 50 * s, 0, 4 * s},
		{"all left at once", exodus{n: 10, back: 40 * s}, 10 * s, 0, 30 * s},
		{"all left at once, and are back", exodus{n: 10, back: 40 * s}, time.Hour, 0, s},
		{"nobody was there", exodus{leave: 10 * s, back: 10 * s}, 5 * s, 0, s},
		{"nobody was there, afterwards", exodus{leave: 10 * s, back: 10 * s}, 15 * s, 0, s},
	} {
		d := departure{exodus: tt.plan}
		if why := d.notice(tt.elapsed); why.RetryAfter != tt.after || why.Spread != tt.spread {
			t.Errorf("%s: %v and %v, want %v and %v", tt.name, why.RetryAfter, why.Spread, tt.after, tt.spread)
		}
	}
}
