package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/client"
	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/protocol"
	"github.com/gohubkit/hubkit/workerpool"
)

type point struct{ X, Y int }

// TestTalk is everything a client can say and hear while the network is well.
func TestTalk(t *testing.T) {
	ctx := start(t)
	sent := make(chan string, 1)
	s := serve(t, func(h *hub.Hub) {
		h.OnMessage(func(_ context.Context, _ *hub.Conn, m hub.Message) { sent <- string(m.Data) })
		must(t, h.Handle("swap", hub.Typed(func(_ context.Context, _ *hub.Conn, p point) (point, error) {
			return point{p.Y, p.X}, nil
		})))
		must(t, h.Handle("fail", func(context.Context, *hub.Conn, []byte) (any, error) {
			return nil, &hub.Error{Code: "out_of_ink", Message: "come back"}
		}))
	})
	direct, stray := make(chan string, 1), make(chan client.Message, 1)
	a := connect(t, s.url(),
		client.OnMessage(func(m client.Message) { direct <- string(m.Data) }),
		client.OnRoomMessage(func(m client.Message) { stray <- m }))
	conn := a.await(ctx, client.Connected).Conn

	points := make(chan client.TypedMessage[point], 10)
	sub, err := client.SubscribeJSON(a.Client, "past:points", func(m client.TypedMessage[point]) { points <- m })
	must(t, err)
	must(t, sub.Ready(ctx))
	for i := range 3 {
		pos, err := a.PublishJSON(ctx, "past:points", point{i, -i})
		must(t, err)
		m := receive(ctx, t, "the message", points)
		if m.Value != (point{i, -i}) || m.Position != pos || pos.Offset != uint64(i+1) {
			t.Errorf("published %d at %v, got %v at %v", i, pos, m.Value, m.Position)
		}
	}
	await(ctx, t, "the position is that of the last message", func() bool { return sub.Position().Offset == 3 })

	got, err := client.CallJSON[point, point](ctx, a.Client, "swap", point{1, 2})
	if err != nil || got != (point{2, 1}) {
		t.Errorf("swap: %v, %v", got, err)
	}
	_, err = client.CallJSON[string, point](ctx, a.Client, "swap", "no point")
	if e := as[*protocol.Error](t, err); e.Code != protocol.CodeBadRequest {
		t.Errorf("swap of a string: %v", err)
	}
	_, err = a.Call(ctx, "fail", nil)
	if e := as[*protocol.Error](t, err); e.Code != "out_of_ink" || e.Message != "come back" {
		t.Errorf("fail: %v", err)
	}
	must(t, a.Send(ctx, []byte(`"hi"`)))
	if got := receive(ctx, t, "the sent data", sent); got != `"hi"` {
		t.Errorf("sent %s", got)
	}

	h, _ := s.current()
	c := s.standing()[0]
	if c.ID() != conn {
		t.Fatalf("the hub calls it %s, the client %s", c.ID(), conn)
	}
	must(t, c.Send([]byte(`"for you"`)))
	if got := receive(ctx, t, "the direct message", direct); got != `"for you"` {
		t.Errorf("got %s", got)
	}
	must(t, c.Join(ctx, "lobby"))
	_, err = h.Publish(ctx, "lobby", []byte(`{"a": 1}`))
	must(t, err)
	want := client.Message{Room: "lobby", Data: json.RawMessage(`{"a": 1}`)}
	if got := receive(ctx, t, "the message of a room that the server joined", stray); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}

	// Who comes later asks for the last two, and leaves again.
	b := connect(t, s.url())
	late := make(chan string, 10)
	bs := b.subscribe(ctx, "past:points", func(m client.Message) { late <- string(m.Data) }, client.Newest(2))
	for _, want := range []string{`{"X":1,"Y":-1}`, `{"X":2,"Y":-2}`} {
		if got := receive(ctx, t, "history", late); got != want {
			t.Errorf("history has %s, want %s", got, want)
		}
	}
	must(t, bs.Unsubscribe(ctx))
	_, err = a.PublishJSON(ctx, "past:points", point{9, 9})
	must(t, err)
	receive(ctx, t, "the message", points)
	must(t, b.Send(ctx, []byte(`0`))) // whatever was to come for b has come
	if len(late) > 0 {
		t.Errorf("after Unsubscribe came %s", <-late)
	}
}

