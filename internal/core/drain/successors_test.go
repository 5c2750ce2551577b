package drain

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/broker"
)

// fleet is a bus that knows some nodes.
type fleet struct {
	broker.Bus
	nodes []broker.Node
	err   error
}

func (f *fleet) Nodes(context.Context) ([]broker.Node, error) { return f.nodes, f.err }

func node(id string, seen time.Duration, info broker.NodeInfo) broker.Node {
	return broker.Node{ID: id, NodeInfo: info, Seen: time.Now().Add(-seen)}
}

func TestAsk(t *testing.T) {
	const silent = 15 * time.Second
	rate := func(r float64) broker.NodeInfo { return broker.NodeInfo{AdmitRate: r} }
	bounded := func(r float64, conns, capacity int) broker.NodeInfo {
		return broker.NodeInfo{AdmitRate: r, Conns: conns, Capacity: capacity}
	}
	draining := func(r float64) broker.NodeInfo { return broker.NodeInfo{AdmitRate: r, Draining: true} }
	for _, tt := range []struct {
		name  string
		err   error
		nodes []broker.Node
		want  Successors
	}{
		{"alone", nil, nil, Alone(500)},
		{"nobody knows", broker.ErrUnavailable, []broker.Node{node("b", 0, rate(300))}, Alone(500)},
		{"two", nil, []broker.Node{node("b", 0, rate(300)), node("c", 0, rate(400))}, Successors{Rate: 700, Stated: true, Capacity: -1}},
		{"one states nothing", nil, []broker.Node{node("b", 0, rate(300)), node("c", 0, rate(0))},
			Successors{Rate: 300 + DefaultRate, Capacity: -1}},
		{"one drains", nil, []broker.Node{node("b", 0, rate(300)), node("c", 0, draining(400))}, Successors{Rate: 300, Stated: true, Capacity: -1}},
		{"one is silent", nil, []broker.Node{node("b", 0, rate(300)), node("c", silent+time.Second, rate(400))},
			Successors{Rate: 300, Stated: true, Capacity: -1}},
		{"all drain", nil, []broker.Node{node("b", 0, draining(300))}, Alone(500)},
		{"capacity", nil, []broker.Node{node("b", 0, bounded(1, 30, 100)), node("c", 0, bounded(1, 110, 100))},
			Successors{Rate: 2, Stated: true, Capacity: 70}},
		{"one has no bound", nil, []broker.Node{node("b", 0, rate(1)), node("c", 0, bounded(1, 0, 100))},
			Successors{Rate: 2, Stated: true, Capacity: -1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			own := node("a", 0, rate(500))
			got, err := Ask(t.Context(), &fleet{nodes: append([]broker.Node{own}, tt.nodes...), err: tt.err}, "a", 500, silent)
			if got != tt.want || !errors.Is(err, tt.err) {
				t.Errorf("got %+v, %v, want %+v, %v", got, err, tt.want, tt.err)
			}
		})
	}
}
