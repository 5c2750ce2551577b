package client_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/gohubkit/hubkit/client"
	"github.com/gohubkit/hubkit/protocol"
)

func (p *peer) joined(room string, pos client.Position) {
	p.t.Helper()
	p.send(protocol.AppendJoined(nil, protocol.OK{Room: room, Epoch: pos.Epoch, Offset: pos.Offset}))
}

// TestServerJoin: a room that the server puts the client into goes on over reconnects like one of its own.
func TestServerJoin(t *testing.T) {
	s := newServer(t)
	got, f, onGap := offsets(100)
	joins, onJoin := collect[*client.Subscription](10)
	errs, onError := collect[error](10)
	c := newClient(t, s.url, client.OnServerJoin(onJoin), client.OnRoomMessage(f, onGap, client.OnError(onError)))
	subscribe(t, c, "own", func(client.Message) {})
	run(t, c)
	p, hello := s.greet()
	if hello.Joined != nil {
		t.Errorf("the first hello names %v", hello.Joined)
	}
	p.ok(0, "own", at(1))
	p.joined("user:7", at(41))
	sub := receive(t, joins)
	if sub.Room() != "user:7" || sub.Position() != at(41) {
		t.Errorf("OnServerJoin got room %q at %v", sub.Room(), sub.Position())
	}
	ready(t, sub)
	p.message("user:7", "0", at(42))
	p.message("user:7", "0", at(42)) // twice
	p.message("user:7", "0", at(44)) // a hole
	wantOffsets(t, got, 42, -43, 44)
	p.cut()

	resumed := func(pos client.Position) {
		t.Helper()
		p, hello = s.greet()
		if !slices.Equal(hello.Resume, []room{{"own", at(1)}, {"user:7", pos}}) || !slices.Equal(hello.Joined, []string{"user:7"}) {
			t.Errorf("hello resumes %v, of the server's %v", hello.Resume, hello.Joined)
		}
		p.ok(0, "own", at(1))
	}
	resumed(at(44))
	p.message("user:7", "0", at(45)) // before it is told of the room
	p.joined("user:7", at(44))
	p.message("user:7", "0", at(45))
	wantOffsets(t, got, 45)
	p.cut()

	resumed(at(45))
	p.joined("user:7", at(50)) // not where the client was
	wantOffsets(t, got, -50)   // at once, not with the next message
	p.message("user:7", "0", at(51))
	wantOffsets(t, got, 51)
	p.cut()

	resumed(at(51))
	p.ok(0, "user:7", at(51)) // as servers of before answer
	p.send(protocol.AppendGap(nil, "user:7", "e2", 3))
	p.message("user:7", "0", client.Position{Epoch: "e2", Offset: 4})
	wantOffsets(t, got, -3, 4)
	p.cut()

	resumed(client.Position{Epoch: "e2", Offset: 4})
	p.left("user:7", protocol.Error{Code: protocol.CodeRemoved}) // not joined again
	if err := receive(t, errs); !errors.Is(err, protocol.CodeRemoved) {
		t.Errorf("OnError got %v", err)
	}
	p.joined("user:7", at(60))
	p.message("user:7", "0", at(61))
	wantOffsets(t, got, 61)
	if again := receive(t, joins); again == sub || again.Room() != "user:7" {
		t.Error("the room after its end is the one before")
	}
	if len(joins) > 0 || len(errs) > 0 {
		t.Errorf("OnServerJoin was called %d times too often, OnError %d", len(joins), len(errs))
	}
	p.cut()

	// A server that does not know of such rooms takes them for the client's joins.
	resumed(at(61))
	p.fail(0, "user:7", &protocol.Error{Code: protocol.CodeForbidden})
	var e *client.LeftError
	if err := receive(t, errs); !errors.As(err, &e) || e.Room != "user:7" || e.Code != protocol.CodeForbidden {
		t.Errorf("OnError got %v", err)
	}
	p.cut()
	if _, hello := s.greet(); len(hello.Joined) > 0 {
		t.Errorf("hello names %v", hello.Joined)
	}
}

