package hub_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/protocol"
	"github.com/gorilla/websocket"
)

// connTailing is a TailConn in a goroutine.
type connTailing struct {
	got chan hub.TailedFrame
	err chan error
}

// tailConn returns when the TailConn is shown what the client sends, and forgets what it was shown so far. pong has the client send a
// pong that nobody asked for, which is not answered.
func tailConn(ctx context.Context, t *testing.T, s *server, id string, pong func()) *connTailing {
	t.Helper()
	tl := &connTailing{got: make(chan hub.TailedFrame, 10000), err: make(chan error, 1)}
	go func() { tl.err <- s.TailConn(ctx, id, func(f hub.TailedFrame) { tl.got <- f }) }()
	for shown := false; !shown; {
		pong()
		select {
		case f := <-tl.got:
			shown = f.Opcode == websocket.PongMessage
		case err := <-tl.err:
			t.Fatal(err)
		case <-time.After(20 * time.Millisecond):
		}
	}
	return tl
}

func (tl *connTailing) next(t *testing.T) hub.TailedFrame {
	t.Helper()
	for {
		select {
		case f := <-tl.got:
			if f.Opcode == websocket.PongMessage && f.In { // a late one of tailConn
				continue
			}
			return f
		case <-time.After(patience):
			t.Fatal("nothing comes")
		}
	}
}

func (c *client) pong() {
	if err := c.ws.WriteControl(websocket.PongMessage, nil, time.Now().Add(patience)); err != nil {
		c.t.Fatal(err)
	}
}

// TestTailConn: all that a client is sent, and all that it sends, is shown in its order, with the bytes that the client has at its end.
func TestTailConn(t *testing.T) {
	for _, kind := range []struct {
		name string
		opts []hub.Option
		cbor bool
	}{
		{name: "JSON"},
		{name: "CBOR", cbor: true},
		{name: "compressed", opts: []hub.Option{hub.WithCompression(1, 1)}},
		{name: "slow paths", opts: []hub.Option{hub.WithoutFastPaths(hub.FastPathPoller, hub.FastPathUring)}},
	} {
		t.Run(kind.name, func(t *testing.T) {
			s := start(t, append(kind.opts, hub.WithOpenRooms("*"), hub.WithoutRateLimit(), hub.WithRooms("kept", hub.History(100, time.Hour)),
				hub.WithCloseTimeout(patience))...)
			s.cbor = kind.cbor
			d := s.dialer()
			d.EnableCompression = kind.name == "compressed"
			c, other := s.connectWith(t, d, nil), s.dial(t)
			c.welcomed()
			tl := tailConn(t.Context(), t, s, c.id, c.pong)
			second := tailConn(t.Context(), t, s, c.id, c.pong)

			var sent, received [][]byte
			ask := func(frame string) {
				_, p := c.encoded(frame)
				sent = append(sent, p)
				c.write(frame)
			}
			// read reads what the client gets, up to a frame that has what.
			read := func(what string) {
				t.Helper()
				for {
					if err := c.ws.SetReadDeadline(time.Now().Add(patience)); err != nil {
						t.Fatal(err)
					}
					_, p, err := c.ws.ReadMessage()
					if err != nil {
						t.Fatal(err)
					}
					received = append(received, p)
					if bytes.Contains(p, []byte(what)) {
						return
					}
				}
			}
			for i, room := range []string{"r", "kept"} {
				if r := other.ask(fmt.Sprintf(`{"op":"join","id":%d,"room":%q}`, i+1, room)); r.Op != "ok" {
					t.Fatalf("%+v", r)
				}
				ask(fmt.Sprintf(`{"op":"join","id":%d,"room":%q}`, i+1, room))
				await(t, "both are in "+room, func() bool { return s.Room(room).Members == 2 })
			}
			for i := range 50 {
				for _, room := range []string{"r", "kept"} {
					if _, err := s.Publish(t.Context(), room, fmt.Appendf(nil, `"%s %d %s"`, room, i, strings.Repeat("x", i*20))); err != nil {
						t.Fatal(err)
					}
				}
				ask(fmt.Sprintf(`{"op":"ping","id":%d}`, 10+i))
			}
			ask(`{"op":"history","id":100,"room":"kept","limit":10}`)
			if err := s.Conn(c.id).Send([]byte(`"the last"`)); err != nil {
				t.Fatal(err)
			}
			ask(`{"op":"publish","id":101,"room":"r","data":"bye"}`)
			read("bye")
			for _, tail := range []*connTailing{tl, second} {
				var in, out [][]byte
				for len(in) < len(sent) || len(out) < len(received) {
					f := tail.next(t)
					switch {
					case f.Missed != 0 || f.Secret || time.Since(f.Time) > time.Minute || f.Opcode != websocket.TextMessage && !kind.cbor || f.Opcode != websocket.BinaryMessage && kind.cbor:
						t.Fatalf("%+v", f)
					case f.In:
						in = append(in, f.Data)
					default:
						out = append(out, f.Data)
					}
				}
				same(t, "in", in, sent)
				same(t, "out", out, received)
			}

			// The end: what the hub says, what the client answers, and no more.
			if err := s.Conn(c.id).Close(protocol.CloseReconnect, "enough"); err != nil {
				t.Fatal(err)
			}
			for err := error(nil); err == nil; { // which answers
				_, _, err = c.ws.ReadMessage()
			}
			if err := receive(t, "the end", tl.err); err != nil {
				t.Error(err)
			}
			closes := 0
			for len(tl.got) > 0 {
				if f := <-tl.got; f.Opcode == websocket.CloseMessage && (f.In || bytes.Contains(f.Data, []byte("enough"))) {
					closes++
				}
			}
			if closes != 2 {
				t.Errorf("%d close frames are shown", closes)
			}
		})
	}
}

