package hub

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/gohubkit/hubkit/heartbeat"
	"github.com/gohubkit/hubkit/internal/admission"
	"github.com/gohubkit/hubkit/internal/core/codec"
	"github.com/gohubkit/hubkit/internal/core/rate"
	"github.com/gohubkit/hubkit/internal/core/registry"
	"github.com/gohubkit/hubkit/internal/core/rooms"
	"github.com/gohubkit/hubkit/internal/engine/frame"
	"github.com/gohubkit/hubkit/internal/engine/wire"
	"github.com/gohubkit/hubkit/protocol"
)

// Identity says which user a connection belongs to.
type Identity struct {
	// User names the user; it is empty for an anonymous one. One user may have several connections.
	User string
	// Info is one JSON value, or nil. Other members of rooms with presence see it.
	Info []byte
	// ExpiresAt is when the identity ends; zero for never. If the hub has a token verifier, it asks the client for a
	// new token before that; see WithTokenVerifier. At most one second after ExpiresAt the hub closes the connection
	// with 4009, and the client reconnects with a new token. Setting the clock later changes nothing.
	ExpiresAt time.Time
}

// Conn is the connection of one client. Several goroutines may call its methods. Only Join and Leave block.
type Conn struct {
	// Every field counts: there may be a million connections.
	*setting // shared by most; set before another goroutine knows the connection

	entry  registry.Entry[*Conn]
	writer wire.Writer
	beat   heartbeat.Entry

	identity atomic.Pointer[identity]

	ticket admission.Ticket

	// The reader's own.
	lastMessage atomic.Uint32 // milliseconds since the hub's start
	streak      int8          // messages that came soon after the one before, up to hotAfter
	beats       bool          // the last frame was a ping, of the protocol or of WebSocket, or a pong
	kind        kind          // here because it fills a gap, as does watched
	watched     watched
	messages    rate.Bucket // its Own is what requests owe; see costs.go
	traffic     traffic

	half  atomic.Int32 // bytes that a message makes the reader keep; see budget
	state lifecycle

	mu    sync.Mutex
	extra *extra // what few connections have

	rooms rooms.Memberships
}

// traffic counts what the client has sent. The connection's reader counts it; Writer counts what is sent to the client.
type traffic struct{ bytes, messages atomic.Uint64 }

// setting is where a connection is. A hub has one that most of its connections share. A connection has its own if its client's
// address is not the socket's, or if there is a limit of bytes.
type setting struct {
	hub     *Hub
	proxied netip.Addr  // the client's address if it is not the socket's
	bytes   rate.Bucket // used if there is a limit; the reader's own
}

// kind is what a connection speaks.
type kind uint8

const (
	plain  kind = iota // protocol v1, welcomed without a hello
	v1                 // protocol v1, begun with a hello
	raw                // the application's own
	events             // Server-Sent Events; nothing is read
)

// watched says what waits for input of an idle connection.
type watched uint8

const (
	byReader     watched = iota // its own goroutine, which reads
	byPoller                    // the poller
	byPollerSeal                // the poller, which sees that something has come, but not what: TLS
)

// extra is kept apart to keep Conn small.
type extra struct {
	session string
	values  []value
	resume  map[string]resumed // of the hello, until joined
	grants  map[string]*grant  // by room, of those that have bounds
	done    chan struct{}      // of the context
	after   []*after           // to be called when the context ends
	cause   error              // set at the end
	parting *CloseError        // why it is to be closed once its messages are answered
	timer   stopper            // of the hello, or of the close
	helloBy time.Duration      // on the hub's clock, until the hello has come
	answer  http.Header        // of OnHandshake, until the handshake is answered
	barred  []barred           // rooms that were taken away while a join of them may have been under way
	giving  int                // JoinUsers under way
	span    *requestSpan       // of the request under way
	taps    []*connTap         // of TailConn
}

type stopper interface{ Stop() bool }

func (c *Conn) more() *extra {
	if c.extra == nil {
		c.extra = new(extra)
	}
	return c.extra
}

// trim releases extra if it is empty again. It is called with mu held.
func (c *Conn) trim() {
	m := c.extra
	if m != nil && m.session == "" && len(m.values) == 0 && len(m.resume) == 0 && len(m.grants) == 0 && m.done == nil &&
		m.after == nil && m.parting == nil && m.cause == nil && m.timer == nil && m.answer == nil && len(m.barred) == 0 && m.giving == 0 &&
		m.span == nil && m.taps == nil {
		c.extra = nil
	}
}

func (h *Hub) newConn() *Conn {
	c := &Conn{setting: h.usual, entry: registry.Entry[*Conn]{Num: h.nextConn.Add(1)}}
	if h.conf.bytes.Enabled() {
		c.setting = &setting{hub: h}
	}
	return c
}

// ID returns the connection's identifier, unique over all nodes and their restarts. It begins with the node's name.
func (c *Conn) ID() string { return c.hub.connID(c.entry.Num) }

func (h *Hub) connID(num uint64) string { return h.idPrefix + strconv.FormatUint(num, 36) }

