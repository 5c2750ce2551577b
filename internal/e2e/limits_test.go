package e2e_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/gohubkit/hubkit/client"
	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/protocol"
)

// TestManyRoomsAndALowRate: a client in far more rooms than the rate lets in at once gets into all of them, and its queued
// publications are answered, over one connection.
func TestManyRoomsAndALowRate(t *testing.T) {
	const rooms, pubs = 300, 100
	ctx := start(t)
	s := serve(t, nil, hub.WithRateLimit(200, 40), hub.WithMaxRooms(rooms+1))
	n := newNetwork(t, s)
	u := newUser(t, n.url())
	var got [rooms]atomic.Int32
	var all []*client.Publication
	for i := range rooms {
		room := fmt.Sprint("past:", i)
		sub, err := u.Subscribe(room, func(client.Message) { got[i].Add(1) }, client.OnError(func(err error) { t.Error(err) }))
		must(t, err)
		u.subs[room] = sub
	}
	publish := func() {
		for range pubs {
			p, err := u.PublishAsync("past:log", fmt.Append(nil, len(all)+1))
			must(t, err)
			all = append(all, p)
		}
	}
	check := func(round int32) {
		t.Helper()
		for room, sub := range u.subs {
			must(t, sub.Ready(ctx))
			_, err := s.publish(ctx, room, "1", "")
			must(t, err)
		}
		await(ctx, t, "every room brings its message", func() bool {
			for i := range got {
				if got[i].Load() != round {
					return false
				}
			}
			return true
		})
		must(t, u.Flush(ctx))
	}
	publish()
	u.run()
	u.await(ctx, client.Connected)
	check(1)
	publish()
	n.setDown(true)
	u.await(ctx, client.Disconnected)
	n.setDown(false)
	u.await(ctx, client.Connected)
	check(2)
	for len(u.states) > 0 {
		if st := <-u.states; st.Status == client.Disconnected {
			t.Errorf("disconnected by %v", st.Err)
		}
	}
	if page := s.stored(ctx, "past:log"); page.Top.Offset != uint64(len(all)) {
		t.Errorf("%d publications are stored, want %d", page.Top.Offset, len(all))
	}
	for i, p := range all {
		if _, err := p.Wait(ctx); err != nil {
			t.Errorf("publication %d: %v", i, err)
		}
	}
	h, _ := s.current()
	if n := h.Stats().Limited; n != 0 {
		t.Errorf("%d messages were beyond the rate", n)
	}
}

// TestResumeAboveTheMessageLimit: a client comes back to more rooms than a message has place for.
func TestResumeAboveTheMessageLimit(t *testing.T) {
	const rooms = 100
	ctx := start(t)
	s := serve(t, nil, hub.WithMaxMessage(2<<10), hub.WithMaxRooms(rooms))
	n := newNetwork(t, s)
	u := connect(t, n.url())
	got := make(chan string, 1000)
	name := func(i int) string { return fmt.Sprintf("past:%d:%s", i, strings.Repeat("x", 60)) }
	for i := range rooms {
		u.subscribe(ctx, name(i), func(m client.Message) { got <- m.Room + " " + string(m.Data) }, client.OnGap(func(g client.Gap) { t.Errorf("%+v", g) }))
	}
	publish := func(data string) {
		for i := range rooms {
			_, err := s.publish(ctx, name(i), data, "")
			must(t, err)
		}
	}
	want := func(data string) {
		t.Helper()
		seen := make(map[string]bool)
		for range rooms {
			seen[receive(ctx, t, "a message", got)] = true
		}
		for i := range rooms {
			if !seen[name(i)+" "+data] {
				t.Errorf("room %d did not bring %s", i, data)
			}
		}
	}
	publish("1")
	want("1")
	n.setDown(true)
	u.await(ctx, client.Disconnected)
	publish("2") // meanwhile
	n.setDown(false)
	want("2")
	publish("3")
	want("3")
}

// TestPublicationAboveTheMessageLimit fails alone, on the first connection as on others.
func TestPublicationAboveTheMessageLimit(t *testing.T) {
	ctx := start(t)
	s := serve(t, nil)
	u := newUser(t, s.url())
	var all []*client.Publication
	for i := range 10 {
		data := fmt.Append(nil, i)
		if i == 4 {
			data = []byte(`"` + strings.Repeat("x", 70<<10) + `"`)
		}
		p, err := u.PublishAsync("past:log", data)
		must(t, err)
		all = append(all, p)
	}
	u.run()
	for i, p := range all {
		if _, err := p.Wait(ctx); (i == 4) != errors.Is(err, protocol.CodeTooLarge) || i != 4 && err != nil {
			t.Errorf("publication %d: %v", i, err)
		}
	}
	if page := s.stored(ctx, "past:log"); page.Top.Offset != 9 {
		t.Errorf("%d are stored, want 9", page.Top.Offset)
	}
}

// TestMessagesAboveTheReadLimit: a client that takes less than others publish goes on behind it, also when it comes back
// to it.
func TestMessagesAboveTheReadLimit(t *testing.T) {
	for _, opts := range [][]client.Option{nil, {client.WithCompression()}} {
		ctx := start(t)
		s := serve(t, nil, hub.WithCompression(1, 1))
		n := newNetwork(t, s)
		u := connect(t, n.url(), append(opts, client.WithReadLimit(4<<10))...)
		got := make(chan string, 100)
		u.subscribe(ctx, "past:1", func(m client.Message) { got <- string(m.Data) },
			client.OnGap(func(g client.Gap) { got <- fmt.Sprint("gap ", g.To.Offset-g.From.Offset) }))
		publish := func(data ...string) {
			for _, d := range data {
				_, err := s.publish(ctx, "past:1", d, "")
				must(t, err)
			}
		}
		want := func(what ...string) {
			t.Helper()
			for _, w := range what {
				if m := receive(ctx, t, w, got); m != w {
					t.Fatalf("got %s, want %s", m, w)
				}
			}
		}
		large := `"` + strings.Repeat("x", 10_000) + `"`
		publish("1", large, "2", large, large, "3")
		want("1", "gap 1", "2", "gap 1", "gap 1", "3")
		n.setDown(true)
		publish("4", large, "5")
		n.setDown(false)
		want("4", "gap 1", "5")
	}
}

// TestRoomsBeyondTheLimit are joined when others are left.
func TestRoomsBeyondTheLimit(t *testing.T) {
	ctx := start(t)
	s := serve(t, nil, hub.WithMaxRooms(3))
	u := connect(t, s.url())
	refused := make(chan string, 10)
	var subs []*client.Subscription
	for i := range 5 {
		sub, err := u.Subscribe(fmt.Sprint("past:", i), func(client.Message) {}, client.OnError(func(err error) {
			refused <- as[*client.RoomError](t, err).Room
		}))
		must(t, err)
		subs = append(subs, sub)
	}
	for _, want := range []string{"past:3", "past:4"} {
		if room := receive(ctx, t, "a refusal", refused); room != want {
			t.Errorf("%s is refused, want %s", room, want)
		}
	}
	for i, want := range []string{"past:3", "past:4"} {
		must(t, subs[i].Unsubscribe(ctx))
		await(ctx, t, want+" is joined", func() bool {
			for _, c := range s.standing() {
				if slices.Contains(c.Rooms(), want) {
					return true
				}
			}
			return false
		})
	}
}
