package client_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/client"
	"github.com/gohubkit/hubkit/protocol"
)

func TestUnsubscribe(t *testing.T) {
	s := newServer(t)
	strays, onStray := collect[client.Message](100)
	c := newClient(t, s.url, client.OnRoomMessage(onStray))
	got, f, onGap := offsets(100)
	sub := subscribe(t, c, "r", f, onGap)
	run(t, c)
	p, _ := s.greet()
	p.ok(0, "r", at(1))
	p.message("r", "0", at(2))
	wantOffsets(t, got, 2)

	if _, err := c.Subscribe("r", f); !errors.Is(err, client.ErrSubscribed) {
		t.Error("second Subscribe returned", err)
	}
	left := make(chan error)
	go func() { left <- sub.Unsubscribe(t.Context()) }()
	leave := p.want(protocol.OpLeave)
	p.message("r", "0", at(3)) // crosses the leave
	p.ok(leave.ID, "r", client.Position{})
	if err := receive(t, left); err != nil {
		t.Error("Unsubscribe returned", err)
	}
	if err := sub.Unsubscribe(t.Context()); err != nil {
		t.Error("second Unsubscribe returned", err)
	}

	// A new subscription of the room gets nothing that was meant for the old one.
	again := subscribe(t, c, "r", f, onGap, client.Since(at(2)))
	join := p.want(protocol.OpJoin)
	if join.Position != at(2) {
		t.Errorf("join from %v", join.Position)
	}
	p.message("r", "0", at(4))
	p.ok(join.ID, "r", at(2))
	p.message("r", "0", at(3))
	wantOffsets(t, got, 3)
	again.Stop()
	p.want(protocol.OpLeave)

	ctx, cancel := context.WithCancel(t.Context())
	third := subscribe(t, c, "r", f)
	p.want(protocol.OpJoin)
	go func() { left <- third.Unsubscribe(ctx) }()
	p.want(protocol.OpLeave)
	cancel()
	if err := receive(t, left); !errors.Is(err, context.Canceled) {
		t.Error("Unsubscribe without an answer returned", err)
	}
	if err := third.Ready(t.Context()); !errors.Is(err, client.ErrClosed) {
		t.Error("Ready returned", err)
	}
	p.cut()
	if _, hello := s.greet(); hello.Resume != nil {
		t.Errorf("hello resumes %v", hello.Resume)
	}
	if len(strays) != 0 || len(got) != 0 {
		t.Errorf("%d stray messages, %d late ones", len(strays), len(got))
	}
}

// TestChangesDuringHandshake has subscriptions come and go between hello and welcome.
func TestChangesDuringHandshake(t *testing.T) {
	s := newServer(t)
	c := newClient(t, s.url)
	old := subscribe(t, c, "old", func(client.Message) {})
	gone := subscribe(t, c, "gone", func(client.Message) {})
	run(t, c)
	p := s.accept()
	p.want(protocol.OpHello)
	gone.Stop()
	if err := old.Unsubscribe(t.Context()); err != nil {
		t.Fatal(err)
	}
	got, f, _ := offsets(10)
	subscribe(t, c, "old", f)
	subscribe(t, c, "new", func(client.Message) {})
	p.welcome()
	p.ok(0, "old", at(3)) // for the subscription that is no more
	p.ok(0, "gone", at(3))
	p.message("old", "0", at(4))
	var ops []string
	for range 4 {
		r := p.read()
		ops = append(ops, fmt.Sprint(r.Op, " ", r.Room))
		if r.Room == "old" && r.Op == protocol.OpJoin {
			p.ok(r.ID, "old", at(4))
			p.message("old", "0", at(5))
		}
	}
	if want := []string{"leave old", "leave gone", "join old", "join new"}; !slices.Equal(ops, want) {
		t.Errorf("client sent %v, want %v", ops, want)
	}
	wantOffsets(t, got, 5)
}

func TestRefusedRooms(t *testing.T) {
	s := newServer(t)
	c := newClient(t, s.url)
	errs, onError := collect[error](10)
	in := subscribe(t, c, "hello", func(client.Message) {}, client.OnError(onError))
	run(t, c)
	p, _ := s.greet()
	p.fail(0, "hello", &protocol.Error{Code: protocol.CodeForbidden, Message: "no"})
	check := func(room string, code protocol.ErrorCode) {
		t.Helper()
		err := receive(t, errs)
		var e *client.RoomError
		if !errors.As(err, &e) || e.Room != room || !errors.Is(err, code) {
			t.Errorf("OnError got %v, want %v for %s", err, code, room)
		}
	}
	check("hello", protocol.CodeForbidden)
	if err := in.Ready(t.Context()); !errors.Is(err, protocol.CodeForbidden) {
		t.Error("Ready returned", err)
	}

	got, f, _ := offsets(10)
	busy := subscribe(t, c, "busy", f, client.OnError(onError))
	j := p.want(protocol.OpJoin)
	p.fail(j.ID, "busy", &protocol.Error{Code: protocol.CodeBusy, RetryAfter: time.Millisecond})
	check("busy", protocol.CodeBusy)
	j = p.want(protocol.OpJoin)
	if j.Room != "busy" {
		t.Errorf("join of %s", j.Room)
	}
	p.ok(j.ID, "busy", at(1))
	p.message("busy", "0", at(2))
	wantOffsets(t, got, 2)
	if err := busy.Ready(t.Context()); !errors.Is(err, protocol.CodeBusy) {
		t.Error("Ready returned", err)
	}

	// Both are tried again with the next connection.
	p.cut()
	p, hello := s.greet()
	if want := []room{{Room: "hello"}, {"busy", at(2)}}; !slices.Equal(hello.Resume, want) {
		t.Errorf("hello resumes %v, want %v", hello.Resume, want)
	}
	p.fail(0, "", &protocol.Error{Code: protocol.CodeRateLimited}) // about nothing known: logged
	p.ok(0, "busy", at(2))
	p.message("busy", "0", at(3))
	wantOffsets(t, got, 3)
}
