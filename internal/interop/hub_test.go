package interop_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/internal/interop"
	"github.com/gohubkit/hubkit/protocol"
)

// patience is how long a test waits for what must come.
const patience = 30 * time.Second

// live is a hub behind an HTTP server, for foreign clients to talk to.
type live struct {
	*hub.Hub
	url  string
	gone chan ending // what OnDisconnect was told
}

// ending is the end of a connection.
type ending struct {
	conn string
	err  error
}

// serveHub serves a hub with the rooms past:* with history, here:* with presence, and others, all of them
// open.
func serveHub(t *testing.T, opts ...hub.Option) *live {
	t.Helper()
	h, err := hub.New(append([]hub.Option{
		hub.WithNode("n1"),
		hub.WithLogger(slog.New(slog.DiscardHandler)),
		hub.WithOpenRooms("*"),
		hub.WithRooms("past:*", hub.History(100, time.Hour)),
		hub.WithRooms("here:*", hub.Presence()),
	}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	l := &live{Hub: h, gone: make(chan ending, 100)}
	h.OnDisconnect(func(_ context.Context, c *hub.Conn, err error) { l.gone <- ending{c.ID(), err} })
	server := httptest.NewUnstartedServer(h)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.Config.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		// What the kernel keeps is little, so that a peer that does not read is soon noticed.
		if err := c.(*net.TCPConn).SetWriteBuffer(64 << 10); err != nil {
			t.Error(err)
		}
		return ctx
	}
	server.Start()
	l.url = "ws" + strings.TrimPrefix(server.URL, "http")
	t.Cleanup(func() {
		if err := h.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Errorf("Close: %v", err)
		}
		server.Close()
	})
	return l
}

// publish publishes from the server's side and returns the position.
func (l *live) publish(t *testing.T, room, data string) (epoch string, offset uint64) {
	t.Helper()
	res, err := l.Publish(t.Context(), room, []byte(data))
	must(t, err)
	return res.Position.Epoch, res.Position.Offset
}

// ended waits for the end of a connection.
func (l *live) ended(t *testing.T, conn string) error {
	t.Helper()
	select {
	case e := <-l.gone:
		if e.conn != conn {
			t.Fatalf("%s has ended (%v), want %s", e.conn, e.err, conn)
		}
		return e.err
	case <-time.After(patience):
		t.Fatalf("the hub has not noticed the end of %s", conn)
		return nil
	}
}

// speaker is a peer that speaks the protocol.
type speaker struct {
	*interop.Peer
	t   *testing.T
	ctx context.Context
	id  string // of the connection
}

// overHub runs a scenario over every implementation, each with a hub of its own.
func overHub(t *testing.T, scenario func(t *testing.T, l *live, s *speaker), opts ...hub.Option) {
	for _, impl := range interop.Implementations() {
		t.Run(impl.Name, func(t *testing.T) {
			l := serveHub(t, opts...)
			scenario(t, l, speak(t, impl))
		})
	}
}

func speak(t *testing.T, impl interop.Implementation) *speaker {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return &speaker{Peer: impl.Start(t), t: t, ctx: ctx}
}

// plain connects a plain client.
func (s *speaker) plain(l *live) {
	s.t.Helper()
	if e := connect(s.ctx, s.t, s.Peer, l.url, interop.Request{}); e.Subprotocol != "" {
		s.t.Fatalf("subprotocol %q, want none", e.Subprotocol)
	}
	s.welcomed()
}

// hello connects a client of the subprotocol and sends its first frame.
func (s *speaker) hello(l *live, frame string) reply {
	s.t.Helper()
	e := connect(s.ctx, s.t, s.Peer, l.url, interop.Request{Subprotocols: []string{"other.v7", protocol.Subprotocol}})
	if e.Subprotocol != protocol.Subprotocol {
		s.t.Fatalf("subprotocol %q, want %q", e.Subprotocol, protocol.Subprotocol)
	}
	s.say(frame)
	return s.welcomed()
}

func (s *speaker) welcomed() reply {
	s.t.Helper()
	r := s.read()
	if r.Op != "welcome" || r.Conn == "" || r.Node != "n1" || r.Session == "" {
		s.t.Fatalf("got %+v, want a welcome", r)
	}
	s.id = r.Conn
	return r
}

// say sends frames.
func (s *speaker) say(frames ...string) {
	s.t.Helper()
	for _, f := range frames {
		must(s.t, s.Send(f))
	}
}

// hear fails unless the next frames are these, byte for byte.
func (s *speaker) hear(frames ...string) {
	s.t.Helper()
	for _, want := range frames {
		if got := s.next(); got != want {
			s.t.Fatalf("got  %.200s\nwant %.200s", got, want)
		}
	}
}

// ask sends a frame and fails unless the next is the answer.
func (s *speaker) ask(frame, answer string) {
	s.t.Helper()
	s.say(frame)
	s.hear(answer)
}

// alive fails unless the connection answers, and nothing else came before.
func (s *speaker) alive() {
	s.t.Helper()
	s.ask(`{"op":"ping","id":9007199254740991}`, `{"op":"ok","id":9007199254740991}`)
}

func (s *speaker) next() string {
	s.t.Helper()
	e, err := s.Next(s.ctx)
	must(s.t, err)
	if e.Kind != interop.Text {
		s.t.Fatalf("got %v, want a text message", e)
	}
	return e.Text
}

// reply is any frame from the server.
type reply struct {
	Op      string          `json:"op"`
	ID      uint64          `json:"id"`
	Room    string          `json:"room"`
	Data    json.RawMessage `json:"data"`
	Code    string          `json:"code"`
	Conn    string          `json:"conn"`
	Node    string          `json:"node"`
	Session string          `json:"session"`
}

func (s *speaker) read() reply {
	s.t.Helper()
	text := s.next()
	var r reply
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		s.t.Fatalf("frame %.200q: %v", text, err)
	}
	return r
}

// closed reads on to the end of the connection, and fails unless its code is this one. It returns the
// reason.
func (s *speaker) closed(code protocol.CloseCode) string {
	s.t.Helper()
	for {
		e, err := s.Next(s.ctx)
		must(s.t, err)
		if e.Kind != interop.Close {
			continue
		}
		if e.Code != int(code) {
			s.t.Fatalf("got %v, want code %d", e, code)
		}
		return e.Reason
	}
}

// position is a place in a room, as a frame has it.
func position(epoch string, offset uint64) string {
	return fmt.Sprintf(`"epoch":%q,"offset":%d`, epoch, offset)
}
