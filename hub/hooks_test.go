package hub_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/protocol"
)

// calls notes which hooks were called, in their order.
type calls struct {
	mu   sync.Mutex
	list []string
}

func (c *calls) note(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.list = append(c.list, name)
}

// take returns what was noted since the last time.
func (c *calls) take() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := c.list
	c.list = nil
	return list
}

func (c *calls) expect(t *testing.T, want ...string) {
	t.Helper()
	if got := c.take(); !slices.Equal(got, want) {
		t.Errorf("called %v, want %v", got, want)
	}
}

// TestHooksAddUp: all hooks are called, in the order in which they were added.
func TestHooksAddUp(t *testing.T) {
	var called calls
	s := start(t)
	gone := make(chan struct{})
	for n := range 3 {
		name := func(hook string) string { return fmt.Sprintf("%s%d", hook, n) }
		s.OnHandshake(func(*http.Request, *hub.Conn) error { called.note(name("handshake")); return nil })
		s.OnConnect(func(context.Context, *hub.Conn) error { called.note(name("connect")); return nil })
		s.OnMessage(func(_ context.Context, _ *hub.Conn, m hub.Message) { called.note(name("message") + string(m.Data)) })
		s.OnJoin(func(context.Context, *hub.Conn, string) error { called.note(name("join")); return nil })
		s.OnPublish(func(_ context.Context, _ *hub.Conn, p *hub.Publication) error {
			called.note(name("publish") + string(p.Data))
			p.Data = fmt.Appendf(nil, "%d", n)
			return nil
		})
		s.OnDisconnect(func(context.Context, *hub.Conn, error) {
			called.note(name("disconnect"))
			switch n {
			case 0:
				panic("the first")
			case 1:
				runtime.Goexit()
			}
			close(gone)
		})
	}
	c := s.dial(t)
	c.write(`{"op":"join","id":1,"room":"a"}`)
	c.expect(`{"op":"ok","id":1,"room":"a"}`)
	called.expect(t, "handshake0", "handshake1", "handshake2", "connect0", "connect1", "connect2", "join0", "join1", "join2")
	c.write(`{"op":"publish","room":"a","data":7}`)
	c.expect(`{"op":"message","room":"a","data":2}`)
	called.expect(t, "publish07", "publish10", "publish21")
	c.write(`{"op":"send","data":"x"}`)
	c.alive()
	called.expect(t, `message0"x"`, `message1"x"`, `message2"x"`)
	_ = c.ws.Close()
	receive(t, "the last OnDisconnect", gone)
	called.expect(t, "disconnect0", "disconnect1", "disconnect2")
	if n := s.Stats().Panics; n != 2 {
		t.Errorf("%d panics counted, want a panic and a Goexit", n)
	}
}

// TestAuthorizersAgree: one that refuses is enough, and those after it are not asked.
func TestAuthorizersAgree(t *testing.T) {
	for _, refusing := range []int{0, 1, 2} {
		var called calls
		s := start(t)
		say := func(n int, hook string) error {
			called.note(fmt.Sprintf("%s%d", hook, n))
			if n == refusing {
				return hub.ErrForbidden
			}
			return nil
		}
		var asked []string
		for n := range 3 {
			s.OnJoin(func(context.Context, *hub.Conn, string) error { return say(n, "") })
			s.OnPublish(func(context.Context, *hub.Conn, *hub.Publication) error { return say(n, "") })
			s.OnConnect(func(_ context.Context, c *hub.Conn) error {
				if c.Get("refuse") != "OnConnect" {
					return nil
				}
				return say(n, "")
			})
			if n <= refusing {
				asked = append(asked, fmt.Sprint(n))
			}
		}
		c := s.dial(t)
		for _, op := range []string{`"op":"join"`, `"op":"publish","data":1`} {
			if r := c.ask(`{"id":1,"room":"a",` + op + `}`); r.Code != "forbidden" {
				t.Errorf("%d refuses %s: %+v", refusing, op, r)
			}
			called.expect(t, asked...)
		}
		s.OnHandshake(func(_ *http.Request, c *hub.Conn) error { c.Set("refuse", "OnConnect"); return nil })
		s.dial(t).closed(protocol.CloseForbidden)
		called.expect(t, asked...)
		for n := range 3 {
			s.OnHandshake(func(*http.Request, *hub.Conn) error { return say(n, "") })
		}
		if r := s.refused(t, nil); r.status != http.StatusForbidden {
			t.Errorf("%d refuses the handshake: %+v", refusing, r)
		}
		called.expect(t, asked...)
	}
}

// TestNilHooks: a nil function is reported when it is added. One that was to decide allows nothing.
func TestNilHooks(t *testing.T) {
	var log bytes.Buffer
	s := start(t, hub.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	allow := func(context.Context, *hub.Conn, string) error { return nil }
	s.OnMessage(nil)
	s.OnDisconnect(nil)
	s.OnJoin(allow)
	s.OnJoin(nil)
	s.OnPublish(nil)
	for _, hook := range []string{"OnMessage", "OnDisconnect", "OnJoin", "OnPublish"} {
		if !strings.Contains(log.String(), `"a nil function was added"`) || !strings.Contains(log.String(), "hook="+hook) {
			t.Errorf("%s is not reported: %s", hook, log.String())
		}
	}
	c := s.dial(t)
	c.write(`{"op":"send","data":1}`)
	for _, op := range []string{`"op":"join"`, `"op":"publish","data":1`} {
		if r := c.ask(`{"id":1,"room":"a",` + op + `}`); r.Code != "unavailable" {
			t.Errorf("%s: %+v", op, r)
		}
	}
	s.OnConnect(nil)
	s.dial(t).closed(protocol.CloseTryAgainLater)
	s.OnHandshake(nil)
	if r := s.refused(t, nil); r.status != http.StatusServiceUnavailable {
		t.Errorf("a handshake: %+v", r)
	}
}
