package client_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gohubkit/hubkit/client"
	"github.com/gohubkit/hubkit/protocol"
)

func (p *peer) left(room string, e protocol.Error) {
	p.t.Helper()
	p.send(protocol.AppendLeft(nil, room, &e))
}

func (p *peer) joined(room string, pos client.Position) {
	p.t.Helper()
	p.send(protocol.AppendJoined(nil, protocol.OK{Room: room, Epoch: pos.Epoch, Offset: pos.Offset}))
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

// membership is a server that answers joins and leaves, and takes the client out of the room when it likes.
type membership struct {
	mu sync.Mutex
	in bool
	p  *peer
}

// TestLeftCrossesEverything: left crosses joins, leaves, resumes and reconnects thousands of times. In the end the client has
// a subscription if and only if the server has it in the room, and no subscription was told twice.
func TestLeftCrossesEverything(t *testing.T) {
	s := newServer(t)
	c := newClient(t, s.url)
	r := run(t, c)
	var m membership
	served := make(chan struct{})
	stop := make(chan struct{})
	go func() {
		defer close(served)
		for {
			select {
			case p := <-s.peers:
				m.serve(p)
			case <-stop:
				return
			}
		}
	}()
	const rounds = 4000
	var current *client.Subscription
	var told atomic.Int64
	for i := range rounds {
		over := new(atomic.Bool)
		sub, err := c.Subscribe("r", func(client.Message) {}, client.OnError(func(err error) {
			if _, ok := errors.AsType[*client.LeftError](err); !ok {
				return // refused while the connection went
			}
			if over.Swap(true) {
				t.Error("told twice")
			}
			told.Add(1)
		}))
		if err == nil {
			current = sub
		} else if !errors.Is(err, client.ErrSubscribed) {
			t.Fatal(err)
		}
		switch i % 7 {
		case 0:
			current.Stop()
		case 1, 2:
			m.expel()
		case 3:
			ready(t, current)
			m.expel()
			current.Stop()
		case 4:
			ready(t, current)
			go m.expel()
		case 5:
			if i%5 == 0 {
				m.cut()
			}
		}
	}
	if told.Load() == 0 {
		t.Error("no subscription has heard of its end")
	}
	// Now that nothing is taken away any more, both agree.
	sub, err := c.Subscribe("r", func(client.Message) {})
	if errors.Is(err, client.ErrSubscribed) {
		sub = current
	}
	ready(t, sub)
	deadline := time.Now().Add(patience)
	for {
		m.mu.Lock()
		in := m.in
		m.mu.Unlock()
		_, err := c.Subscribe("r", func(client.Message) {})
		if in && errors.Is(err, client.ErrSubscribed) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the server has the client in the room: %t; Subscribe returns %v", in, err)
		}
		time.Sleep(time.Millisecond)
	}
	r.cancel()
	_ = r.end()
	close(stop)
	<-served
}

func (m *membership) serve(p *peer) {
	hello, err := p.next()
	if err != nil {
		return
	}
	m.mu.Lock()
	m.p, m.in = p, len(hello.Resume) > 0
	p.welcome()
	if m.in {
		p.ok(0, "r", client.Position{})
	}
	m.mu.Unlock()
	for {
		q, err := p.next()
		m.mu.Lock()
		if err != nil {
			m.p, m.in = nil, false
			m.mu.Unlock()
			p.cut()
			return
		}
		m.in = q.Op == protocol.OpJoin
		p.reply(protocol.AppendOK(nil, protocol.OK{ID: q.ID, Room: "r"}))
		m.mu.Unlock()
	}
}

// expel takes the client out of the room, if it is there.
func (m *membership) expel() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.in {
		m.in = false
		m.p.reply(protocol.AppendLeft(nil, "r", &protocol.Error{Code: protocol.CodeRemoved}))
	}
}

func (m *membership) cut() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.p != nil {
		m.p.cut()
	}
}

// TestLeftWhileResuming: the server takes rooms away right after the resume, before it, and not at all.
func TestLeftWhileResuming(t *testing.T) {
	virtual(t, func(t *testing.T, s *server, c *client.Client) {
		ends, onEnd := collect[string](4000)
		run(t, c)
		p, _ := s.greet()
		for i := range 1000 {
			room := fmt.Sprint("r", i)
			sub := subscribe(t, c, room, func(client.Message) {}, client.OnError(func(err error) {
				if e, ok := errors.AsType[*client.LeftError](err); ok {
					onEnd(e.Room)
				}
			}))
			p.cut()
			var hello request
			p, hello = s.greet()
			if len(hello.Resume) != 1 || hello.Resume[0].Room != room {
				t.Fatalf("round %d: hello resumes %v", i, hello.Resume)
			}
			if rand.IntN(2) == 0 {
				p.left(room, protocol.Error{Code: protocol.CodeRemoved})
			}
			p.ok(0, room, at(1))
			ready(t, sub)
			p.left(room, protocol.Error{Code: protocol.CodeRemoved})
			synctest.Wait()
			if got := <-ends; got != room || len(ends) > 0 {
				t.Fatalf("round %d: the end of %s, and %d others", i, got, len(ends))
			}
		}
	}, longHeartbeat)
}