type change struct {
	joined bool
	user   string
}

func TestPresence(t *testing.T) {
	ctx := start(t)
	s := serve(t, nil, hub.WithTokenVerifier(func(_ context.Context, token string) (hub.Identity, error) {
		return hub.Identity{User: token, Info: []byte(`{"status":"here"}`)}, nil
	}))
	as := func(name string) client.Option {
		return client.WithToken(func(context.Context) (string, error) { return name, nil })
	}
	seen := make(chan change, 10)
	ada := connect(t, s.url(), as("ada"))
	ada.subscribe(ctx, "here:1", func(client.Message) {}, client.OnPresence(func(joined bool, m client.Member) {
		if m.User != "ada" { // whether a member hears of its own coming is not defined
			seen <- change{joined, m.User}
		}
	}))
	bob := connect(t, s.url(), as("bob"))
	sub := bob.subscribe(ctx, "here:1", func(client.Message) {})
	if got := receive(ctx, t, "bob's coming", seen); got != (change{true, "bob"}) {
		t.Errorf("got %+v", got)
	}
	p, err := bob.Presence(ctx, "here:1")
	must(t, err)
	if p.Count != 2 || len(p.Members) != 2 || string(p.Members[0].Info) != `{"status":"here"}` {
		t.Errorf("presence is %+v", p)
	}
	must(t, sub.Unsubscribe(ctx))
	if got := receive(ctx, t, "bob's going", seen); got != (change{false, "bob"}) {
		t.Errorf("got %+v", got)
	}
	_, err = bob.Presence(ctx, "here:1")
	if !errors.Is(err, protocol.CodeUnknownRoom) {
		t.Errorf("presence of a room one is not in: %v", err)
	}
	eve := connect(t, s.url(), as("eve"))
	eve.subscribe(ctx, "here:1", func(client.Message) {})
	must(t, eve.Close())
	for _, want := range []change{{true, "eve"}, {false, "eve"}} {
		if got := receive(ctx, t, "eve", seen); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
}

// TestBusy: where the pool is full a heavy call is refused at once, with a time to come back.
func TestBusy(t *testing.T) {
	ctx := start(t)
	pool, err := workerpool.New(workerpool.WithWorkers(1), workerpool.WithQueue(0))
	must(t, err)
	t.Cleanup(func() {
		if err := pool.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	running, finish := make(chan struct{}), make(chan struct{})
	s := serve(t, func(h *hub.Hub) {
		must(t, h.Handle("work", func(context.Context, *hub.Conn, []byte) (any, error) {
			running <- struct{}{}
			<-finish
			return "done", nil
		}, hub.Heavy()))
	}, hub.WithWorkerPool(pool))
	a, b := connect(t, s.url()), connect(t, s.url())
	answer := make(chan error, 1)
	go func() {
		reply, err := a.Call(ctx, "work", nil)
		if err == nil && string(reply) != `"done"` {
			err = errors.New(string(reply))
		}
		answer <- err
	}()
	receive(ctx, t, "work under way", running)

	_, err = b.Call(ctx, "work", nil)
	if e := as[*protocol.Error](t, err); e.Code != protocol.CodeBusy || e.RetryAfter <= 0 || e.RetryAfter > time.Minute {
		t.Errorf("call to a full pool: %v, retry after %v", err, e.RetryAfter)
	}
	must(t, b.Send(ctx, []byte(`"b is not held up"`)))
	close(finish)
	must(t, receive(ctx, t, "the answer", answer))

	go func() { <-running }()
	await(ctx, t, "the pool takes work again", func() bool {
		_, err := b.Call(ctx, "work", nil)
		if err != nil && !errors.Is(err, protocol.CodeBusy) {
			t.Fatal(err)
		}
		return err == nil
	})
}
