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

// PublisherView is what the members of a room are shown of a message's publisher; see ShowPublisher.
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

// ShowPublisher makes each message say who published it, to the members of the room, to readers of its history, and in
// what the broker keeps. The default is PublisherNone: a message then names no publisher. A client's message names that
// client. A message of the service names a publisher only with PublishedBy.
func ShowPublisher(v PublisherView) RoomOption {
	return func(r *rule) error {
		if int(v) >= len(views) {
			return fmt.Errorf("ShowPublisher: unknown view %d", uint8(v))
		}
		r.Publisher = views[v]
		return nil
	}
}

// ShowTime makes each message say when it was published, in milliseconds, by the clock of the node that published it.
// By default only messages published with Timestamp say so.
func ShowTime() RoomOption {
	return func(r *rule) error {
		r.Times = true
		return nil
	}
}

// Tags adds tags to the message, which members see. By default there are none. There may be at most 16, with keys of 1 to
// 64 bytes without control characters and values of at most 256 bytes, in UTF-8. Otherwise Publish fails with ErrOption.
func Tags(tags map[string]string) PublishOption {
	return func(o *publishOptions) error {
		if err := protocol.CheckTags(tags); err != nil {
			return fmt.Errorf("Tags: %w", err)
		}
		o.carry().Tags = maps.Clone(tags)
		return nil
	}
}

// Trace adds a W3C trace context to the message, which members see: the values of the headers traceparent and
// tracestate. By default it is that of the hub's span, if WithTracer makes one. state may be empty. If a value is
// malformed, Publish fails with ErrOption.
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

// Timestamp makes the message say when it was published. By default only messages of rooms with ShowTime say so.
func Timestamp() PublishOption {
	return func(o *publishOptions) error {
		o.carry().Time = time.Now().UnixMilli()
		return nil
	}
}

// PublishedBy says on whose behalf the service publishes. By default a message of the service names no publisher.
// Hub.History returns all of it. ShowPublisher says how much of it members see. Info must be one JSON value or nil.
func PublishedBy(p broker.Publisher) PublishOption {
	return func(o *publishOptions) error {
		if p.Info != nil && !protocol.Valid(p.Info) {
			return errors.New("PublishedBy: Info is not valid JSON")
		}
		o.carry().Publisher = &p
		return nil
	}
}

// ExceptConn keeps the message from one connection, on any node. By default all members receive it. id is what Conn.ID
// returns. In a room with history the client is told to resume after the message. When the client reconnects, it has
// another connection: see ExceptSession.
func ExceptConn(id string) PublishOption {
	return func(o *publishOptions) error {
		if id == "" {
			return errors.New("ExceptConn: the ID is empty")
		}
		o.carry().Except.Conn = id
		return nil
	}
}

// ExceptSession is ExceptConn for c and for every later connection of its client, while the client keeps its session. By
// default all members receive the message. A client asks for it with "echo": false.
func ExceptSession(c *Conn) PublishOption {
	return func(o *publishOptions) error {
		if c == nil {
			return errors.New("ExceptSession: the connection is nil")
		}
		o.carry().Except.Session = c.sessionTag()
		return nil
	}
}

// carry returns the message's meta data, to be changed.
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

// meta returns the meta data of a client's publication, as the client and OnPublish set it.
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
