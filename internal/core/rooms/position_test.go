package rooms

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/broker"
)

// positioned is a broker that may know where its rooms are. Its histories have no messages.
type positioned struct {
	interests

	top, known broker.Position // known is zero if it does not know
	reads      int
}

func (b *positioned) SubscribeAt(ctx context.Context, room string, kept broker.Retention) error {
	if !kept.Enabled() {
		return broker.ErrInvalid
	}
	return b.Subscribe(ctx, room)
}

func (b *positioned) Position(string) (broker.Position, bool) { return b.known, !b.known.IsZero() }

func (b *positioned) Read(_ context.Context, _ string, q broker.Query) (broker.Page, error) {
	b.reads++
	return broker.Page{Top: b.top, Gap: !q.Since.IsZero() && q.Since.Epoch != b.top.Epoch}, nil
}

// TestJoinAsksForNoKnownPosition: the broker is read only if it does not know where the room is, or the member wants something of the
// history.
func TestJoinAsksForNoKnownPosition(t *testing.T) {
	here, before := broker.Position{Epoch: "e", Offset: 7}, broker.Position{Epoch: "e", Offset: 6}
	for name, c := range map[string]struct {
		known broker.Position
		from  Start
		reads int
		at    uint64
	}{
		"known":                  {here, Start{}, 0, 7},
		"not known":              {broker.Position{}, Start{}, 1, 9},
		"since where it is":      {here, Start{Since: here}, 0, 7},
		"since before":           {here, Start{Since: before}, 1, 9},
		"since, of another past": {here, Start{Since: broker.Position{Epoch: "d", Offset: 7}}, 1, 7},
		"the newest":             {here, Start{Last: 3}, 1, 9},
	} {
		t.Run(name, func(t *testing.T) {
			b := &positioned{top: broker.Position{Epoch: "e", Offset: 9}, known: c.known}
			r := newRig(t, b, nil)
			r.rule.Retention = broker.Retention{Size: 10, TTL: time.Minute}
			m := r.conn(t)
			if err := r.Join(t.Context(), m, 1, "a", c.from); err != nil {
				t.Fatal(err)
			}
			epoch := "e"
			if c.from.Since.Epoch == "d" {
				epoch = "d" // and a gap after it
			}
			want := fmt.Sprintf(`{"op":"ok","id":1,"room":"a","epoch":%q,"offset":%d}`, epoch, c.at)
			if got := <-m.got; got != want {
				t.Errorf("the member is told %s, want %s", got, want)
			}
			if b.reads != c.reads {
				t.Errorf("%d reads, want %d", b.reads, c.reads)
			}
			expectAsked(t, &b.interests, "+a")
		})
	}
}

// TestKnownPositionOfAnotherEpoch: while the broker is ahead of the room here, the member waits until the room has been told.
func TestKnownPositionOfAnotherEpoch(t *testing.T) {
	b := &positioned{top: broker.Position{Epoch: "e", Offset: 2}, known: broker.Position{Epoch: "old", Offset: 1}}
	r := newRig(t, b, nil)
	r.rule.Retention = broker.Retention{Size: 10, TTL: time.Minute}
	first := r.conn(t)
	r.join(t, first, "a")
	<-first.got
	r.Deliver("a", []broker.Message{{Data: []byte("1"), Position: broker.Position{Epoch: "e", Offset: 1}}})
	second := r.conn(t)
	r.join(t, second, "a") // the broker says old, the room is in e
	if got, want := <-second.got, `{"op":"ok","room":"a","epoch":"e","offset":2}`; got != want {
		t.Errorf("the member is told %s, want %s", got, want)
	}
}
