package client_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gohubkit/hubkit/client"
	"github.com/gohubkit/hubkit/protocol"
)

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
