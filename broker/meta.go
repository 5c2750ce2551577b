package broker

import (
	"encoding/json"
	"maps"
	"slices"
)

// Meta is what a message carries beside its payload. A nil Meta carries nothing, and costs nothing. Brokers carry it as it is:
// what of it is set, and who is shown what, is the hub's business. It is shared by all who receive the message, and never
// changed.
type Meta struct {
	// Publisher is who published the message; nil if nobody was told.
	Publisher *Publisher
	// Time is when the message was published, by the clock of the node that published it, in milliseconds since 1970; zero if
	// nobody asked for it.
	Time int64
	// Tags are the application's.
	Tags map[string]string
	// Trace is the trace that the publication is part of.
	Trace Trace
	// Except is who is not sent the message.
	Except Except
}

// Publisher is who published a message.
type Publisher struct {
	// Conn is the connection's ID.
	Conn string `json:"conn,omitempty"`
	// User is the identity's user.
	User string `json:"user,omitempty"`
	// Info is what the application shows of the publisher to others: any JSON value, or nil.
	Info json.RawMessage `json:"info,omitempty"`
}

// Trace is a W3C trace context: the values of the headers traceparent and tracestate.
type Trace struct {
	Parent string
	State  string
}

// IsZero reports whether there is no trace.
func (t Trace) IsZero() bool { return t == Trace{} }

// Except names a connection that is not sent a message, or a session, over all of its connections. The zero Except is nobody.
type Except struct {
	// Conn is the connection's ID.
	Conn string `json:"-"`
	// Session is a name that hubs make of the session's, and can compare with it.
	Session string `json:"-"`
}

// IsZero reports whether nobody is excepted.
func (e Except) IsZero() bool { return e == Except{} }

// IsZero reports whether m carries nothing. It may be called of nil.
func (m *Meta) IsZero() bool {
	return m == nil || m.Publisher == nil && m.Time == 0 && len(m.Tags) == 0 && m.Trace.IsZero() && m.Except.IsZero()
}

// Equal reports whether two carry the same. Both may be nil.
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

// Size is about how many bytes m takes, by which brokers and hubs bound what they keep. It may be called of nil.
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

// What a Meta and a tag take beside their texts.
const (
	metaCost = 160
	tagCost  = 40
)
