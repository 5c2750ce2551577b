package hub_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/protocol"
	"github.com/gorilla/websocket"
)

// client is the other end of a connection, as bare as it can be.
type client struct {
	t  testing.TB
	ws *websocket.Conn
	id string // of the connection, as welcome told

	cbor  bool // what it writes and reads is converted
	hello bool // it is welcomed when it has said hello
}

// reply is any frame from the server.
type reply struct {
	Op         string          `json:"op"`
	ID         uint64          `json:"id"`
	Room       string          `json:"room"`
	Data       json.RawMessage `json:"data"`
	Epoch      string          `json:"epoch"`
	Offset     uint64          `json:"offset"`
	Code       string          `json:"code"`
	Message    string          `json:"message"`
	RetryAfter int             `json:"retry_after_ms"`
	Conn       string          `json:"conn"`
	Node       string          `json:"node"`
	Session    string          `json:"session"`
	Ping       int             `json:"ping_ms"`
	Ticket     string          `json:"ticket"`
	Limits     json.RawMessage `json:"limits"`
	Expires    int             `json:"expires_ms"`
	ReadOnly   bool            `json:"read_only"`
}

// connect makes a connection and reads nothing of it.
func (s *server) connect(t testing.TB, header http.Header, subprotocols ...string) *client {
	t.Helper()
	d := s.dialer()
	d.Subprotocols = subprotocols
	return s.connectWith(t, d, header)
}

func (s *server) connectWith(t testing.TB, d *websocket.Dialer, header http.Header) *client {
	t.Helper()
	if s.cbor && d.Subprotocols == nil {
		d.Subprotocols = []string{protocol.SubprotocolCBOR}
	}
	ws, resp, err := d.Dial(s.url, header)
	if err != nil {
		t.Fatalf("handshake: %v", err)
	}
	_ = resp.Body.Close()
	t.Cleanup(func() { _ = ws.Close() })
	cbor := ws.Subprotocol() == protocol.SubprotocolCBOR
	return &client{t: t, ws: ws, cbor: cbor, hello: cbor}
}

// dial makes a plain client that has been welcomed.
func (s *server) dial(t testing.TB) *client {
	t.Helper()
	return s.dialAs(t, "")
}

// dialAs is dial with the name of a user in the header that asUser reads.
func (s *server) dialAs(t testing.TB, user string) *client {
	t.Helper()
	var header http.Header
	if user != "" {
		header = http.Header{"X-User": {user}}
	}
	c := s.connect(t, header)
	c.welcomed()
	return c
}

// dialV1 makes a client of the subprotocol that has said hello and been welcomed.
func (s *server) dialV1(t testing.TB, hello string) *client {
	t.Helper()
	c := s.connect(t, nil, protocol.Subprotocol)
	c.write(hello)
	c.welcomed()
	return c
}

func (c *client) welcomed() reply {
	c.t.Helper()
	if c.hello {
		c.helloWith(`{"op":"hello"}`)
	}
	r := c.read()
	if r.Op != "welcome" || r.Conn == "" {
		c.t.Fatalf("got %+v, want a welcome", r)
	}
	c.id = r.Conn
	return r
}

func (c *client) helloWith(hello string) {
	c.t.Helper()
	c.hello = false
	c.write(hello)
}

func (c *client) write(frame string) {
	c.t.Helper()
	if err := c.ws.WriteMessage(c.encoded(frame)); err != nil {
		c.t.Fatalf("write: %v", err)
	}
}

// writeBytes writes to the socket what need be no frame at all.
func (c *client) writeBytes(p []byte) {
	c.t.Helper()
	if _, err := c.ws.NetConn().Write(p); err != nil {
		c.t.Fatalf("write: %v", err)
	}
}

// next returns the next message as it came.
func (c *client) next() string {
	c.t.Helper()
	p, err := c.tryNext()
	if err != nil {
		c.t.Fatalf("read: %v", err)
	}
	return string(p)
}

func (c *client) tryNext() ([]byte, error) {
	if err := c.ws.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	_, p, err := c.ws.ReadMessage()
	if c.cbor && err == nil {
		return asJSON(p)
	}
	return p, err
}

// read returns the next frame.
func (c *client) read() reply {
	c.t.Helper()
	p := c.next()
	var r reply
	if err := json.Unmarshal([]byte(p), &r); err != nil {
		c.t.Fatalf("frame %q: %v", p, err)
	}
	return r
}

// expect fails unless the next frames are these, byte for byte.
func (c *client) expect(frames ...string) {
	c.t.Helper()
	for _, want := range frames {
		if got := c.next(); got != want {
			c.t.Fatalf("got  %s\nwant %s", got, want)
		}
	}
}

// ask sends a request and returns the next frame.
func (c *client) ask(frame string) reply {
	c.t.Helper()
	c.write(frame)
	return c.read()
}

// alive fails unless the connection answers.
func (c *client) alive() {
	c.t.Helper()
	c.write(`{"op":"ping","id":9007199254740991}`)
	c.expect(`{"op":"ok","id":9007199254740991}`)
}

// closed reads on to the end, and fails unless that is a close frame with a code. It returns the reason.
func (c *client) closed(code protocol.CloseCode) string {
	c.t.Helper()
	err := c.end()
	var ce *websocket.CloseError
	if !errors.As(err, &ce) || ce.Code != int(code) {
		c.t.Fatalf("the connection ended with %v, want %v", err, code)
	}
	return ce.Text
}

// end reads on to the end and returns the error that it was.
func (c *client) end() error {
	c.t.Helper()
	for {
		if _, err := c.tryNext(); err != nil {
			return err
		}
	}
}

// hinted is closed for a close that must carry a hint.
func (c *client) hinted(code protocol.CloseCode) protocol.Hint {
	c.t.Helper()
	reason := c.closed(code)
	h, ok := protocol.ParseHint(reason)
	if !ok {
		c.t.Fatalf("close %v has the reason %q, want a hint", code, reason)
	}
	return h
}
