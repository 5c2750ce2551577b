//go:build !race

package hub_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/gohubkit/hubkit/hub"
)

// TestTracerUnusedAllocatesNothing: without a Tracer a publication and a request allocate what they did before there were Tracers.
// A change of these numbers is an allocation more, or fewer, for every message. The race detector empties pools, so it has no part here.
func TestTracerUnusedAllocatesNothing(t *testing.T) {
	h, err := hub.New(hub.WithoutRateLimit(), hub.WithOpenRooms("*"), hub.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Handle("m", func(context.Context, *hub.Conn, []byte) (any, error) { return nil, nil }); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(h)
	t.Cleanup(func() {
		_ = h.Close()
		srv.Close()
	})
	ws, resp, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(srv.URL, "http"), http.Header{})
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	t.Cleanup(func() { _ = ws.Close() })
	if _, _, err := ws.ReadMessage(); err != nil { // the welcome
		t.Fatal(err)
	}
	conn := ws.NetConn()
	ask := func(request []byte, answer []byte) {
		if _, err := conn.Write(request); err != nil {
			t.Fatal(err)
		}
		hears(t, conn, answer)
	}
	ask(masked(finBit|textFrame, `{"op":"join","id":1,"room":"full"}`), make([]byte, len("..")+len(`{"op":"ok","id":1,"room":"full"}`)))

	data := []byte(`{"a":1}`)
	publish := func(room string) {
		if _, err := h.Publish(context.Background(), room, data); err != nil {
			t.Fatal(err)
		}
	}
	message := make([]byte, len("..")+len(`{"op":"message","room":"full","data":{"a":1}}`))
	call, called := masked(finBit|textFrame, `{"op":"call","id":1,"method":"m"}`), make([]byte, len("..")+len(`{"op":"ok","id":1}`))
	sent, taken := masked(finBit|textFrame, `{"op":"publish","id":1,"room":"empty","data":1}`), make([]byte, len("..")+len(`{"op":"ok","id":1,"room":"empty"}`))
	for name, c := range map[string]struct {
		most float64
		do   func()
	}{
		"a publication nobody gets":   {0, func() { publish("empty") }},
		"a publication to a member":   {2, func() { publish("full"); hears(t, conn, message) }},
		"a call of a client":          {0, func() { ask(call, called) }},
		"a publication of a client's": {4, func() { ask(sent, taken) }},
	} {
		for range 100 { // pools fill
			c.do()
		}
		if n := testing.AllocsPerRun(1000, c.do); n > c.most {
			t.Errorf("%s: %v allocations, %v before", name, n, c.most)
		}
	}
}

func hears(t *testing.T, conn net.Conn, into []byte) {
	t.Helper()
	if _, err := io.ReadFull(conn, into); err != nil {
		t.Fatal(err)
	}
}
