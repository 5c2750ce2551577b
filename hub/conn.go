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
	"github.com/gohubkit/hubkit/internal/core/rate"
	"github.com/gohubkit/hubkit/internal/core/registry"
	"github.com/gohubkit/hubkit/internal/core/rooms"
	"github.com/gohubkit/hubkit/internal/engine/frame"
	"github.com/gohubkit/hubkit/internal/engine/wire"
	"github.com/gohubkit/hubkit/protocol"
)

// Identity is who is at the other end of a connection.
type Identity struct {
	// User names the user; empty for an anonymous one. One user may have several connections.
	User string
	// Info is shown to other members of rooms with presence: one JSON value, or nil.
	Info []byte
	// ExpiresAt is when the identity ends; zero for never. Before that the hub asks the client for a new token, if it has a
	// token verifier: see WithTokenVerifier. Up to a second after it the connection is closed with 4009, and the client comes
	// back with a new token. A clock that is set later changes nothing.
	ExpiresAt time.Time
}

// Conn is one client's connection. Its methods may be called from several goroutines; none but Join and
// Leave blocks. Every field counts: there may be a million of them.
type Conn struct {
	hub    *Hub
	entry  registry.Entry[*Conn]
	conn   net.Conn
	writer wire.Writer
	beat   heartbeat.Entry

	identity atomic.Pointer[identity]

	ticket  admission.Ticket
	proxied *netip.Addr // the client's address where it is not the socket's, or nil

	// The reader's own.
	lastMessage atomic.Uint32 // milliseconds since the hub's start
	streak      int8          // messages that came soon after the one before, up to hotAfter
	beats       bool          // the last frame was a ping or a pong
	heavy       bool          // tasks of this connection may be on the worker pool
	toldStale   bool          // guarded by the hub's telling; here it fills a gap
	messages    rate.Bucket
	bytes       rate.Bucket
	owed        atomic.Uint32 // for requests, in thousandths of a message; anybody's

	due uint32 // when the connection is too old, in milliseconds since the hub's start

	kind    kind
	watched bool // by the poller; otherwise a goroutine reads
	deflate bool
	hello   bool // the first frame is still to come

	marks marks
	half  atomic.Int32 // bytes that a message makes the reader keep; see budget

	state lifecycle
	// handling: the reader is at a message. It sets that before it looks at the state; closeAfterAnswers does both the other
	// way round.
	handling atomic.Uint32

	mu    sync.Mutex
	extra *extra // what few connections have

	rooms rooms.Memberships
}

// marks are flags in the size of one.
type marks struct{ bits atomic.Uint32 }

const (
	greetedMark = 1 << iota // welcome has been sent
	askedMark               // a ping was sent, and no pong has come since
	barredMark              // barred is not empty
	boundMark               // a grant has been held
)

func (m *marks) set(mark uint32)      { m.bits.Or(mark) }
func (m *marks) has(mark uint32) bool { return m.bits.Load()&mark != 0 }

func (m *marks) clear(mark uint32) { m.bits.And(^mark) }

// take clears a mark, and reports whether it was set.
func (m *marks) take(mark uint32) bool { return m.has(mark) && m.bits.And(^mark)&mark != 0 }

// kind is what a connection speaks.
type kind uint8

const (
	plain kind = iota // protocol v1, welcomed without a hello
	v1                // protocol v1, begun with a hello
	raw               // the application's own
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
	barred  []barred           // rooms that were taken away while they may have been being joined
	giving  int                // JoinUsers under way
}

type stopper interface{ Stop() bool }

func (c *Conn) more() *extra {
	if c.extra == nil {
		c.extra = new(extra)
	}
	return c.extra
}

// trim gives extra back where nothing is in it any more. It is called with mu held.
func (c *Conn) trim() {
	m := c.extra
	if m != nil && m.session == "" && len(m.values) == 0 && len(m.resume) == 0 && len(m.grants) == 0 && m.done == nil &&
		m.after == nil && m.parting == nil && m.cause == nil && m.timer == nil && m.answer == nil && len(m.barred) == 0 && m.giving == 0 {
		c.extra = nil
	}
}

func (h *Hub) newConn() *Conn {
	return &Conn{hub: h, entry: registry.Entry[*Conn]{Num: h.nextConn.Add(1)}}
}

// ID is the connection's name, unique over all nodes and their restarts. It begins with the node's name.
func (c *Conn) ID() string { return c.hub.connID(c.entry.Num) }

func (h *Hub) connID(num uint64) string { return h.idPrefix + strconv.FormatUint(num, 36) }

// Session is the name under which the client came back, where it sent one, or else the connection's ID. It
// is a label for logs, not a proof of anything: what the client has to know beyond it is left out.
func (c *Conn) Session() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.extra != nil && c.extra.session != "" {
		return sessionLabel(c.extra.session)
	}
	return c.ID()
}

// Identity is who is at the other end, as the authenticator or the token verifier said. A new token may change all but User.
func (c *Conn) Identity() Identity {
	id := c.identity.Load()
	switch {
	case id == nil:
		return Identity{}
	case id.expires == nil:
		return Identity{User: id.user, Info: id.info}
	}
	return Identity{User: id.user, Info: id.info, ExpiresAt: *id.expires}
}

// RemoteAddr is the address of the other end, or of the proxy in between: see ClientAddr.
func (c *Conn) RemoteAddr() net.Addr { return c.conn.RemoteAddr() }

// value is what Set keeps. Few are kept, so that a list is smaller than a map and no slower.
type value struct{ key, value any }

// Set keeps a value with the connection; nil forgets it. Keys are compared like those of a context: use a
// type of your own.
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

// Get returns what Set kept, or nil.
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

// Send sends data to this connection alone: one JSON value in a message frame without a room, or on a raw hub a text frame
// as it is. It does not block; data may be changed afterwards. The error matches ErrData, ErrText, or ErrClosed if the
// connection is gone or going, which it is after its backlog has overflowed.
func (c *Conn) Send(data []byte) error {
	if c.kind == raw {
		if !utf8.Valid(data) {
			return ErrText
		}
		return c.sendFrame(frame.Text, func(dst []byte) []byte { return append(dst, data...) })
	}
	if !protocol.Valid(data) {
		return ErrData
	}
	return c.sendFrame(frame.Text, func(dst []byte) []byte {
		return protocol.AppendMessage(dst, "", data, "", 0)
	})
}

// SendBinary sends a binary frame to this connection alone. It does not block; data may be changed afterwards. Only raw hubs
// have binary frames: the error matches ErrRaw on others, or ErrClosed.
func (c *Conn) SendBinary(data []byte) error {
	if c.kind != raw {
		return ErrRaw
	}
	return c.sendFrame(frame.Binary, func(dst []byte) []byte { return append(dst, data...) })
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

// send sends a frame of protocol v1 whose loss nobody needs to hear of: the connection is gone then.
func (c *Conn) send(encode func([]byte) []byte) { _ = c.sendFrame(frame.Text, encode) }

// Rooms lists the rooms the connection is in.
func (c *Conn) Rooms() []string { return c.rooms.Names() }

// Context ends when the connection does, and within about a second when the client leaves while a callback runs: when its
// socket is closed or reset, or a close frame is next to be read. Over TLS such a close frame alone is not seen. What the
// client sent before it left is still handled. Its values are those of the connection: ConnFromContext finds it.
func (c *Conn) Context() context.Context { return (*connContext)(c) }
