package wsload_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/gohubkit/hubkit/internal/payload"
	"github.com/gohubkit/hubkit/internal/wsload"
)

// serve runs fn for every connection of a test server and returns its address.
func serve(t *testing.T, fn func(*websocket.Conn, *http.Request)) string {
	t.Helper()
	up := websocket.Upgrader{Subprotocols: []string{"test.v1"}}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := up.Upgrade(w, r, nil)
		if err != nil {
			t.Errorf("upgrade: %v", err)
			return
		}
		defer func() { _ = c.Close() }()
		fn(c, r)
	}))
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

func open(t *testing.T, opt wsload.Options) *wsload.Client {
	t.Helper()
	if opt.Path == nil {
		opt.Path = func(int) string { return "/ws" }
	}
	opt.Recorder = func() wsload.Recorder { return new(tally) }
	c, err := wsload.New(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if _, err := c.Open(ctx); err != nil {
		t.Fatal(err)
	}
	return c
}

// await blocks until the client has received n payloads; the test's own deadline is the limit.
func await(t *testing.T, c *wsload.Client, n int64) {
	t.Helper()
	for c.Counts().Messages < n {
		if t.Context().Err() != nil {
			t.Fatalf("%d payloads, want %d", c.Counts().Messages, n)
		}
		time.Sleep(time.Millisecond)
	}
}

// tally counts what is recorded.
type tally struct{ n int64 }

func (t *tally) Record(time.Duration) { t.n++ }

func recorded(c *wsload.Client) (n int64) {
	c.Recorded(func(r wsload.Recorder) { n += r.(*tally).n })
	return n
}

// hold reads until the client is gone.
func hold(c *websocket.Conn) {
	for {
		if _, _, err := c.ReadMessage(); err != nil {
			return
		}
	}
}

func TestCountsPayloadsNotFrames(t *testing.T) {
	one := string(payload.New(64, time.Now().UnixNano()))
	messages := []string{
		"no payload here",
		one,
		one + "\n" + one + "\n" + one,
		`{"op":"message","data":"` + one + `"}`,
		strings.Repeat(one, 10000), // larger than the loop's first buffer
	}
	addr := serve(t, func(c *websocket.Conn, _ *http.Request) {
		for _, m := range messages {
			_ = c.WriteMessage(websocket.TextMessage, []byte(m))
		}
		hold(c)
	})
	c := open(t, wsload.Options{Addr: addr, Conns: 5, Loops: 2})
	want := int64(5 * (1 + 3 + 1 + 10000))
	await(t, c, want)
	if got := recorded(c); got != want {
		t.Errorf("%d latencies, want %d", got, want)
	}
	if got := c.Counts(); got.Ready != 5 || got.Failed != 0 || got.Messages != want {
		t.Errorf("counts %+v", got)
	}
}

// A writer with a small buffer sends a long message in frames that begin and end anywhere.
func TestCountsPayloadsAcrossFrames(t *testing.T) {
	const frames, n = 40, 30
	message := strings.Repeat(string(payload.New(0, 1)), n)
	addr := serve(t, func(c *websocket.Conn, _ *http.Request) {
		for size := 3; size < 3+frames; size++ {
			for at := 0; at < len(message); at += size {
				part := message[at:min(at+size, len(message))]
				head := []byte{0, byte(len(part))}
				if at == 0 {
					head[0] = websocket.TextMessage
				}
				if at+size >= len(message) {
					head[0] |= 0x80
				}
				_, _ = c.NetConn().Write(append(head, part...))
			}
		}
		// A mark in two messages is none.
		_ = c.WriteMessage(websocket.TextMessage, []byte("MS"))
		_ = c.WriteMessage(websocket.TextMessage, []byte("G:"))
		_ = c.WriteMessage(websocket.TextMessage, payload.New(0, 1))
		hold(c)
	})
	c := open(t, wsload.Options{Addr: addr, Conns: 1})
	await(t, c, frames*n+1)
	if got := c.Counts().Messages; got != frames*n+1 {
		t.Errorf("%d payloads, want %d", got, frames*n+1)
	}
}

func TestGreetingAndPings(t *testing.T) {
	addr := serve(t, func(c *websocket.Conn, r *http.Request) {
		if c.Subprotocol() != "test.v1" || r.URL.Query().Get("room") != "r0" {
			t.Errorf("subprotocol %q, URL %v", c.Subprotocol(), r.URL)
		}
		for _, want := range []string{"hello", "join"} {
			if _, m, err := c.ReadMessage(); err != nil || string(m) != want {
				t.Errorf("greeting %q, %v; want %q", m, err, want)
			}
			_ = c.WriteMessage(websocket.TextMessage, []byte("ok"))
		}
		_ = c.WriteMessage(websocket.TextMessage, []byte("{}"))
		if _, m, err := c.ReadMessage(); err != nil || string(m) != "{pong}" {
			t.Errorf("answer to the protocol's ping %q, %v", m, err)
		}
		ponged := false
		c.SetPongHandler(func(s string) error {
			ponged = s == "p"
			return c.WriteMessage(websocket.TextMessage, payload.New(0, 1))
		})
		_ = c.WriteControl(websocket.PingMessage, []byte("p"), time.Now().Add(time.Second))
		hold(c)
		if !ponged {
			t.Error("no pong with the ping's data")
		}
	})
	c := open(t, wsload.Options{
		Addr: addr, Conns: 3, Subprotocol: "test.v1",
		Path:     func(int) string { return "/ws?room=r0" },
		Greeting: func(int) []string { return []string{"hello", "join"} },
		AppPing:  "{}", AppPong: "{pong}",
	})
	await(t, c, 3)
	if n := c.Counts().Pings; n != 3 {
		t.Errorf("%d pings, want 3", n)
	}
}

func TestEchoes(t *testing.T) {
	addr := serve(t, func(c *websocket.Conn, _ *http.Request) {
		for {
			typ, m, err := c.ReadMessage()
			if err != nil {
				return
			}
			if !strings.HasPrefix(string(m), `<MSG:`) || !strings.HasSuffix(string(m), ".>") || len(m) != 66 {
				t.Errorf("echo %q", m)
			}
			_ = c.WriteMessage(typ, m)
		}
	})
	c := open(t, wsload.Options{Addr: addr, Conns: 4, EchoSize: 64, EchoBefore: "<", EchoAfter: ">"})
	c.StartEchoes(1000)
	await(t, c, 1000)
	if got := recorded(c); got != 1000 {
		t.Errorf("%d latencies, want 1000", got)
	}
}

func TestChurn(t *testing.T) {
	addr := serve(t, func(c *websocket.Conn, _ *http.Request) { hold(c) })
	c := open(t, wsload.Options{Addr: addr, Conns: 300, Churn: true, Window: 16})
	if got := c.Counts(); got.Ready != 300 || got.Closed != 300 || got.Failed != 0 {
		t.Errorf("counts %+v", got)
	}
}

func TestRefusal(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	defer s.Close()
	c, err := wsload.New(wsload.Options{
		Addr: strings.TrimPrefix(s.URL, "http://"), Conns: 2,
		Path: func(int) string { return "/ws" },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Open(t.Context()); err == nil || !strings.Contains(err.Error(), "404 Not Found") {
		t.Errorf("Open: %v, want the server's answer", err)
	}
}

func TestOptionsReportEveryFault(t *testing.T) {
	_, err := wsload.New(wsload.Options{Conns: -1, Window: -1, Sources: 254})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"Path", "connections", "Window", "Sources"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not name %s", err, want)
		}
	}
}
