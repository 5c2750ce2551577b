package client_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gohubkit/hubkit/client"
	"github.com/gohubkit/hubkit/protocol"
)

// welcomeWith accepts a connection and welcomes it with limits.
func (s *server) welcomeWith(l protocol.Limits) (*peer, request) {
	s.t.Helper()
	p := s.accept()
	hello := p.want(protocol.OpHello)
	p.send(protocol.AppendWelcome(nil, protocol.Welcome{Conn: "c1", Session: "s1", Limits: l}))
	return p, hello
}

// size is that of the hello as the client has sent it.
func size(q request) int {
	r := protocol.Request{Op: q.Op, Token: []byte(q.Token), Session: []byte(q.Session)}
	for _, res := range q.Resume {
		r.Resume = append(r.Resume, protocol.Resume{Room: []byte(res.Room),
			Position: protocol.Position{Epoch: []byte(res.Position.Epoch), Offset: res.Position.Offset}})
	}
	return len(protocol.AppendRequest(nil, &r))
}

// TestHelloIsSplit: rooms that the hello has no place for are joined from their positions.
func TestHelloIsSplit(t *testing.T) {
	const n = 100
	s := newServer(t)
	c := newClient(t, s.url)
	name := func(i int) string { return fmt.Sprintf("%d:%s", i, strings.Repeat("x", 60)) }
	for i := range n {
		subscribe(t, c, name(i), func(client.Message) {}, client.Since(at(uint64(i))))
	}
	run(t, c)
	for round, tt := range []struct {
		most   int
		limits protocol.Limits // announced in this round
	}{
		{most: 4 << 10, limits: protocol.Limits{Message: 8 << 10}},
		{most: 8 << 10, limits: protocol.Limits{Message: 64 << 10}},
		{most: 64 << 10, limits: protocol.Limits{ByteRate: 1 << 20, ByteBurst: 5000}},
		{most: 2500},
	} {
		p, hello := s.welcomeWith(tt.limits)
		if got := size(hello); got > tt.most || got < tt.most-200 && len(hello.Resume) < n {
			t.Errorf("round %d: the hello has %d bytes with %d rooms, want at most %d and nearly as many", round, got, len(hello.Resume), tt.most)
		}
		for i := range n {
			var got room
			if i < len(hello.Resume) {
				got = hello.Resume[i]
				p.ok(0, got.Room, got.Position)
			} else {
				j := p.want(protocol.OpJoin)
				got = room{j.Room, j.Position}
				p.ok(j.ID, j.Room, j.Position)
			}
			if want := (room{name(i), at(uint64(i))}); got != want {
				t.Fatalf("round %d: room %d is %v, want %v", round, i, got, want)
			}
		}
		p.cut()
	}
}

// TestHelloAboveAnotherLimit: the node that the client comes back to reads less than the one before.
func TestHelloAboveAnotherLimit(t *testing.T) {
	s := newServer(t)
	c := newClient(t, s.url)
	for i := range 3 {
		subscribe(t, c, fmt.Sprint("r", i), func(client.Message) {})
	}
	r := run(t, c)
	p, _ := s.welcomeWith(protocol.Limits{Message: 64 << 10})
	p.cut()
	p = s.accept()
	if hello := p.want(protocol.OpHello); len(hello.Resume) != 3 {
		t.Fatalf("hello resumes %v", hello.Resume)
	}
	p.refuse(protocol.CloseTooBig)
	p = s.accept()
	if hello := p.want(protocol.OpHello); len(hello.Resume) != 0 {
		t.Fatalf("the next hello resumes %v", hello.Resume)
	}
	p.welcome()
	for range 3 {
		p.want(protocol.OpJoin)
	}
	p.cut()
	p = s.accept()
	if hello := p.want(protocol.OpHello); len(hello.Resume) != 3 {
		t.Errorf("the hello after that resumes %v", hello.Resume)
	}
	p.refuse(protocol.CloseTooBig)
	p = s.accept()
	p.want(protocol.OpHello)
	p.refuse(protocol.CloseTooBig) // nothing is left to be taken out
	var e *client.CloseError
	if err := r.end(); !errors.As(err, &e) || e.Code != protocol.CloseTooBig {
		t.Error("Run returned", err)
	}
}

