package wsload_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/gohubkit/hubkit/internal/wsload"
)

// events tells what a Handler is told, in order.
type events chan string

func (e events) Opened(i int, subprotocol string) { e <- fmt.Sprintf("%d opened %s", i, subprotocol) }
func (e events) Message(i int, data []byte)       { e <- fmt.Sprintf("%d message %s", i, data) }
func (e events) Pong(i int, data []byte)          { e <- fmt.Sprintf("%d pong %s", i, data) }
func (e events) Closed(i int, err error) {
	if refused, ok := errors.AsType[*wsload.RefusedError](err); ok {
		e <- fmt.Sprintf("%d refused %d %s", i, refused.Status, refused.RetryAfter)
		return
	}
	if closed, ok := errors.AsType[*wsload.CloseError](err); ok {
		e <- fmt.Sprintf("%d closed %d %s", i, closed.Code, closed.Reason)
		return
	}
	e <- fmt.Sprintf("%d gone", i)
}

func (e events) expect(t *testing.T, want string) {
	t.Helper()
	select {
	case got := <-e:
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	case <-time.After(10 * time.Second):
		t.Fatalf("nothing came, want %q", want)
	}
}

func drive(t *testing.T, addr string) (*wsload.Client, events) {
	t.Helper()
	told := make(events, 16)
	c, err := wsload.New(wsload.Options{
		Addr: addr, Conns: 10, Loops: 2, Subprotocol: "test.v1", Host: "example.com",
		Header:  http.Header{"X-Test": {"a", "b"}},
		Path:    func(int) string { return "/ws?x=1" },
		Local:   func(i int) netip.Addr { return netip.AddrFrom4([4]byte{127, 0, 0, byte(100 + i)}) },
		Handler: told,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, told
}

func dial(c *wsload.Client, told events, i int) {
	c.Do(i%2, func() {
		if err := c.Dial(i); err != nil {
			told.Closed(i, err)
		}
	})
}

func TestHandler(t *testing.T) {
	addr := serve(t, func(c *websocket.Conn, r *http.Request) {
		if r.Host != "example.com" || len(r.Header["X-Test"]) != 2 || !strings.HasPrefix(r.RemoteAddr, "127.0.0.103:") {
			t.Errorf("Host %q, header %v, from %s", r.Host, r.Header, r.RemoteAddr)
		}
		for {
			typ, m, err := c.ReadMessage()
			if err != nil {
				return
			}
			switch string(m) {
			case "in pieces":
				_, _ = c.NetConn().Write([]byte("\x01\x02he\x00\x01l\x80\x02lo"))
			case "bye":
				_ = c.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(4001, "slow"))
			default:
				_ = c.WriteMessage(typ, m)
			}
		}
	})
	c, told := drive(t, addr)
	send := func(op wsload.Op, text string) { c.Do(1, func() { c.Send(3, op, []byte(text)) }) }
	send(wsload.Text, "nobody is there yet")
	dial(c, told, 3)
	told.expect(t, "3 opened test.v1")
	send(wsload.Text, "one")
	told.expect(t, "3 message one")
	send(wsload.Binary, "in pieces")
	told.expect(t, "3 message hello")
	send(wsload.Ping, "12345678")
	told.expect(t, "3 pong 12345678")
	send(wsload.Text, "bye")
	told.expect(t, "3 closed 4001 slow")

	// Hung up on, it is silent, and may be dialed again.
	dial(c, told, 3)
	told.expect(t, "3 opened test.v1")
	c.Do(1, func() {
		c.Send(3, wsload.Text, []byte("unheard"))
		c.Hangup(3, websocket.CloseNormalClosure)
		c.Hangup(3, websocket.CloseNormalClosure)
	})
	dial(c, told, 3)
	told.expect(t, "3 opened test.v1")
	send(wsload.Text, "heard")
	told.expect(t, "3 message heard")
}

func TestHandlerIsToldOfRefusals(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	c, told := drive(t, strings.TrimPrefix(s.URL, "http://"))
	dial(c, told, 4)
	told.expect(t, "4 refused 503 7")
	s.Close()
	dial(c, told, 4)
	told.expect(t, "4 gone")
	if n := c.Sockets(); n != 0 {
		t.Errorf("%d sockets are open", n)
	}
}

// Each Dial asks anew where to.
func TestServer(t *testing.T) {
	greet := func(name string) string {
		return serve(t, func(c *websocket.Conn, _ *http.Request) {
			_ = c.WriteMessage(websocket.TextMessage, []byte(name))
			_ = c.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(1012, "go"))
			_, _, _ = c.ReadMessage()
		})
	}
	servers := []string{greet("first"), greet("second")}
	told, dials := make(events, 16), 0
	c, err := wsload.New(wsload.Options{
		Addr: servers[0], Conns: 1, Handler: told,
		Path: func(int) string { return "/ws" },
		Server: func(int) netip.AddrPort {
			dials++
			return netip.MustParseAddrPort(servers[dials-1])
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	for _, name := range []string{"first", "second"} {
		c.Do(0, func() {
			if err := c.Dial(0); err != nil {
				told.Closed(0, err)
			}
		})
		told.expect(t, "0 opened ")
		told.expect(t, "0 message "+name)
		told.expect(t, "0 closed 1012 go")
	}
}
