package client_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/client"
	"github.com/gohubkit/hubkit/protocol"
)

func (p *peer) left(room string, e protocol.Error) {
	p.t.Helper()
	p.send(protocol.AppendLeft(nil, room, &e))
}

// TestLeft: what came before is delivered, then the subscription ends with an error that says so. A reconnect does not bring the
// room back; subscribing again does.
func TestLeft(t *testing.T) {
	s := newServer(t)
	c := newClient(t, s.url)
	events, event := collect[string](10)
	message := func(m client.Message) { event(string(m.Data)) }
	errs, onError := collect[error](10)
	sub := subscribe(t, c, "r", message, client.OnError(func(err error) { event("left"); onError(err) }))
	subscribe(t, c, "quiet", message)
	run(t, c)
	p, _ := s.greet()
	p.left("r", protocol.Error{Code: protocol.CodeRemoved}) // about another time
	p.ok(0, "r", at(1))
	p.ok(0, "quiet", at(1))
	p.message("r", "2", at(2))
	p.left("r", protocol.Error{Code: protocol.CodeRemoved, Message: "no longer a member"})
	p.left("r", protocol.Error{Code: protocol.CodeExpired})
	p.left("elsewhere", protocol.Error{Code: protocol.CodeRemoved})
	p.message("r", "3", at(3))
	p.send(protocol.AppendGap(nil, "r", "e1", 9))
	p.left("quiet", protocol.Error{Code: "of_the_application"}) // logged
	p.message("quiet", "2", at(2))
	for _, want := range []string{"2", "left"} {
		if got := receive(t, events); got != want {
			t.Errorf("event is %q, want %q", got, want)
		}
	}
	var e *client.LeftError
	err := receive(t, errs)
	if !errors.As(err, &e) || *e != (client.LeftError{Room: "r", Code: protocol.CodeRemoved, Message: "no longer a member"}) ||
		!errors.Is(err, protocol.CodeRemoved) {
		t.Errorf("OnError got %v", err)
	}
	// The old subscriptions have nothing to do with the new one.
	subscribe(t, c, "r", message, client.Since(sub.Position()))
	join := p.want(protocol.OpJoin)
	if join.Room != "r" || join.Position != at(2) {
		t.Errorf("join is %+v", join)
	}
	if err := sub.Unsubscribe(t.Context()); err != nil { // it has ended
		t.Error(err)
	}
	p.ok(join.ID, "r", at(2))
	p.message("r", "4", at(3))
	if got := receive(t, events); got != "4" {
		t.Errorf("event is %q, want 4", got)
	}
	p.left("r", protocol.Error{Code: protocol.CodeExpired})
	for deadline := time.Now().Add(patience); subscribeErr(c, "r") != nil; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the subscription does not end")
		}
	}
	p.want(protocol.OpJoin)
	p.cut()
	_, hello := s.greet()
	if !slices.Equal(hello.Resume, []room{{"r", client.Position{}}}) {
		t.Errorf("hello resumes %v", hello.Resume)
	}
	if len(events) > 0 {
		t.Errorf("there is another event: %q", <-events)
	}
}

func subscribeErr(c *client.Client, room string) error {
	_, err := c.Subscribe(room, func(client.Message) {})
	return err
}

// TestUnsubscribeAfterLeft: a subscription that has ended, and has not heard of it yet, does not end the next one of its room.
func TestUnsubscribeAfterLeft(t *testing.T) {
	s := newServer(t)
	c := newClient(t, s.url)
	inside, goOn := make(chan struct{}), make(chan struct{})
	old := subscribe(t, c, "r", func(client.Message) { inside <- struct{}{}; <-goOn },
		client.OnError(func(err error) { t.Error("OnError got", err) }))
	run(t, c)
	p, _ := s.greet()
	p.ok(0, "r", at(1))
	p.message("r", "0", at(2))
	receive(t, inside)
	p.left("r", protocol.Error{Code: protocol.CodeRemoved})
	got, f, _ := offsets(10)
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		_, err := c.Subscribe("r", f)
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	join := p.want(protocol.OpJoin)
	if err := old.Unsubscribe(t.Context()); err != nil {
		t.Error(err)
	}
	close(goOn)
	p.ok(join.ID, "r", at(2))
	p.message("r", "0", at(3))
	wantOffsets(t, got, 3)
	if err := subscribeErr(c, "r"); !errors.Is(err, client.ErrSubscribed) {
		t.Error("Subscribe returned", err)
	}
	if err := publishErr(c, "r"); err != nil {
		t.Error(err)
	}
	p.want(protocol.OpPublish) // and no leave before it
}

