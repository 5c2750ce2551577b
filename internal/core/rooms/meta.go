package rooms

import (
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/internal/core/codec"
	"github.com/gohubkit/hubkit/internal/engine/frame"
	"github.com/gohubkit/hubkit/protocol"
)

// View is what a room shows its members of a publisher. Each View includes the one before it.
type View uint8

const (
	ViewNone View = iota
	ViewConn
	ViewUser
	ViewInfo
)

// of is what the View shows of p.
func (v View) of(p broker.Publisher) *broker.Publisher {
	switch v {
	case ViewNone:
		return nil
	case ViewConn:
		return &broker.Publisher{Conn: p.Conn}
	case ViewUser:
		return &broker.Publisher{Conn: p.Conn, User: p.User}
	}
	return &p
}

// shows reports whether the View shows all that is known of p.
func (v View) shows(p *broker.Publisher) bool {
	return v >= ViewInfo || v >= ViewConn && len(p.Info) == 0 && (v >= ViewUser || p.User == "")
}

// Author is a publisher. It is asked only if the room shows it.
type Author interface {
	Author() broker.Publisher
}

// noted is what a publication carries in a room of the rule: m, which may be nil, and what the rule wants to be known. m is not
// changed.
func (r *Rule) noted(m *broker.Meta, by Author) *broker.Meta {
	named := r.Publisher != ViewNone && by != nil && (m == nil || m.Publisher == nil)
	timed := r.Times && (m == nil || m.Time == 0)
	if !named && !timed {
		return m
	}
	var c broker.Meta
	if m != nil {
		c = *m
	}
	if named {
		c.Publisher = r.Publisher.of(by.Author())
	}
	if timed {
		c.Time = time.Now().UnixMilli()
	}
	return &c
}

// shown is what the members of a room of the rule are shown of m. Another node, or the application, may have told more.
func (r *Rule) shown(m *broker.Meta) *broker.Meta {
	if m == nil || m.Publisher == nil || r.Publisher.shows(m.Publisher) {
		return m
	}
	c := *m
	c.Publisher = r.Publisher.of(*m.Publisher)
	return &c
}

// Carried is m as protocol v1 has it, written to to; nil if m is.
func Carried(m *broker.Meta, to *protocol.Meta) *protocol.Meta {
	if m == nil {
		return nil
	}
	*to = protocol.Meta{
		From: (*protocol.Publisher)(m.Publisher), Time: m.Time, Tags: m.Tags, TraceParent: m.Trace.Parent, TraceState: m.Trace.State,
	}
	return to
}

// appendMessage appends a message as its room's members get it.
func (r *Room) appendMessage(dst []byte, f frame.Form, m *broker.Message) []byte {
	if m.Meta == nil {
		return codec.Of(f).Message(dst, r.name, m, nil)
	}
	return codec.Of(f).Message(dst, r.name, m, Carried(r.rule.shown(m.Meta), new(protocol.Meta)))
}

// except says who is not sent a message, and what they are sent; nil if all are sent it. offset is zero if it has no place in
// the room's history.
func (r *Room) except(m *broker.Message, offset uint64) *frame.Except {
	if m.Meta == nil || m.Meta.Except.IsZero() {
		return nil
	}
	x := &frame.Except{Who: &m.Meta.Except}
	if offset > 0 {
		at := m.Position
		x.Write = func(f frame.Form) []byte {
			return frame.Encode(nil, f.Opcode(), func(dst []byte) []byte { return codec.Of(f).Skip(dst, r.name, at) })
		}
	}
	return x
}

// soundMeta reports whether m can be sent to clients.
func soundMeta(m *broker.Meta) bool {
	return m == nil || m.Publisher == nil || len(m.Publisher.Info) == 0 || protocol.Valid(m.Publisher.Info)
}
