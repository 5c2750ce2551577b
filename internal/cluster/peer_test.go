package cluster_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/gohubkit/hubkit/protocol"
)

// frame is any frame from a hub.
type frame struct {
	Op, Room, Epoch, Code, Conn, Node string
	ID, Offset                        uint64
	Data                              json.RawMessage
}

func (f frame) String() string {
	text, err := json.Marshal(f)
	return fmt.Sprint(string(text), err)
}

// peer is a plain client: it keeps all it hears.
type peer struct {
	t  testing.TB
	ws *websocket.Conn

	mu      sync.Mutex
	heard   []frame
	end     error
	changed chan struct{} // closed, and made anew, whenever something comes
	lastID  uint64
}

// dial connects to a node as a user and returns when welcomed.
func dial(t testing.TB, n *node, user string) *peer {
	t.Helper()
	p := dialAddr(t, n.at(), user)
	if p.await("a welcome", op("welcome")).Node != n.name {
		t.Errorf("welcomed by another node than %s", n.name)
	}
	return p
}

func dialAddr(t testing.TB, addr, user string, subprotocols ...string) *peer {
	t.Helper()
	d := websocket.Dialer{HandshakeTimeout: patience, Subprotocols: subprotocols}
	who := url.Values{"user": {user}}
	if user != "" {
		who.Set("name", user) // as examples/chat calls it
	}
	ws, res, err := d.DialContext(t.Context(), "ws://"+addr+"/ws?"+who.Encode(), nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	p := &peer{t: t, ws: ws, changed: make(chan struct{})}
	var reading sync.WaitGroup
	reading.Go(p.read)
	t.Cleanup(func() {
		_ = ws.Close()
		reading.Wait()
	})
	return p
}

// joined is dial and join.
func joined(t testing.TB, n *node, user string, rooms ...string) *peer {
	t.Helper()
	p := dial(t, n, user)
	for _, r := range rooms {
		p.join(r)
	}
	return p
}

func (p *peer) read() {
	for {
		var f frame
		err := p.ws.ReadJSON(&f)
		p.mu.Lock()
		if p.end = err; err == nil {
			p.heard = append(p.heard, f)
		}
		close(p.changed)
		p.changed = make(chan struct{})
		p.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (p *peer) write(format string, args ...any) {
	p.t.Helper()
	if err := p.ws.WriteMessage(websocket.TextMessage, fmt.Appendf(nil, format, args...)); err != nil {
		p.t.Fatal(err)
	}
}

// request sends a request, given without its id, and returns the answer.
func (p *peer) request(fields string) frame {
	p.t.Helper()
	p.lastID++
	id := p.lastID
	p.write(`{"id":%d,%s}`, id, fields)
	return p.await("an answer to "+fields, func(f frame) bool { return f.ID == id })
}

func (p *peer) join(room string) frame {
	p.t.Helper()
	f := p.request(`"op":"join","room":"` + room + `"`)
	if f.Op != "ok" {
		p.t.Fatalf("join %s: %v", room, f)
	}
	return f
}

func (p *peer) leave(room string) {
	p.t.Helper()
	if f := p.request(`"op":"leave","room":"` + room + `"`); f.Op != "ok" {
		p.t.Fatalf("leave %s: %v", room, f)
	}
}

// frames returns what was heard and picked so far.
func (p *peer) frames(pick func(frame) bool) (out []frame) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, f := range p.heard {
		if pick(f) {
			out = append(out, f)
		}
	}
	return out
}

// await returns the first frame picked, of all that ever came.
func (p *peer) await(what string, pick func(frame) bool) frame {
	p.t.Helper()
	return p.awaitN(1, what, pick)[0]
}

// awaitN waits until so many frames were picked, and returns them.
func (p *peer) awaitN(n int, what string, pick func(frame) bool) []frame {
	p.t.Helper()
	deadline := time.After(patience)
	for {
		p.mu.Lock()
		changed, end := p.changed, p.end
		p.mu.Unlock()
		if got := p.frames(pick); len(got) >= n {
			return got
		}
		if end != nil {
			p.t.Fatalf("waiting for %s: the connection has ended with %v", what, end)
		}
		select {
		case <-changed:
		case <-deadline:
			p.t.Fatalf("waited in vain for %s; heard:\n%s", what, p.all())
		}
	}
}

func (p *peer) all() string {
	var b strings.Builder
	for _, f := range p.frames(func(frame) bool { return true }) {
		fmt.Fprintln(&b, f)
	}
	return b.String()
}

// closed waits for the end and wants it to come with a code.
func (p *peer) closed(code protocol.CloseCode) {
	p.t.Helper()
	eventually(p.t, "the end of the connection", func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.end != nil
	})
	var ce *websocket.CloseError
	if !errors.As(p.end, &ce) || ce.Code != int(code) {
		p.t.Errorf("the connection ended with %v, want %v", p.end, code)
	}
}

// sync makes sure that what the server sent before now was heard.
func (p *peer) sync() {
	p.t.Helper()
	p.request(`"op":"ping"`)
}

func op(op string) func(frame) bool { return func(f frame) bool { return f.Op == op } }

func message(room string) func(frame) bool {
	return func(f frame) bool { return f.Op == "message" && f.Room == room }
}

func saying(room, data string) func(frame) bool {
	return func(f frame) bool { return message(room)(f) && string(f.Data) == data }
}

// presence picks the coming or going of a user.
func presence(what, room, user string) func(frame) bool {
	return func(f frame) bool {
		var m protocol.Member
		return f.Op == what && f.Room == room && json.Unmarshal(f.Data, &m) == nil && m.User == user
	}
}
