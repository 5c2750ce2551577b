package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/gohubkit/hubkit/hub"
)

// serveHub serves a hub, with all rooms open, and returns its URL.
func serveHub(t *testing.T, opts ...hub.Option) string {
	t.Helper()
	h, err := hub.New(append([]hub.Option{hub.WithOpenRooms("*"), hub.WithDrain(time.Millisecond)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(h)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := h.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		s.Close()
	})
	return webSocketURL(s)
}

func webSocketURL(s *httptest.Server) string { return "ws" + strings.TrimPrefix(s.URL, "http") + "/ws" }

// rawServer is a server that has nothing to do with hubkit.
type rawServer struct {
	// refuse picks the connections, by their number, that are answered with 503.
	refuse func(n int64) bool
	// drop picks the messages, by their number, that are not echoed.
	drop func(n int64) bool
	// twice and swap pick those that are echoed twice, and after the next one.
	twice, swap func(n int64) bool
	// closeAfter is the number of messages after which a connection is closed, once; 0 for never.
	closeAfter int64

	conns, messages, closes atomic.Int64
}

func (s *rawServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if n := s.conns.Add(1); s.refuse != nil && s.refuse(n) {
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	up := websocket.Upgrader{}
	c, err := up.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer func() { _ = c.Close() }()
	var held []byte
	for own := int64(1); ; own++ {
		typ, m, err := c.ReadMessage()
		if err != nil {
			return
		}
		n := s.messages.Add(1)
		switch {
		case s.closeAfter > 0 && own == s.closeAfter && s.closes.Add(1) == 1:
			_ = c.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(1012, `{"retry_after_ms":10,"spread_ms":10}`))
			return
		case s.drop != nil && s.drop(n):
			continue
		case s.swap != nil && s.swap(n) && held == nil:
			held = m
			continue
		}
		_ = c.WriteMessage(typ, m)
		if s.twice != nil && s.twice(n) {
			_ = c.WriteMessage(typ, m)
		}
		if held != nil {
			_ = c.WriteMessage(typ, held)
			held = nil
		}
	}
}

// serveRooms serves rooms: who says "in R" gets what others in R say, two messages in one frame where it can.
func serveRooms(t *testing.T) string {
	t.Helper()
	var mu sync.Mutex
	rooms := map[string][]*websocket.Conn{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		up := websocket.Upgrader{}
		c, err := up.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer func() { _ = c.Close() }()
		room := r.URL.Query().Get("room")
		mu.Lock()
		rooms[room] = append(rooms[room], c)
		mu.Unlock()
		var pair []byte
		for {
			_, m, err := c.ReadMessage()
			if err != nil {
				return
			}
			if string(m) == "hi from "+room {
				continue
			}
			if pair == nil {
				pair = m
				continue
			}
			pair = append(append(pair, '\n'), m...)
			mu.Lock()
			for _, to := range rooms[room] {
				_ = to.WriteMessage(websocket.BinaryMessage, pair)
			}
			mu.Unlock()
			pair = nil
		}
	}))
	t.Cleanup(srv.Close)
	return webSocketURL(srv) + "?room={room}"
}

func serveRaw(t *testing.T, s *rawServer) string {
	t.Helper()
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	return webSocketURL(srv)
}

func every(k int64) func(int64) bool { return func(n int64) bool { return n%k == 0 } }
