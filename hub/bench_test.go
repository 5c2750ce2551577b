package hub_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/broker/memory"
	"github.com/gohubkit/hubkit/hub"
	"github.com/gorilla/websocket"
)

// benchHub is a hub on a real socket, and a way to connect to it.
func benchHub(b *testing.B, opts ...hub.Option) (*hub.Hub, func() *websocket.Conn) {
	b.Helper()
	h, url := benchServer(b, opts...)
	return h, func() *websocket.Conn {
		ws, resp, err := websocket.DefaultDialer.Dial(url, http.Header{})
		if err != nil {
			b.Fatal(err)
		}
		_ = resp.Body.Close()
		b.Cleanup(func() { _ = ws.Close() })
		return ws
	}
}

// benchServer is a hub and its address.
func benchServer(b *testing.B, opts ...hub.Option) (h *hub.Hub, url string) {
	b.Helper()
	opts = append(opts, hub.WithoutRateLimit(), hub.WithBacklog(1<<16, 64<<20),
		hub.WithLogger(slog.New(slog.NewTextHandler(io.Discard, nil))))
	h, err := hub.New(opts...)
	if err != nil {
		b.Fatal(err)
	}
	srv := httptest.NewServer(h)
	b.Cleanup(func() {
		if err := h.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			b.Error(err)
		}
		srv.Close()
	})
	return h, "ws" + strings.TrimPrefix(srv.URL, "http")
}

// BenchmarkEcho is one message there and back on one connection, client included.
func BenchmarkEcho(b *testing.B) {
	h, dial := benchHub(b, hub.WithRaw())
	h.OnMessage(func(_ context.Context, c *hub.Conn, m hub.Message) { _ = c.Send(m.Data) })
	ws := dial()
	payload := []byte(strings.Repeat("x", 128))
	buf := make([]byte, 256)
	b.ReportAllocs()
	for b.Loop() {
		if err := ws.WriteMessage(websocket.TextMessage, payload); err != nil {
			b.Fatal(err)
		}
		_, r, err := ws.NextReader()
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(r, buf[:len(payload)]); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkHandshake is a connection that comes and goes, over a real socket: what it costs the HTTP server, gorilla,
// the hub, and a client that allocates next to nothing.
func BenchmarkHandshake(b *testing.B) {
	for _, kind := range []string{"raw", "plain"} {
		b.Run(kind, func(b *testing.B) {
			opts := []hub.Option{hub.WithAuthenticator(func(*http.Request) (hub.Identity, error) { return hub.Identity{User: "user"}, nil })}
			if kind == "raw" {
				opts = append(opts, hub.WithRaw())
			}
			benchHandshake(b, opts...)
		})
	}
}

func benchHandshake(b *testing.B, opts ...hub.Option) {
	h, url := benchServer(b, opts...)
	addr, err := net.ResolveTCPAddr("tcp", strings.TrimPrefix(url, "ws://"))
	if err != nil {
		b.Fatal(err)
	}
	ended := make(chan struct{})
	h.OnDisconnect(func(context.Context, *hub.Conn, error) { ended <- struct{}{} })
	request := []byte("GET / HTTP/1.1\r\nHost: " + addr.String() + "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
	goodbye := []byte{0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8} // a close frame with 1000, masked with zeros
	buf := make([]byte, 1024)
	b.ReportAllocs()
	for b.Loop() {
		conn, err := net.DialTCP("tcp", nil, addr)
		if err != nil {
			b.Fatal(err)
		}
		if _, err = conn.Write(request); err == nil {
			_, err = conn.Read(buf)
		}
		if err == nil {
			_, err = conn.Write(goodbye)
		}
		if err != nil || !bytes.HasPrefix(buf, []byte("HTTP/1.1 101")) {
			b.Fatalf("%v, %.40q", err, buf)
		}
		<-ended
		_ = conn.Close()
	}
}

// BenchmarkFanout publishes to one room over real sockets that are drained in bulk. An operation is one
// delivery.
func BenchmarkFanout(b *testing.B) {
	for _, protocol := range []string{"raw", "v1", "sse", "sse-gzip"} {
		for _, members := range []int{1, 100, 1000} {
			b.Run(protocol+"/"+strconv.Itoa(members), func(b *testing.B) { benchFanout(b, protocol, members) })
		}
	}
}

func benchFanout(b *testing.B, protocol string, members int) {
	var opts []hub.Option
	switch protocol {
	case "raw":
		opts = append(opts, hub.WithRaw())
	case "sse-gzip":
		opts = append(opts, hub.WithCompression(1, 1))
	}
	h, webSocket := benchHub(b, opts...)
	dial := func() net.Conn { return webSocket().NetConn() }
	if strings.HasPrefix(protocol, "sse") {
		dial = benchStreams(b, h, "/")
	}
	var ready sync.WaitGroup
	ready.Add(members)
	h.OnConnect(func(ctx context.Context, c *hub.Conn) error {
		defer ready.Done()
		return c.Join(ctx, "room")
	})
	for range members {
		go drain(dial())
	}
	ready.Wait()
	payload := []byte(`"` + strings.Repeat("x", 126) + `"`)
	before := h.Stats().Delivered
	b.ReportAllocs()
	b.ResetTimer()
	published := int64(0)
	for done := 0; done < b.N; done += members {
		if _, err := h.Publish(b.Context(), "room", payload); err != nil {
			b.Fatal(err)
		}
		published++
	}
	want := before + published*int64(members)
	for h.Stats().Delivered+h.Stats().Dropped < want {
		// The last pass is under way.
	}
	b.StopTimer()
	if n := h.Stats().Dropped; n != 0 {
		b.Fatalf("%d messages dropped", n)
	}
}

// benchStreams serves a hub's SSE, and returns a way to ask for what path says.
func benchStreams(b *testing.B, h *hub.Hub, path string) func() net.Conn {
	b.Helper()
	srv := httptest.NewServer(h.SSE())
	b.Cleanup(func() {
		_ = h.Close()
		srv.Close()
	})
	addr := srv.Listener.Addr().String()
	return func() net.Conn {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = conn.Close() })
		if _, err := io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: hub.test\r\nAccept-Encoding: gzip\r\n\r\n"); err != nil {
			b.Fatal(err)
		}
		return conn
	}
}