func same(t *testing.T, what string, got, want [][]byte) {
	t.Helper()
	for i := range min(len(got), len(want)) {
		if !bytes.Equal(got[i], want[i]) {
			t.Fatalf("%s, frame %d: %q is shown, want %q", what, i, got[i], want[i])
		}
	}
	if len(got) != len(want) {
		t.Fatalf("%s: %d frames are shown, want %d", what, len(got), len(want))
	}
}

// TestTailConnSlow: a slow function is told how many frames it has missed, and delays nobody.
func TestTailConnSlow(t *testing.T) {
	s := start(t, hub.WithOpenRooms("*"), hub.WithoutRateLimit())
	c := s.dial(t)
	const pings = 1000
	var got, missed atomic.Int64
	began, goOn, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- s.TailConn(t.Context(), c.id, func(f hub.TailedFrame) {
			if got.Add(1) == 1 {
				close(began)
				<-goOn
			}
			missed.Add(f.Missed)
		})
	}()
	for waiting := true; waiting; {
		c.pong()
		select {
		case <-began:
			waiting = false
		case <-time.After(20 * time.Millisecond):
		}
	}
	ping := func() {
		t.Helper()
		if r := c.ask(`{"op":"ping","id":1}`); r.Op != "ok" {
			t.Fatalf("%+v", r)
		}
	}
	for range pings {
		ping()
	}
	shown := got.Load()
	close(goOn)
	// What was missed is told with the next frame.
	await(t, "it is told what it missed", func() bool { ping(); return missed.Load() > 0 })
	if got := got.Load(); shown != 1 || missed.Load() < 2*pings-256 || got+missed.Load() < 2*pings {
		t.Errorf("%d frames shown during the delay, then %d shown and %d missed of at least %d", shown, got, missed.Load(), 2*pings)
	}
	_ = c.ws.Close()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestTailConnSecret: a token is marked, and so is what cannot be read.
func TestTailConnSecret(t *testing.T) {
	s := start(t, hub.WithTokenVerifier(func(context.Context, string) (hub.Identity, error) { return hub.Identity{User: "ada"}, nil }))
	c := s.dialV1(t, `{"op":"hello","token":"t1"}`)
	tl := tailConn(t.Context(), t, s, c.id, c.pong)
	for _, q := range []struct {
		frame  string
		secret bool
	}{{`{"op":"token","id":1,"token":"t2"}`, true}, {`{"op":"ping","id":2}`, false}, {`{"op":"token","token":"t3"`, true}} {
		c.write(q.frame)
		f := tl.next(t)
		for !f.In {
			f = tl.next(t)
		}
		if f.Secret != q.secret || string(f.Data) != q.frame {
			t.Errorf("%s: %+v", q.frame, f)
		}
	}
}

func TestTailConnEnds(t *testing.T) {
	s := start(t)
	if err := s.TailConn(t.Context(), "nobody", nil); !errors.Is(err, hub.ErrNoConn) {
		t.Error(err)
	}
	c := s.dial(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	tl, second := tailConn(ctx, t, s, c.id, c.pong), tailConn(t.Context(), t, s, c.id, c.pong)
	cancel()
	if err := <-tl.err; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	c.ask(`{"op":"ping","id":1}`)
	if f := second.next(t); !f.In || !strings.Contains(string(f.Data), "ping") {
		t.Errorf("%+v", f)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-second.err; err != nil && !errors.Is(err, hub.ErrClosed) {
		t.Error(err)
	}
	if err := s.TailConn(t.Context(), c.id, nil); !errors.Is(err, hub.ErrClosed) {
		t.Error(err)
	}
}
