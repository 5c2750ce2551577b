package hub

import (
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/internal/core/rooms"
	"github.com/gohubkit/hubkit/protocol"
)

// PublisherView is what the members of a room are shown of those who publish in it; see ShowPublisher.
type PublisherView uint8

const (
	// PublisherNone shows nothing.
	PublisherNone PublisherView = iota
	// PublisherID shows the connection's ID.
	PublisherID
	// PublisherUser also shows the identity's user.
	PublisherUser
	// PublisherFull also shows the identity's info.
	PublisherFull
)

// views are the views as package rooms knows them.
var views = [...]rooms.View{
	PublisherNone: rooms.ViewNone,
	PublisherID:   rooms.ViewConn,
	PublisherUser: rooms.ViewUser,
	PublisherFull: rooms.ViewInfo,
}

// ShowPublisher has each message say who published it, to the members of the room, to readers of its history, and in what the
// broker keeps. The default is PublisherNone: a message then carries nothing of its publisher. What a client publishes says
// who the client is. What the service publishes says so only with PublishedBy.
func ShowPublisher(v PublisherView) RoomOption {
	return func(r *rule) error {
		if int(v) >= len(views) {
			return fmt.Errorf("ShowPublisher: unknown view %d", uint8(v))
		}
		r.Publisher = views[v]
		return nil
	}
}

// ShowTime has each message say when it was published, in milliseconds, by the clock of the node that published it. By default
// only messages published with Timestamp say so.
func ShowTime() RoomOption {
	return func(r *rule) error {
		r.Times = true
		return nil
	}
}

// Tags has the message carry tags, which its members see: at most 16, with keys of 1 to 64 bytes without control characters
// and values of at most 256 bytes, in UTF-8.
func Tags(tags map[string]string) PublishOption {
	return func(o *publishOptions) error {
		if err := protocol.CheckTags(tags); err != nil {
			return fmt.Errorf("Tags: %w", err)
		}
		o.carry().Tags = maps.Clone(tags)
		return nil
	}
}

// Trace has the message carry a W3C trace context, which its members see: the values of the headers traceparent and
// tracestate. state may be empty.
func Trace(parent, state string) PublishOption {
	return func(o *publishOptions) error {
		t := broker.Trace{Parent: parent, State: state}
		if err := checkTrace(t); err != nil {
			return fmt.Errorf("Trace: %w", err)
		}
		o.carry().Trace = t
		return nil
	}
}

// Timestamp has the message say when it was published, as all messages do in a room with ShowTime.
func Timestamp() PublishOption {
	return func(o *publishOptions) error {
		o.carry().Time = time.Now().UnixMilli()
		return nil
	}
}

// PublishedBy says on whose behalf the service publishes. hub.History tells all of it; members are shown as much as
// ShowPublisher says. Info must be one JSON value or nil.
func PublishedBy(p broker.Publisher) PublishOption {
	return func(o *publishOptions) error {
		if p.Info != nil && !protocol.Valid(p.Info) {
			return errors.New("PublishedBy: Info is not valid JSON")
		}
		o.carry().Publisher = &p
		return nil
	}
}

// ExceptConn has one connection not be sent the message, on whichever node it is. id is its Conn.ID. In a room with history
// the client is told to go on behind the message. When the client comes back it is another connection: see ExceptSession.
func ExceptConn(id string) PublishOption {
	return func(o *publishOptions) error {
		if id == "" {
			return errors.New("ExceptConn: the ID is empty")
		}
		o.carry().Except.Conn = id
		return nil
	}
}

// ExceptSession is ExceptConn for c and for every connection with which its client comes back, as long as it keeps its session.
// A client asks for that with "echo": false.
func ExceptSession(c *Conn) PublishOption {
	return func(o *publishOptions) error {
		if c == nil {
			return errors.New("ExceptSession: the connection is nil")
		}
		o.carry().Except.Session = c.sessionTag()
		return nil
	}
}

// carry is what the message is to carry.
func (o *publishOptions) carry() *broker.Meta {
	if o.meta == nil {
		o.meta = new(broker.Meta)
	}
	return o.meta
}

func checkTrace(t broker.Trace) error {
	switch {
	case t.IsZero():
	case !protocol.ValidTraceParent(t.Parent):
		return fmt.Errorf("traceparent %.140q is not one of W3C Trace Context", t.Parent)
	case !protocol.ValidTraceState(t.State):
		return fmt.Errorf("tracestate of %d bytes is not one of W3C Trace Context", len(t.State))
	}
	return nil
}

// meta is what a client's publication carries, as the client and OnPublish want it.
func (v *v1Client) meta(p *Publication) (*broker.Meta, error) {
	if len(p.Tags) == 0 && p.Trace.IsZero() && !p.NoEcho {
		return nil, nil //nolint:nilnil // it carries nothing
	}
	if err := errors.Join(protocol.CheckTags(p.Tags), checkTrace(p.Trace)); err != nil {
		return nil, fmt.Errorf("hub: OnPublish: %w", err) // what clients send has been checked
	}
	m := &broker.Meta{Tags: p.Tags, Trace: p.Trace}
	if p.NoEcho {
		m.Except.Session = (*Conn)(v).sessionTag()
	}
	return m, nil
}

// Author implements rooms.Author.
func (m *member) Author() broker.Publisher { return broker.Publisher(m.Presence()) }
