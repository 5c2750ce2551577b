package nodes

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/broker"
)

// TestAskNode: one node is asked and nobody else hears of it, whether it is this one, another, silent, not alive or not reached.
func TestAskNode(t *testing.T) {
	inFleet(t, []string{"a", "b", "c", "d"}, func(t *testing.T, f *fleet) {
		for name, x := range f.nodes {
			if name == "d" {
				continue
			}
			HandleAsk(x, "name", func(ctx context.Context, _ string, _ note) (string, error) {
				if name == "c" {
					<-ctx.Done()
				}
				return name, nil
			})
		}
		ask := func(node string) (string, time.Duration, error) {
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			defer cancel()
			begin := time.Now()
			answers, err := AskNode[string](ctx, f.nodes["a"], node, "name", note{})
			return answered(answers), time.Since(begin), err
		}
		for _, tt := range []struct {
			node, want string
			takes      time.Duration
			frames     int
		}{
			{"a", "a=a", 0, 0},
			{"b", "b=b", 0, 2},
			{"c", "c!nodes: no answer", 3 * time.Second, 1},
			{"d", "d!nodes: unknown kind", 0, 2},
			{"e", "e!nodes: no answer", 0, 0},
		} {
			got, took, err := ask(tt.node)
			if err != nil || got != tt.want || took != tt.takes {
				t.Errorf("%s: %s after %v, %v; want %s after %v", tt.node, got, took, err, tt.want, tt.takes)
			}
			if sent := f.frames(); len(sent) != tt.frames {
				t.Errorf("%s: sent %q, want %d messages", tt.node, sent, tt.frames)
			}
		}
		f.mu.Lock()
		f.away = broker.ErrUnavailable
		f.mu.Unlock()
		if got, took, err := ask("b"); got != "b!nodes: no answer" || took != 0 || !errors.Is(err, broker.ErrUnavailable) {
			t.Errorf("out of reach: %s after %v, %v", got, took, err)
		}
		if got, _, err := ask("a"); got != "a=a" || err != nil {
			t.Errorf("itself, out of reach: %s, %v", got, err)
		}
	})
}
