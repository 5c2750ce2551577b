package hub_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/hub"
)

// apart is a broker whose other nodes go on while it is lost: their members join and leave unheard.
type apart struct{ *outage }

// heard is the hub as the broker tells it, unless the broker is lost.
type heard struct {
	broker.Receiver
	b *outage
}

func (a apart) Start(ctx context.Context, node string, r broker.Receiver) error {
	if err := a.outage.Start(ctx, node, heard{r, a.outage}); err != nil {
		return err
	}
	a.receiver = r
	return nil
}

func (h heard) PresenceChanged(room string, m broker.Member, joined bool) {
	if !h.b.down.Load() {
		h.Receiver.PresenceChanged(room, m, joined)
	}
}

func (a apart) Members(ctx context.Context, room string, limit int) ([]broker.Member, error) {
	if err := a.unavailable(); err != nil {
		return nil, err
	}
	return a.Broker.Members(ctx, room, limit)
}

func (a apart) Count(ctx context.Context, room string) (int, error) {
	if err := a.unavailable(); err != nil {
		return 0, err
	}
	return a.Broker.Count(ctx, room)
}

// TestPresenceAfterOutage: joins and leaves of other nodes are lost with the broker. When it is back, each member of a room with
// presence is told that its list is no longer right, and its question is answered with the list that is.
func TestPresenceAfterOutage(t *testing.T) {
	b := apart{newOutage(t)}
	s := start(t, hub.WithBroker(b), hub.WithOpenRooms("*"), hub.WithRooms("here", hub.Presence()))
	c := s.dial(t)
	c.enter("here")
	c.ask(`{"op":"join","id":2,"room":"without presence"}`)
	elsewhere := func(conn string) {
		t.Helper()
		if err := b.Enter(t.Context(), "here", broker.Member{Conn: conn}); err != nil {
			t.Fatal(err)
		}
	}
	elsewhere("early")
	if got := c.nextAfter(`{"op":"ping"}`, `{"op":"join","room":"here","data":{"conn":"`+c.id); got != `{"op":"join","room":"here","data":{"conn":"early"}}` {
		t.Fatalf("got %s, want the join of a member of another node", got)
	}
	for round := range 2 { // it may be lost again
		late := fmt.Sprintf("late%d", round)
		b.lose()
		c.expect(`{"op":"stale"}`)
		elsewhere(late)
		if err := b.Leave(t.Context(), "here", "early"); err != nil {
			t.Fatal(err)
		}
		if r := c.ask(`{"op":"presence","id":3,"room":"here"}`); r.Op != "error" || r.ID != 3 || r.Code != "unavailable" {
			t.Errorf("asked for members while the broker is lost: %+v", r)
		}

		b.restore()
		var ops []string
		for range 2 { // in either order
			frame := c.next()
			var r struct {
				Op, Room string
				Data     map[string]any
				Spread   int `json:"spread_ms"`
			}
			if err := json.Unmarshal([]byte(frame), &r); err != nil {
				t.Fatal(err)
			}
			ops = append(ops, r.Op)
			if r.Op == "presence" && (r.Room != "here" || len(r.Data) != 0 || r.Spread <= 0) {
				t.Errorf("got %s, want no count, as the server does not know it, and a spread", frame)
			}
		}
		if slices.Sort(ops); !slices.Equal(ops, []string{"live", "presence"}) {
			t.Errorf("after the broker came back the client got %q", ops)
		}
		r := c.ask(`{"op":"presence","id":4,"room":"here"}`)
		var list struct{ Members []struct{ Conn string } }
		if err := json.Unmarshal(r.Data, &list); err != nil {
			t.Fatalf("%+v: %v", r, err)
		}
		var conns []string
		for _, m := range list.Members {
			conns = append(conns, m.Conn)
		}
		if !slices.Contains(conns, c.id) || !slices.Contains(conns, late) || slices.Contains(conns, "early") {
			t.Errorf("members after the outage: %q", conns)
		}
		elsewhere(late + "r") // events follow the answer
		c.expect(`{"op":"join","room":"here","data":{"conn":"` + late + `r"}}`)
	}
}