// Session returns the session name that the client sent when it resumed, or else the connection's ID. It is a label for
// logs and proves nothing: the part of the name that only the client may know is left out.
func (c *Conn) Session() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.extra != nil && c.extra.session != "" {
		return sessionLabel(c.extra.session)
	}
	return c.ID()
}

// Identity returns the identity that the authenticator or the token verifier gave. A new token may change all but User.
func (c *Conn) Identity() Identity {
	id := c.identity.Load()
	switch {
	case id == nil:
		return Identity{}
	case id.more == nil:
		return Identity{User: id.user}
	}
	return Identity{User: id.user, Info: id.more.info, ExpiresAt: id.more.expires}
}

// RemoteAddr returns the socket's peer address, which may be a proxy's: see ClientAddr.
func (c *Conn) RemoteAddr() net.Addr { return c.writer.Conn().RemoteAddr() }

// value is an entry of Set. A connection has few, so a list is smaller than a map and no slower.
type value struct{ key, value any }

// Set stores a value with the connection. A nil v removes it. Keys are compared like those of a context, so use a type of
// your own.
func (c *Conn) Set(key, v any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.more()
	m.values = slices.DeleteFunc(m.values, func(old value) bool { return old.key == key })
	if v != nil {
		m.values = append(m.values, value{key, v})
	}
	c.trim()
}

// Get returns the value that Set stored for key, or nil.
func (c *Conn) Get(key any) any {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.extra != nil {
		for _, v := range c.extra.values {
			if v.key == key {
				return v.value
			}
		}
	}
	return nil
}

// Send sends data to this connection alone. It sends one JSON value in a message frame without a room, or on a raw hub
// a text frame as it is. It does not block, and you may change data afterwards. The error matches ErrData or ErrText.
// It matches ErrClosed during the handshake, and once the connection is closed or its close frame waits to be sent. An
// overflow of the backlog closes the connection.
func (c *Conn) Send(data []byte) error {
	switch {
	case c.kind != raw && !protocol.Valid(data):
		return ErrData
	case c.kind == raw && !utf8.Valid(data):
		return ErrText
	}
	return c.sendText(data)
}

// sendText is Send of data that is known to be valid.
func (c *Conn) sendText(data []byte) error {
	x := c.codec()
	opcode := x.Form().Opcode()
	if c.kind == raw {
		opcode = frame.Text
	}
	return c.sendFrame(opcode, func(dst []byte) []byte { return x.Direct(dst, data, false) })
}

// SendBinary sends data to this connection alone, as it is. It sends a message frame without a room, or on a raw hub a
// binary frame. A client of hubkit.v1 gets the data in base64. It does not block, and you may change data afterwards.
// The error matches ErrClosed.
func (c *Conn) SendBinary(data []byte) error {
	x := c.codec()
	opcode := x.Form().Opcode()
	if c.kind == raw {
		opcode = frame.Binary
	}
	return c.sendFrame(opcode, func(dst []byte) []byte { return x.Direct(dst, data, true) })
}

// scratch holds buffers in which frames for one connection are built.
var scratch = sync.Pool{New: func() any { return new([]byte) }}

const keepScratch = 64 << 10

func (c *Conn) sendFrame(opcode byte, encode func([]byte) []byte) error {
	if c.state.at() == handshaking { // there is no socket, or it waits for the answer to the handshake
		return ErrClosed
	}
	buf := scratch.Get().(*[]byte)
	*buf = frame.Encode((*buf)[:0], opcode, encode)
	err := c.writer.SendOne(*buf)
	if cap(*buf) <= keepScratch {
		scratch.Put(buf)
	}
	if err != nil {
		return ErrClosed
	}
	return nil
}

// gather makes the answers to what the reader has read already go out together. The reader calls letGo before it reads
// on, and guard calls it before the application's code runs. Code that waits releases the Writer.
func (c *Conn) gather() {
	c.state.set(gathersMark)
	c.writer.Gather()
}

// letGo ends what gather began.
func (c *Conn) letGo() {
	if c.state.take(gathersMark) {
		c.writer.Release()
	}
}

// codec is what the connection speaks.
func (c *Conn) codec() codec.Codec { return codec.Of(c.writer.Form()) }

// send sends a frame of protocol v1. Its error is dropped, because it only says that the connection is gone.
func (c *Conn) send(encode func(dst []byte, x codec.Codec) []byte) {
	x := c.codec()
	_ = c.sendFrame(x.Form().Opcode(), func(dst []byte) []byte { return encode(dst, x) })
}

// Rooms lists the rooms that the connection is in, in the order in which it joined them. After the connection's end, in
// OnLeave and OnDisconnect too, it lists the rooms that the connection was in when it ended.
func (c *Conn) Rooms() []string { return c.rooms.Names() }

// Context returns a context that ends with the connection. It also ends within about a second if the client leaves
// while a callback runs: its socket is closed or reset, or a close frame is next to be read. Over TLS such a close
// frame alone is not seen. The hub still handles what the client sent before it left. ConnFromContext finds the
// connection in it.
func (c *Conn) Context() context.Context { return (*connContext)(c) }
