package hub

import (
	"bytes"
	"context"
	"errors"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/internal/core/codec"
	"github.com/gohubkit/hubkit/internal/core/rooms"
	"github.com/gohubkit/hubkit/protocol"
)

// allowed asks an authorizer whether a client may do something. If not, it returns what the client is told.
func (v *v1Client) allowed(what, room string, ask func() error) *Error {
	c := (*Conn)(v)
	if c.hub.isOpen(room) {
		return nil
	}
	if ask == nil {
		return ErrForbidden
	}
	return v.asked(what, room, ask)
}

// asked is allowed for a room that is not open.
func (v *v1Client) asked(what, room string, ask func() error) *Error {
	c := (*Conn)(v)
	failed := c.guard(what, ask)
	if failed == nil {
		return nil
	}
	if failed.verdict() {
		c.hub.log.Debug("refused by authorizer", "what", what, "room", room, "conn", c.ID(), "err", failed.cause.text)
	}
	c.hub.report(what, c, failed, c.Context().Err() != nil)
	return failed.denial()
}

// admitted asks an authorizer. If that refuses, or ends this goroutine, admitted answers the client.
func (v *v1Client) admitted(id uint64, what, room string, ask func() error) bool {
	return v.decided(id, room, func() *Error { return v.allowed(what, room, ask) })
}

// decided answers the client with what decide returns, and reports whether that is nil.
func (v *v1Client) decided(id uint64, room string, decide func() *Error) bool {
	c := (*Conn)(v)
	var refused *Error
	ended := true
	defer func() {
		if ended { // see guard
			refused = crash.denial()
		}
		if refused != nil {
			c.replyError(id, room, refused)
		}
	}()
	refused = decide()
	ended = false
	return refused == nil
}

func (v *v1Client) join(q *protocol.Request) {
	room := string(q.Room)
	from := rooms.Start{Since: toBroker(q.Position), Last: q.History}
	if !from.IsZero() {
		from.Read = v.replayed
	}
	v.joinFor(q.ID, room, from)
}

// joinFor joins a room for the client.
func (v *v1Client) joinFor(id uint64, room string, from rooms.Start) {
	c := (*Conn)(v)
	h := c.hub
	if err := checkRoom(room); err != nil {
		c.replyError(id, clip(room), err)
		return
	}
	ask, given := v.askToJoin(room)
	c.unbar(room)
	if !v.admitted(id, "OnJoin", room, ask) {
		return
	}
	if given.over() {
		c.replyError(id, room, errGrantOver)
		return
	}
	ctx := v.request()
	defer ctx.finish()
	o := (*grantee)(c)
	now, before := o.hold(room, given)
	c.owe(1, h.conf.costs.ofJoin(h.rule(room).Presence))
	err := h.rooms.Join(ctx, (*member)(c), id, room, from)
	h.roomChanged(room)
	switch {
	case err == nil:
		o.arm(room, now, before)
		return
	case c.rooms.Find(room) != nil: // as before
		o.arm(room, before, now)
	default:
		o.drop(now)
		o.disarm(before)
	}
	told, ok := errors.AsType[*rooms.ToldError](err)
	if ok {
		defer c.hasLeft(room)
	}
	if errors.Is(err, ErrClosed) {
		return
	}
	v.fault("join", room, err)
	if ok { // an error alone does not say that the client has left the room
		c.tellLeft(room, leftError(told.Err))
	}
	if !ok || !told.Answered {
		c.replyError(id, room, toError(err))
	}
}

// askToJoin returns a function that asks OnJoin about a room, and the Grant that it fills. ask is nil if no callback is
// set, and given if nothing is bounded.
func (v *v1Client) askToJoin(room string) (ask func() error, given *Grant) {
	c := (*Conn)(v)
	set := c.hub.handlers.set.Load()
	f := set.join
	switch {
	case f == nil:
		return nil, nil
	case !set.grants:
		return func() error { _, err := f(c.callbackContext(), c, room); return err }, nil
	}
	given = new(Grant)
	return func() (err error) {
		*given, err = f(c.callbackContext(), c, room)
		return err
	}, given
}

// replayed charges the client for the messages of a history that its join replays.
func (v *v1Client) replayed(messages int) {
	c := (*Conn)(v)
	c.owe(messages, c.hub.conf.costs.Replayed)
}

// fault logs an error of which the client is told only the kind. If the client has left while its request was under
// way, it logs nothing.
func (v *v1Client) fault(what, room string, err error) {
	c := (*Conn)(v)
	if c.Context().Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, net.ErrClosed)) {
		return
	}
	if toError(err).Code == protocol.CodeInternal {
		c.hub.log.Error(what+" failed", "conn", c.ID(), "room", room, "err", err)
	}
}