// drain reads until the connection ends.
func drain(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }

// BenchmarkJoinLeave is one connection that joins and leaves a room in which others are.
func BenchmarkJoinLeave(b *testing.B) {
	for _, others := range []int{1, 1000} {
		b.Run(strconv.Itoa(others), func(b *testing.B) {
			h, dial := benchHub(b)
			conns := make(chan *hub.Conn, others+1)
			h.OnConnect(func(ctx context.Context, c *hub.Conn) error {
				defer func() { conns <- c }()
				return c.Join(ctx, "room")
			})
			var last *hub.Conn
			for range others + 1 {
				ws := dial()
				go drain(ws.NetConn())
				last = <-conns
			}
			ctx := context.Background()
			b.ReportAllocs()
			for b.Loop() {
				if err := last.Leave(ctx, "room"); err != nil {
					b.Fatal(err)
				}
				if err := last.Join(ctx, "room"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkPresenceAnswer is one question of a client in a room of 50,000 members that changes between two questions or not.
func BenchmarkPresenceAnswer(b *testing.B) {
	for _, calm := range []bool{true, false} {
		b.Run(fmt.Sprintf("calm=%v", calm), func(b *testing.B) { benchPresence(b, calm) })
	}
}

func benchPresence(b *testing.B, calm bool) {
	m, err := memory.New()
	if err != nil {
		b.Fatal(err)
	}
	_, dial := benchHub(b, hub.WithBroker(m), hub.WithOpenRooms("*"), hub.WithRooms("here", hub.Presence()))
	for i := range 50_000 {
		if err := m.Enter(b.Context(), "here", broker.Member{Conn: fmt.Sprintf("m%05d", i), User: "somebody"}); err != nil {
			b.Fatal(err)
		}
	}
	ws := dial()
	ask := func(request string) {
		if err := ws.WriteMessage(websocket.TextMessage, []byte(request)); err != nil {
			b.Fatal(err)
		}
		for {
			_, p, err := ws.ReadMessage()
			if err != nil {
				b.Fatal(err)
			}
			if bytes.HasPrefix(p, []byte(`{"op":"ok"`)) {
				return
			}
		}
	}
	ask(`{"op":"join","id":1,"room":"here"}`)
	for i := 0; b.Loop(); i++ {
		if !calm {
			if err := m.Enter(b.Context(), "here", broker.Member{Conn: fmt.Sprintf("n%d", i)}); err != nil {
				b.Fatal(err)
			}
		}
		ask(`{"op":"presence","id":2,"room":"here"}`)
	}
}
