package broker

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
)

// Meta is the data that a message carries beside its payload. A nil Meta carries nothing and costs nothing. Brokers pass it
// on unchanged. The hub decides which fields are set, and which clients see them. All receivers share a Meta and must not
// change it.
type Meta struct {
	// Publisher is the client that published the message. It is nil if the message does not name one.
	Publisher *Publisher
	// Time is when the message was published, in milliseconds since 1970, by the clock of the publishing node. Zero means
	// that the message has no time.
	Time int64
	// Tags are the application's.
	Tags map[string]string
	// Trace is the trace that the publication belongs to.
	Trace Trace
	// Except is the connection or session that does not receive the message.
	Except Except
}

// Publisher is the client that published a message.
type Publisher struct {
	// Conn is the connection's ID.
	Conn string `json:"conn,omitempty"`
	// User is the identity's user.
	User string `json:"user,omitempty"`
	// Info is any JSON value that the application shows to receivers, or nil.
	Info json.RawMessage `json:"info,omitempty"`
}

// Trace is a W3C trace context (https://www.w3.org/TR/trace-context/): the headers traceparent and tracestate.
type Trace struct {
	Parent string
	State  string
}

// Sampled reports whether the sampled flag of Parent is set: the caller may have recorded the trace.
func (t Trace) Sampled() bool {
	const flags = 53
	if len(t.Parent) < flags+2 {
		return false
	}
	v, err := strconv.ParseUint(t.Parent[flags:flags+2], 16, 8)
	return err == nil && v&1 != 0
}

// IsZero reports whether there is no trace.
func (t Trace) IsZero() bool { return t == Trace{} }

// Except names a connection, or all connections of a session, that does not receive a message. The zero Except excludes
// nobody.
type Except struct {
	// Conn is the connection's ID.
	Conn string `json:"-"`
	// Session is a name that hubs derive from the session's name, and can compare with it.
	Session string `json:"-"`
}

// IsZero reports whether e excludes nobody.
func (e Except) IsZero() bool { return e == Except{} }

// IsZero reports whether m carries nothing. m may be nil.
func (m *Meta) IsZero() bool {
	return m == nil || m.Publisher == nil && m.Time == 0 && len(m.Tags) == 0 && m.Trace.IsZero() && m.Except.IsZero()
}

// Equal reports whether m and o carry the same. Both may be nil.
func (m *Meta) Equal(o *Meta) bool {
	if m.IsZero() || o.IsZero() {
		return m.IsZero() == o.IsZero()
	}
	return m.Publisher.equal(o.Publisher) && m.Time == o.Time && maps.Equal(m.Tags, o.Tags) && m.Trace == o.Trace && m.Except == o.Except
}

func (p *Publisher) equal(o *Publisher) bool {
	if p == nil || o == nil {
		return p == o
	}
	return p.Conn == o.Conn && p.User == o.User && slices.Equal(p.Info, o.Info)
}

// Size returns an estimate of the memory of m in bytes. Brokers and hubs bound the data that they keep by it. m may be
// nil.
func (m *Meta) Size() int {
	if m == nil {
		return 0
	}
	n := len(m.Trace.Parent) + len(m.Trace.State) + len(m.Except.Conn) + len(m.Except.Session)
	if p := m.Publisher; p != nil {
		n += len(p.Conn) + len(p.User) + len(p.Info)
	}
	for k, v := range m.Tags {
		n += len(k) + len(v)
	}
	return n + metaCost + tagCost*len(m.Tags)
}

// The bytes that a Meta and a tag take beside their texts.
const (
	metaCost = 160
	tagCost  = 40
)