// TestServerJoinBecomesOwn: a room that the client joins itself is its own from the answer on, and misses nothing until then.
func TestServerJoinBecomesOwn(t *testing.T) {
	s := newServer(t)
	given, f, onGap := offsets(100)
	c := newClient(t, s.url, client.OnRoomMessage(f, onGap))
	run(t, c)
	p, _ := s.greet()
	p.joined("r", at(1))
	p.message("r", "0", at(2))
	wantOffsets(t, given, 2)
	own, g, ownGap := offsets(100)
	sub := subscribe(t, c, "r", g, ownGap)
	join := p.want(protocol.OpJoin)
	p.message("r", "0", at(3))
	p.ok(join.ID, "r", at(3))
	p.message("r", "0", at(4))
	wantOffsets(t, given, 3)
	wantOffsets(t, own, 4)
	brief := subscribe(t, c, "brief", g)
	briefJoin := p.want(protocol.OpJoin)
	p.joined("brief", at(1)) // crosses the join
	p.ok(briefJoin.ID, "brief", at(1))
	ready(t, brief)
	brief.Stop()
	p.ok(p.want(protocol.OpLeave).ID, "brief", client.Position{})
	p.message("brief", "0", at(7))
	p.joined("r", at(4)) // changes nothing
	p.message("r", "0", at(5))
	wantOffsets(t, own, 5)
	p.cut()
	if m := receive(t, given); m != 7 { // no subscription's and no room's that the server has put the client into
		t.Errorf("got offset %d", m)
	}
	p, hello := s.greet()
	if !slices.Equal(hello.Resume, []room{{"r", at(5)}}) || hello.Joined != nil {
		t.Errorf("hello resumes %v, of the server's %v", hello.Resume, hello.Joined)
	}
	p.joined("r", at(5)) // in place of ok
	p.message("r", "0", at(6))
	wantOffsets(t, own, 6)
	sub.Stop()
	leave := p.want(protocol.OpLeave)
	p.joined("r", at(6)) // crosses the leave, and ends with it
	p.message("r", "0", at(7))
	p.ok(leave.ID, "r", client.Position{})
	p.cut()
	if _, hello := s.greet(); hello.Resume != nil || len(given) > 0 || len(own) > 0 {
		t.Errorf("hello resumes %v; %d messages and %d", hello.Resume, len(given), len(own))
	}
}

// TestServerJoinUnsubscribed: the client can leave a room that it was put into.
func TestServerJoinUnsubscribed(t *testing.T) {
	s := newServer(t)
	joins, onJoin := collect[*client.Subscription](10)
	c := newClient(t, s.url, client.OnServerJoin(onJoin))
	run(t, c)
	p, _ := s.greet()
	p.joined("r", at(1))
	sub := receive(t, joins)
	done := make(chan error, 1)
	go func() { done <- sub.Unsubscribe(t.Context()) }()
	leave := p.want(protocol.OpLeave)
	p.message("r", "0", at(2))
	p.ok(leave.ID, "r", client.Position{})
	if err := receive(t, done); err != nil {
		t.Error(err)
	}
	p.cut()
	if _, hello := s.greet(); hello.Resume != nil {
		t.Errorf("hello resumes %v", hello.Resume)
	}
}

// TestServerJoinsThatNobodyAskedFor cost nothing: not even a place in the hello.
func TestServerJoinsThatNobodyAskedFor(t *testing.T) {
	s := newServer(t)
	states, onState := collect[client.State](10)
	run(t, newClient(t, s.url, client.OnState(onState)))
	p, _ := s.greet()
	p.joined("r", at(1))
	p.joined("", at(1))
	p.send([]byte(`{"op":"joined","room":"a\u0000b"}`))
	p.send(protocol.AppendStale(nil))
	awaitStatus(t, states, client.Stale)
	p.cut()
	if _, hello := s.greet(); hello.Resume != nil {
		t.Errorf("hello resumes %v", hello.Resume)
	}
}
