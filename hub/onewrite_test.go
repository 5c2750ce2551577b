package hub_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/broker/memory"
	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/protocol"
	"github.com/gorilla/websocket"
)

// piped is a client on a pipe, where one read takes one write.
type piped struct {
	t  *testing.T
	ws *websocket.Conn
}

func (s timed) piped(t *testing.T) piped {
	t.Helper()
	d := websocket.Dialer{NetDialContext: s.net.dial, Subprotocols: []string{protocol.Subprotocol}}
	ws, resp, err := d.Dial("ws://memory/", nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	return piped{t, ws}
}

// write sends frames in one packet.
func (p piped) write(frames ...string) {
	p.t.Helper()
	p.writeRaw(packet(frames...))
}

// packet is frames of a client whose mask is zero.
func packet(frames ...string) (out []byte) {
	for _, f := range frames {
		out = append(out, 0x81)
		if len(f) < 126 {
			out = append(out, 0x80|byte(len(f)))
		} else {
			out = append(out, 0x80|126, byte(len(f)>>8), byte(len(f)))
		}
		out = append(append(out, 0, 0, 0, 0), f...)
	}
	return out
}

// writeRaw writes when the hub is done with what came before: while something waits for the socket nothing gathers.
func (p piped) writeRaw(raw []byte) {
	p.t.Helper()
	synctest.Wait()
	if _, err := p.ws.NetConn().Write(raw); err != nil {
		p.t.Fatal(err)
	}
}

// read takes one write, and returns what its frames are about.
func (p piped) read() (ops []string) {
	p.t.Helper()
	buf := make([]byte, 64<<10)
	n, err := p.ws.NetConn().Read(buf)
	if err != nil {
		p.t.Fatal(err)
	}
	for buf = buf[:n]; len(buf) > 0; {
		size, at := int(buf[1]), 2
		if size == 126 {
			size, at = int(buf[2])<<8|int(buf[3]), 4
		}
		var r reply
		if err := json.Unmarshal(buf[at:at+size], &r); err != nil {
			p.t.Fatal(err)
		}
		ops, buf = append(ops, strings.TrimSpace(r.Op+" "+r.Room)), buf[at+size:]
	}
	return ops
}

func (p piped) expect(want ...string) {
	p.t.Helper()
	if got := p.read(); fmt.Sprint(got) != fmt.Sprint(want) {
		p.t.Errorf("one write has %q, want %q", got, want)
	}
}

// beside makes a member that is in all rooms already, so that the node is subscribed to them.
func (s timed) beside(t *testing.T, rooms ...string) piped {
	t.Helper()
	p := s.piped(t)
	p.write(`{"op":"hello"}`)
	p.expect("welcome")
	for _, r := range rooms {
		p.write(`{"op":"join","id":1,"room":"` + r + `"}`)
		p.expect("ok " + r)
	}
	return p
}

// TestConnectIsOneWrite: the welcome and the answers to what the client joins with its hello go out together.
func TestConnectIsOneWrite(t *testing.T) {
	const hello = `{"op":"hello","id":1,"resume":[{"room":"a"},{"room":"b"}]}`
	synctest.Test(t, func(t *testing.T) {
		s, stop := startTimed(t, hub.WithOpenRooms("*"))
		defer stop()
		other := s.beside(t, "a", "b")
		defer func() { _ = other.ws.Close() }()
		p := s.piped(t)
		defer func() { _ = p.ws.Close() }()

		p.write(hello)
		p.expect("welcome", "ok a", "ok b")

		// So do the answers to joins of one packet, behind a hello and later.
		q := s.piped(t)
		defer func() { _ = q.ws.Close() }()
		q.write(`{"op":"hello"}`, `{"op":"join","id":1,"room":"a"}`, `{"op":"join","id":2,"room":"b"}`)
		q.expect("welcome", "ok a", "ok b")
		q.write(`{"op":"leave","room":"a"}`, `{"op":"leave","room":"b"}`, `{"op":"join","id":3,"room":"a"}`, `{"op":"join","id":4,"room":"b"}`)
		q.expect("ok a", "ok b")
		q.write(`{"op":"ping","id":5}`)
		q.expect("ok")

		// Frames that ask for nothing hold nothing back.
		for _, last := range [][]byte{
			{0x8a, 0x80, 0, 0, 0, 0}, // a pong
			packet(`{"op":"leave","room":"a"}`),
		} {
			r := s.piped(t)
			r.writeRaw(append(packet(hello), last...))
			r.expect("welcome", "ok a", "ok b")
			_ = r.ws.Close()
		}
	})
}

// slow is a broker that takes its time to subscribe to room b, and to read it.
type slow struct {
	*memory.Broker
	subscribe, read func()
}

func (b *slow) Subscribe(ctx context.Context, rooms ...string) error {
	if b.subscribe != nil && slices.Contains(rooms, "b") {
		b.subscribe()
	}
	return b.Broker.Subscribe(ctx, rooms...)
}

func (b *slow) Read(ctx context.Context, room string, q broker.Query) (broker.Page, error) {
	if b.read != nil && room == "b" {
		b.read()
	}
	return b.Broker.Read(ctx, room, q)
}

// TestConnectHoldsNothingBack: before anything that may take its time, the client is sent what there is to tell it so far.
func TestConnectHoldsNothingBack(t *testing.T) {
	for name, c := range map[string]struct {
		set    func(h *hub.Hub, b *slow, wait func())
		closed bool // the rooms have an authorizer
		before [][]string
		after  [][]string
	}{
		"OnConnect": {
			set: func(h *hub.Hub, _ *slow, wait func()) {
				h.OnConnect(func(context.Context, *hub.Conn) error { wait(); return nil })
			},
			before: [][]string{{"welcome"}}, after: [][]string{{"ok a"}, {"ok b"}},
		},
		"OnJoin": {
			set: func(h *hub.Hub, _ *slow, wait func()) {
				h.OnJoin(func(_ context.Context, _ *hub.Conn, room string) error {
					if room == "b" {
						wait()
					}
					return nil
				})
			},
			closed: true, before: [][]string{{"welcome"}, {"ok a"}}, after: [][]string{{"ok b"}},
		},
		"subscribing": {
			set:    func(_ *hub.Hub, b *slow, wait func()) { b.subscribe = wait },
			before: [][]string{{"welcome", "ok a"}}, after: [][]string{{"ok b"}},
		},
		"reading": {
			set:    func(_ *hub.Hub, b *slow, wait func()) { b.read = wait },
			before: [][]string{{"welcome", "ok a"}}, after: [][]string{{"ok b"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m, err := memory.New()
				if err != nil {
					t.Fatal(err)
				}
				b := &slow{Broker: m}
				opts := []hub.Option{hub.WithBroker(b), hub.WithRooms("b", hub.DefaultHistory())}
				if !c.closed {
					opts = append(opts, hub.WithOpenRooms("*"))
				}
				s, stop := startTimed(t, opts...)
				defer stop()
				if !c.closed {
					other := s.beside(t, "a")
					defer func() { _ = other.ws.Close() }()
				}
				told := make(chan struct{})
				c.set(s.Hub, b, func() { <-told })
				p := s.piped(t)
				defer func() { _ = p.ws.Close() }()
				p.write(`{"op":"hello","resume":[{"room":"a"},{"room":"b"}]}`)
				for _, want := range c.before {
					p.expect(want...)
				}
				close(told)
				for _, want := range c.after {
					p.expect(want...)
				}
			})
		})
	}
}

// TestConnectWithHalfAFrame: the answers do not wait for the rest of a frame that has begun.
func TestConnectWithHalfAFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, stop := startTimed(t, hub.WithOpenRooms("*"))
		defer stop()
		p := s.piped(t)
		defer func() { _ = p.ws.Close() }()
		join := packet(`{"op":"join","id":1,"room":"a"}`)
		p.writeRaw(append(packet(`{"op":"hello"}`), join[:10]...))
		p.expect("welcome")
		p.writeRaw(join[10:])
		p.expect("ok a")
	})
}
