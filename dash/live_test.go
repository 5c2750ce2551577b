package dash_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/gohubkit/hubkit/dash"
	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/protocol"
)

// look opens the feed as the page does, and returns the connection and the answer to the join of a room.
func (s *site) look(header http.Header, room string) (*websocket.Conn, string) {
	s.t.Helper()
	d := websocket.Dialer{Subprotocols: []string{protocol.Subprotocol}}
	ws, res, err := d.Dial("ws"+strings.TrimPrefix(s.url, "http")+"live", header)
	if err != nil {
		s.t.Fatal(err)
	}
	_ = res.Body.Close()
	s.t.Cleanup(func() { _ = ws.Close() })
	for _, frame := range []map[string]any{{"op": "hello", "token": "again"}, {"op": "join", "id": 1, "room": room}} {
		if err := ws.WriteJSON(frame); err != nil {
			s.t.Fatal(err)
		}
	}
	await(s.t, ws, "welcome")
	for {
		var frame map[string]any
		if err := ws.ReadJSON(&frame); err != nil {
			s.t.Fatal(err)
		}
		if frame["op"] == "ok" || frame["op"] == "error" {
			return ws, fmt.Sprint(frame["op"], frame["code"])
		}
	}
}

// TestLive: the figures come each second in a room, while somebody is in it. Nobody may publish there, or join another room.
func TestLive(t *testing.T) {
	s := start(t, nil)
	if _, answer := s.look(nil, "other"); answer != "errorforbidden" {
		t.Errorf("join of another room: %s", answer)
	}
	ws, answer := s.look(nil, "nodes")
	if answer != "ok<nil>" {
		t.Fatal(answer)
	}
	var times []float64
	for range 3 {
		data, _ := await(t, ws, "message")["data"].(map[string]any)
		nodes, _ := data["nodes"].([]any)
		if len(nodes) != 1 || nodes[0].(map[string]any)["stats"] == nil {
			t.Fatalf("%v", data)
		}
		times = append(times, data["time_ms"].(float64))
	}
	if times[0] >= times[1] || times[1] >= times[2] {
		t.Errorf("the same figures came twice: %v", times)
	}
	if err := ws.WriteJSON(map[string]any{"op": "publish", "id": 2, "room": "nodes", "data": 1}); err != nil {
		t.Fatal(err)
	}
	if f := await(t, ws, "error"); f["code"] != "forbidden" {
		t.Errorf("%v", f)
	}
	if n := s.hub.Stats().Accepted; n != 0 {
		t.Errorf("the feed counts as %d connections of the hub", n)
	}
}

// TestLiveEndsWithTheRights: an open feed whose request is not allowed any more ends within the time of a check.
func TestLiveEndsWithTheRights(t *testing.T) {
	var out atomic.Bool
	s := start(t, nil, dash.WithAuthorizer(func(r *http.Request) error {
		if out.Load() && r.Header.Get("Cookie") == "who=ada" {
			return hub.ErrUnauthorized
		}
		return r.Context().Err()
	}))
	ada, _ := s.look(http.Header{"Cookie": {"who=ada"}}, "nodes")
	out.Store(true)
	began := time.Now()
	_ = ada.SetReadDeadline(began.Add(30 * time.Second))
	var err error
	for err == nil {
		var frame map[string]any
		if err = ada.ReadJSON(&frame); frame["op"] == "refresh" {
			_ = ada.WriteJSON(map[string]any{"op": "token", "id": 9, "token": "again"})
		}
	}
	if !websocket.IsCloseError(err, int(protocol.CloseTokenExpired)) || time.Since(began) > 20*time.Second {
		t.Errorf("after %v: %v", time.Since(began), err)
	}
}

// TestLiveOrigin: a page of another origin gets no feed with its visitor's login.
func TestLiveOrigin(t *testing.T) {
	s := start(t, nil)
	_, res, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(s.url, "http")+"live", http.Header{"Origin": {"https://evil.example"}})
	if err == nil || res == nil || res.StatusCode != http.StatusForbidden {
		t.Errorf("%v, %v", res, err)
	}
	if res != nil {
		_ = res.Body.Close()
	}
}

// TestTailConn: frames come in both directions, with payloads only if WithFramePayloads allows them: WithPayloads is about rooms.
func TestTailConn(t *testing.T) {
	hidden := start(t, nil, dash.WithPayloads(allowRoom))
	shown := start(t, nil, dash.WithFramePayloads(func(*http.Request, string) error { return nil }))
	for _, s := range []*site{hidden, shown} {
		ctx, cancel := context.WithCancel(t.Context())
		ws := s.join("ada")
		id := connsOf(s, "ada")[0].ID
		status, events := s.tailFrom(ctx, "", "conn", id)
		if status != 200 || <-events != ": tail" {
			t.Fatal(status)
		}
		eventually(t, "the first frame comes", func() bool {
			if err := ws.WriteControl(websocket.PongMessage, nil, time.Now().Add(time.Second)); err != nil {
				t.Fatal(err)
			}
			select {
			case <-events:
				return true
			case <-time.After(50 * time.Millisecond):
				return false
			}
		})
		if err := ws.WriteJSON(map[string]any{"op": "ping", "id": 7}); err != nil {
			t.Fatal(err)
		}
		await(t, ws, "ok")
		in := data(t, events)
		for in["kind"] != "text" {
			in = data(t, events)
		}
		out := data(t, events)
		if in["conn"] != id || in["in"] != true || out["kind"] != "text" || out["in"] != nil || out["bytes"] != float64(len(`{"op":"ok","id":7}`)) {
			t.Errorf("%v, %v", in, out)
		}
		if s == hidden && (in["data"] != nil || out["data"] != nil) || s == shown && fmt.Sprint(in["data"], out["data"]) != "map[id:7 op:ping] map[id:7 op:ok]" {
			t.Errorf("%v, %v", in, out)
		}
		_ = ws.Close()
		eventually(t, "the tail ends", func() bool {
			line, ok := <-events
			return !ok || line == "event: end"
		})
		cancel()
	}
}
