package hub_test

import (
	"context"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"unsafe"
	"weak"

	"github.com/gohubkit/hubkit/hub"
)

// cookie is a long text of which a part names something. gone reports whether it has left memory.
func cookie(name string) (part string, gone func() bool) {
	text := name + strings.Repeat("x", 1<<16)
	p := weak.Make(unsafe.StringData(text))
	return text[:len(name)], func() bool {
		runtime.GC()
		return p.Value() == nil
	}
}

// TestNoRequestIsKept: the names that a connection keeps do not hold the cookie or the URL that they are part of.
func TestNoRequestIsKept(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		gone := make(map[string]func() bool)
		var user, room string
		user, gone["user"] = cookie("ada")
		room, gone["room"] = cookie("news")
		s := tr.start(t, hub.WithAuthenticator(func(*http.Request) (hub.Identity, error) {
			defer func() { user = "" }()
			return hub.Identity{User: user}, nil
		}))
		conns := make(chan *hub.Conn, 1)
		s.OnConnect(func(ctx context.Context, c *hub.Conn) error {
			defer func() { room = "" }()
			defer func() { conns <- c }()
			return c.Join(ctx, room)
		})
		s.dial(t)
		c := receive(t, "the connection", conns)
		for what, gone := range gone {
			await(t, "the request's text of the "+what+" is gone", gone)
		}
		if got := c.Identity().User; got != "ada" {
			t.Errorf("the user is %q", got)
		}
		if got := c.Rooms(); len(got) != 1 || got[0] != "news" {
			t.Errorf("the rooms are %q", got)
		}
	})
}

// TestNoStreamRequestIsKept is TestNoRequestIsKept for an event stream, whose URL names rooms and its session. Over HTTP/2 package
// http keeps the request as long as the stream is open.
func TestNoStreamRequestIsKept(t *testing.T) {
	overEachWay(t, func(t *testing.T, w way, compressed bool) {
		if w.two {
			return
		}
		var gone func() bool
		p := w.start(t, hub.WithOpenRooms("*"), hub.WithCompression(1, 1))
		conns := make(chan *hub.Conn, 1)
		p.server.OnHandshake(func(r *http.Request, _ *hub.Conn) error {
			text := weak.Make(unsafe.StringData(r.URL.RawQuery))
			gone = func() bool {
				runtime.GC()
				return text.Value() == nil
			}
			return nil
		})
		p.server.OnConnect(func(_ context.Context, c *hub.Conn) error {
			conns <- c
			return nil
		})
		e := p.open("room=news&session=a-session-of-its-own", encoding(compressed))
		e.named("joined")
		c := receive(t, "the connection", conns)
		await(t, "the request's URL is gone", gone)
		if got := c.Rooms(); len(got) != 1 || got[0] != "news" {
			t.Errorf("the rooms are %q", got)
		}
	})
}
