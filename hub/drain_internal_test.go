package hub

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/broker/memory"
	"github.com/gohubkit/hubkit/internal/core/drain"
)

// fleet is a broker with another node on it.
type fleet struct{ *memory.Broker }

func (f *fleet) Nodes(ctx context.Context) ([]broker.Node, error) {
	nodes, err := f.Broker.Nodes(ctx)
	return append(nodes, broker.Node{ID: "b", NodeInfo: broker.NodeInfo{AdmitRate: 300}, Seen: time.Now()}), err
}

// TestSuccessors: the other nodes take over while the broker knows them; without it the node answers for its successor.
func TestSuccessors(t *testing.T) {
	b, err := memory.New()
	if err != nil {
		t.Fatal(err)
	}
	h, err := New(WithBroker(&fleet{b}), WithLogger(slog.New(slog.DiscardHandler)), WithNode("a"), WithAdmission(500, 1))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	}()
	if got, want := h.successors(t.Context()), (drain.Successors{Rate: 300, Stated: true, Capacity: -1}); got != want {
		t.Errorf("with the broker: %+v, want %+v", got, want)
	}
	h.stats.stale.Store(true)
	if got, want := h.successors(t.Context()), drain.Alone(500); got != want {
		t.Errorf("without the broker: %+v, want %+v", got, want)
	}
	h.conf.admission.Rate = 0
	if got, want := h.admitRate(), float64(drain.DefaultRate); got != want {
		t.Errorf("a hub without a rate admits %v a second, want %v", got, want)
	}
	h.conf.admission.Rate = 500
}