func (v *v1Client) leave(q *protocol.Request) {
	c := (*Conn)(v)
	id, room := q.ID, string(q.Room)
	ctx := v.request()
	defer ctx.finish()
	was, err := c.leave(ctx, room)
	switch {
	case !was:
		c.replyError(id, clip(room), &Error{Code: protocol.CodeUnknownRoom, Message: "not joined"})
	case errors.Is(err, ErrJoining):
		c.replyError(id, room, toError(err))
	default:
		if err != nil { // the broker's: the client has left, and other members are told later
			v.fault("leave", room, err)
		}
		if id != 0 {
			c.send(func(dst []byte, x codec.Codec) []byte { return x.OK(dst, protocol.OK{ID: id, Room: room}) })
		}
		c.hasLeft(room)
	}
}

func (v *v1Client) publish(q *protocol.Request) {
	c := (*Conn)(v)
	id, room := q.ID, string(q.Room)
	if err := checkRoom(room); err != nil {
		c.replyError(id, clip(room), err)
		return
	}
	if (*grantee)(c).held(room).readOnly() && c.rooms.Find(room) != nil {
		c.replyError(id, room, &Error{Code: protocol.CodeForbidden, Message: "the room is read-only for this client"})
		return
	}
	p := &Publication{
		Room: room, Data: bytes.Clone(q.Data), Binary: q.Binary, IdempotencyKey: string(q.IdempotencyKey), Tags: protocol.ParseTags(q.Tags),
		Trace: broker.Trace{Parent: string(q.TraceParent), State: string(q.TraceState)}, NoEcho: q.NoEcho,
	}
	if !v.admitted(id, "OnPublish", room, v.askToPublish(p)) {
		return
	}
	res, failed := v.store(p)
	if failed != nil {
		c.replyError(id, room, failed)
		return
	}
	if id != 0 {
		c.send(func(dst []byte, x codec.Codec) []byte {
			return x.OK(dst, protocol.OK{ID: id, Room: room, Epoch: res.Position.Epoch, Offset: res.Position.Offset})
		})
	}
}

// askToPublish returns a function that asks OnPublish about a publication; nil if no callback is set.
func (v *v1Client) askToPublish(p *Publication) func() error {
	c := (*Conn)(v)
	if c.hub.conf.tracer != nil {
		v.within(p)
	}
	f := c.hub.handlers.set.Load().publish
	if f == nil {
		return nil
	}
	return func() error { return f(c.callbackContext(), c, p) }
}

// store publishes what OnPublish has allowed. If that fails, it returns what the client is told.
func (v *v1Client) store(p *Publication) (Result, *Error) {
	c := (*Conn)(v)
	room := p.Room
	ctx := v.request()
	defer ctx.finish()
	var res Result
	meta, err := v.meta(p)
	if err == nil {
		res, err = c.hub.publish(ctx, room, p.Data, publishOptions{
			idempotencyKey: p.IdempotencyKey, publisher: v.publisher(p.IdempotencyKey), conflationKey: p.ConflationKey, binary: p.Binary,
			meta: meta, by: (*member)(c),
		})
	}
	if err != nil {
		v.fault("publish", room, err)
		return Result{}, toError(err)
	}
	return res, nil
}

const (
	// unreadPatience is how long a question waits for the client to read the previous answer.
	unreadPatience = 100 * time.Millisecond
	// unreadPause is when a client may ask again that has not read the previous answer.
	unreadPause = time.Second
)

// unread reports whether an answer about a room is still not in the socket after unreadPatience.
func (v *v1Client) unread(r *rooms.Room) bool {
	c := (*Conn)(v)
	if !c.writer.Answering(r.Source()) {
		return false
	}
	ctx, cancel := context.WithTimeout(c.Context(), unreadPatience)
	defer cancel()
	return c.writer.Answered(ctx, r.Source()) != nil
}

func (v *v1Client) presence(q *protocol.Request) {
	c := (*Conn)(v)
	id, room := q.ID, string(q.Room)
	r := c.rooms.Find(room)
	if strings.ContainsRune(string(q.After), 0) {
		c.replyError(id, clip(room), &Error{Code: protocol.CodeBadRequest, Message: "after is not a cursor of an answer"})
		return
	}
	switch {
	case r == nil:
		c.replyError(id, clip(room), &Error{Code: protocol.CodeUnknownRoom, Message: "not joined"})
		return
	case r.Attendance == nil:
		c.replyError(id, room, toError(ErrNoPresence))
		return
	case v.unread(r):
		c.replyError(id, room, &Error{Code: protocol.CodeRateLimited, Message: "the previous answer is still unread: read it before you ask again", RetryAfter: unreadPause})
		return
	}
	ctx := v.request()
	defer ctx.finish()
	var err error
	switch {
	case q.Count:
		err = v.count(ctx, id, r)
	case len(q.After) > 0 || q.Limit > 0:
		err = v.members(ctx, id, r, string(q.After), q.Limit)
	default:
		err = v.everybody(ctx, id, r)
	}
	if err != nil {
		v.fault("presence", room, err)
		c.replyError(id, room, toError(err))
	}
}

// clip shortens a refused name for the refusal that repeats it.
func clip(room string) string {
	const most = 64
	if len(room) <= most {
		return room
	}
	return string([]rune(room[:most])) + "… (" + strconv.Itoa(len(room)) + " bytes)"
}