// TestPublicationAboveTheLimit fails alone.
func TestPublicationAboveTheLimit(t *testing.T) {
	s := newServer(t)
	c := newClient(t, s.url)
	var all []*client.Publication
	for i := range 10 {
		data := fmt.Append(nil, i)
		if i == 4 {
			data = []byte(`"` + strings.Repeat("x", 70<<10) + `"`)
		}
		pub, err := c.PublishAsync("r", data)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, pub)
	}
	run(t, c)
	p, _ := s.welcomeWith(protocol.Limits{Message: 64 << 10})
	for i := range 10 {
		if i != 4 {
			q := p.want(protocol.OpPublish)
			if q.Data != fmt.Sprint(i) {
				t.Errorf("publication %d is %s", i, q.Data)
			}
			p.ok(q.ID, "r", client.Position{})
		}
	}
	for i, pub := range all {
		if _, err := pub.Wait(t.Context()); i == 4 != errors.Is(err, protocol.CodeTooLarge) || i != 4 && err != nil {
			t.Errorf("publication %d: %v", i, err)
		}
	}
}

// TestPublicationAboveAnUnknownLimit: a server, or a proxy before it, closes with 1009. The largest request fails, and the
// others go out again.
func TestPublicationAboveAnUnknownLimit(t *testing.T) {
	s := newServer(t)
	c := newClient(t, s.url)
	r := run(t, c)
	p, _ := s.greet()
	publish := func(data string) *client.Publication {
		pub, err := c.PublishAsync("r", []byte(data))
		if err != nil {
			t.Fatal(err)
		}
		p.want(protocol.OpPublish)
		return pub
	}
	small, large, other := publish("1"), publish(`"`+strings.Repeat("x", 1000)+`"`), publish("2")
	p.close(protocol.CloseTooBig, "")
	p, _ = s.greet()
	for _, want := range []string{"1", "2"} {
		q := p.want(protocol.OpPublish)
		if q.Data != want {
			t.Errorf("client sent %s, want %s", q.Data, want)
		}
		p.ok(q.ID, "r", client.Position{})
	}
	var e *client.CloseError
	if _, err := large.Wait(t.Context()); !errors.Is(err, protocol.CodeTooLarge) || !errors.As(err, &e) {
		t.Error("the large publication:", err)
	}
	for _, pub := range []*client.Publication{small, other} {
		if _, err := pub.Wait(t.Context()); err != nil {
			t.Error("a small publication:", err)
		}
	}
	p.close(protocol.CloseTooBig, "") // nothing is to blame
	if err := r.end(); !errors.As(err, &e) || e.Code != protocol.CloseTooBig {
		t.Error("Run returned", err)
	}
}

// TestTooManyRooms: a room beyond the limit is told once, not asked for, and joined when another was left.
func TestTooManyRooms(t *testing.T) {
	for _, announced := range []bool{true, false} {
		t.Run(fmt.Sprint("announced ", announced), func(t *testing.T) {
			s := newServer(t)
			c := newClient(t, s.url)
			errs, onError := collect[error](10)
			var subs []*client.Subscription
			for i := range 4 {
				subs = append(subs, subscribe(t, c, fmt.Sprint("r", i), func(client.Message) {}, client.OnError(onError)))
			}
			run(t, c)
			refused := &protocol.Error{Code: protocol.CodeTooManyRooms}
			p, hello := s.greet()
			if announced {
				p.cut()
				p, _ = s.welcomeWith(protocol.Limits{Rooms: 2})
				p.cut()
				p, hello = s.welcomeWith(protocol.Limits{Rooms: 2})
				if !slices.Equal(hello.Resume, []room{{Room: "r0"}, {Room: "r1"}}) {
					t.Fatalf("hello resumes %v", hello.Resume)
				}
			}
			for i, r := range hello.Resume {
				if i < 2 {
					p.ok(0, r.Room, client.Position{})
				} else {
					p.fail(0, r.Room, refused)
				}
			}
			for _, want := range []string{"r2", "r3"} {
				var e *client.RoomError
				if err := receive(t, errs); !errors.As(err, &e) || e.Room != want || !errors.Is(err, protocol.CodeTooManyRooms) {
					t.Errorf("OnError got %v, want %s", err, want)
				}
			}
			for i, want := range []string{"r2", "r3"} {
				subs[i].Stop()
				p.ok(p.want(protocol.OpLeave).ID, "", client.Position{})
				j := p.want(protocol.OpJoin)
				if j.Room != want {
					t.Errorf("client joins %s, want %s", j.Room, want)
				}
				p.ok(j.ID, j.Room, client.Position{})
			}
			pub, err := c.PublishAsync("r3", []byte("1")) // nothing else was asked for
			if err != nil {
				t.Fatal(err)
			}
			p.ok(p.want(protocol.OpPublish).ID, "r3", client.Position{})
			if _, err := pub.Wait(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}