// TestLeftForNow: the client joins again by itself, from its position, and the application need not know.
func TestLeftForNow(t *testing.T) {
	got, f, onGap := offsets(100)
	virtual(t, func(t *testing.T, s *server, c *client.Client) {
		subscribe(t, c, "r", f, onGap, client.OnError(func(err error) { t.Error("OnError got", err) }))
		run(t, c)
		p, _ := s.greet()
		frames, _ := p.listen(true)
		p.ok(0, "r", at(1))
		p.message("r", "0", at(2))
		start := time.Now()
		p.left("r", protocol.Error{Code: protocol.CodeUnavailable, RetryAfter: 10 * time.Second})
		p.message("r", "0", at(3)) // of no stay
		q := <-frames
		if d := time.Since(start); q.Op != protocol.OpJoin || q.Position != at(2) || d < 10*time.Second || d > 20*time.Second {
			t.Errorf("after %v client sent %+v", d, q)
		}
		p.ok(q.ID, "r", at(2))
		p.message("r", "0", at(3))
		wantOffsets(t, got, 2, 3)
	}, longHeartbeat)
}

// TestLeftFreesAPlace: a room that was one too many is joined when the server takes the client out of another.
func TestLeftFreesAPlace(t *testing.T) {
	s := newServer(t)
	c := newClient(t, s.url)
	first := subscribe(t, c, "first", func(client.Message) {})
	second := subscribe(t, c, "second", func(client.Message) {})
	run(t, c)
	p, _ := s.greet()
	p.ok(0, "first", at(1))
	p.fail(0, "second", &protocol.Error{Code: protocol.CodeTooManyRooms})
	ready(t, first)
	if err := second.Ready(t.Context()); !errors.Is(err, protocol.CodeTooManyRooms) {
		t.Errorf("Ready returned %v", err)
	}
	p.left("first", protocol.Error{Code: protocol.CodeRemoved})
	if q := p.want(protocol.OpJoin); q.Room != "second" {
		t.Errorf("client joins %q", q.Room)
	}
}

// TestReadOnly: a publish in a room that the client may only read fails at once, as long as that holds.
func TestReadOnly(t *testing.T) {
	s := newServer(t)
	token, _ := counting()
	c := newClient(t, s.url, client.OnRoomMessage(func(client.Message) {}), client.WithToken(token))
	rooms := []string{"left", "again", "cut"}
	for _, room := range rooms {
		subscribe(t, c, room, func(client.Message) {})
	}
	run(t, c)
	p, _ := s.greet()
	for _, room := range rooms {
		p.send(protocol.AppendOK(nil, protocol.OK{Room: room, ReadOnly: true}))
	}
	p.send(protocol.AppendJoined(nil, protocol.OK{Room: "given", ReadOnly: true}))
	p.refresh("") // no frame of a room: what is before it has been read when the token comes
	p.want(protocol.OpToken)
	for _, room := range append(rooms, "given") {
		if _, err := c.Publish(t.Context(), room, []byte("1")); !errors.Is(err, protocol.CodeForbidden) {
			t.Errorf("Publish in %s returned %v", room, err)
		}
	}
	if _, err := c.PublishAsync("other", []byte("1")); err != nil {
		t.Error(err)
	}
	p.left("left", protocol.Error{Code: protocol.CodeRemoved})
	p.ok(0, "again", client.Position{})
	allowed := func(room string) {
		t.Helper()
		for deadline := time.Now().Add(patience); publishErr(c, room) != nil; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("the client may not publish in %s", room)
			}
		}
	}
	allowed("left")
	allowed("again")
	if err := publishErr(c, "cut"); !errors.Is(err, protocol.CodeForbidden) {
		t.Errorf("PublishAsync returned %v", err)
	}
	p.cut()
	allowed("cut") // it waits, and the next server decides
}

func publishErr(c *client.Client, room string) error {
	_, err := c.PublishAsync(room, []byte("1"))
	return err
}
