package hub

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/internal/core/codec"
	"github.com/gohubkit/hubkit/internal/core/rooms"
	"github.com/gohubkit/hubkit/protocol"
	"github.com/gohubkit/hubkit/workerpool"
	"github.com/gorilla/websocket"
)

// handleRaw hands a raw hub's frame to the application.
func (c *Conn) handleRaw(opcode int, payload []byte) {
	if opcode == websocket.TextMessage && !utf8.Valid(payload) {
		c.closeWith(&CloseError{Code: protocol.CloseInvalidPayload, Reason: "text is not UTF-8"})
		return
	}
	c.message(Message{Data: bytes.Clone(payload), Binary: opcode == websocket.BinaryMessage})
}

// message calls OnMessage. A panic closes the connection, because what the message asked for may be done in part.
func (c *Conn) message(m Message) {
	f := c.hub.handlers.set.Load().message
	if f == nil {
		return
	}
	c.unbarAll()
	ctx, span := c.beginHandler("OnMessage")
	failed := crash // see guard
	defer func() {
		c.endHandler(span, failed)
		if failed != nil {
			c.closeWith(c.hub.closeFor(failed, protocol.CloseHandlerPanic))
		}
	}()
	failed = c.guard("OnMessage", func() error {
		f(ctx, c, m)
		return nil
	})
}

// v1Client is a Conn as protocol v1 sees it: from a frame to its request, and the answer.
type v1Client Conn

// handleFrame handles a frame of protocol v1.
func (v *v1Client) handleFrame(opcode int, payload []byte) {
	c := (*Conn)(v)
	switch {
	case opcode != int(c.writer.Form().Opcode()):
		reason := "binary frame on a connection of text frames"
		if opcode == websocket.TextMessage {
			reason = "text frame on a connection of binary frames"
		}
		c.closeWith(&CloseError{Code: protocol.CloseUnsupportedData, Reason: reason})
		return
	case opcode == websocket.TextMessage && !utf8.Valid(payload):
		c.closeWith(&CloseError{Code: protocol.CloseInvalidPayload, Reason: "text is not UTF-8"})
		return
	}
	if c.state.has(heavyMark) && v.queueBehind(payload) {
		return
	}
	v.dispatch(payload, false, 0)
}

// queueBehind keeps a frame in order while calls of the connection are on the worker pool. It reports whether it took
// the frame.
func (v *v1Client) queueBehind(payload []byte) bool {
	c := (*Conn)(v)
	payload = bytes.Clone(payload)
	since := v.waitsSince()
	queued, err := c.hub.pool.SubmitIfBusy(c.Context(), c.entry.Num, func(context.Context) {
		if v.begun() {
			defer c.hub.life.Leave()
			v.dispatch(payload, true, since)
		}
	})
	if err != nil {
		var q protocol.Request
		_ = c.codec().Request(payload, &q) // for the ID, if there is one
		c.replyError(q.ID, string(q.Room), busyError(err))
		return true
	}
	c.state.put(heavyMark, queued)
	return queued
}

// begun reports whether what waited on the worker pool is still wanted. The hub then waits for it until life.Leave,
// since the pool may belong to the application.
func (v *v1Client) begun() bool {
	c := (*Conn)(v)
	c.hub.life.Enter()
	if c.state.at() == closed {
		v.notRun()
		c.hub.life.Leave()
		return false
	}
	return true
}

func busyError(err error) *Error {
	e := &Error{Code: protocol.CodeBusy, Message: "too much work is waiting: try again later"}
	var busy *workerpool.BusyError
	switch {
	case errors.As(err, &busy):
		e.RetryAfter = busy.RetryAfter
	case errors.Is(err, net.ErrClosed):
		e = &Error{Code: protocol.CodeUnavailable, Message: "shutting down"}
	}
	return e
}

var requests = sync.Pool{New: func() any { return new(protocol.Request) }}

// dispatch does what a frame asks for. pooled says that it runs on the worker pool, in the connection's turn. since is
// when it began to wait for the pool, if there is a Tracer.
func (v *v1Client) dispatch(payload []byte, pooled bool, since time.Duration) {
	c := (*Conn)(v)
	q := requests.Get().(*protocol.Request)
	defer requests.Put(q)
	err := c.codec().Request(payload, q)
	if c.hub.conf.tracer != nil {
		defer v.endRequest(v.beginRequest(q, since, err))
	}
	if c.state.has(helloMark) {
		v.firstFrame(q, err)
		return
	}
	if err != nil {
		c.hub.stats.invalid.Add(1)
		c.replyError(q.ID, "", toError(err))
		return
	}
	if q.Op != protocol.OpJoin {
		c.letGo() // it may wait for the broker
	} else if !pooled && c.state.handling() == midFrame {
		c.gather()
	}
	switch q.Op {
	case protocol.OpPublish:
		v.publish(q)
	case protocol.OpCall:
		v.call(q, pooled)
	case protocol.OpSend:
		c.message(Message{Data: bytes.Clone(q.Data), Binary: q.Binary})
		v.replyOK(q.ID)
	case protocol.OpJoin:
		v.join(q)
	case protocol.OpLeave:
		v.leave(q)
	case protocol.OpPresence:
		v.presence(q)
	case protocol.OpPing:
		v.replyOK(q.ID)
	case protocol.OpHistory:
		v.history(q)
	case protocol.OpToken:
		v.token(q)
	default: // a second hello: the decoder refuses everything that is no request
		c.replyError(q.ID, "", &Error{Code: protocol.CodeBadRequest, Message: "hello is the first frame of a connection only"})
	}
}

// call runs a handler, here or on the worker pool.
func (v *v1Client) call(q *protocol.Request, pooled bool) {
	c := (*Conn)(v)
	m, ok := c.hub.handlers.set.Load().methods[string(q.Method)]
	if !ok {
		c.replyError(q.ID, "", &Error{Code: protocol.CodeUnknownMethod, Message: "no such method"})
		return
	}
	name, id, data := string(q.Method), q.ID, bytes.Clone(q.Data)
	if !m.heavy || pooled {
		v.answer(m.fn, name, id, data)
		return
	}
	span := v.putOff()
	err := c.hub.pool.Submit(c.Context(), c.entry.Num, func(context.Context) {
		v.takeUp(span)
		if v.begun() {
			defer c.hub.life.Leave()
			defer v.endRequest(span)
			v.answer(m.fn, name, id, data)
		}
	})
	if err != nil {
		defer v.endRequest(v.takeUp(span))
		c.replyError(id, "", busyError(err))
		return
	}
	c.state.set(heavyMark)
}

// answer runs a handler and sends its result. The client gets an answer however the handler ends.
func (v *v1Client) answer(fn HandlerFunc, name string, id uint64, data []byte) {
	c := (*Conn)(v)
	c.unbarAll()
	var out []byte
	failed := crash // see guard
	defer func() {
		switch {
		case failed != nil:
			c.replyError(id, "", v.handlerError(name, failed))
		case id != 0:
			c.send(func(dst []byte, x codec.Codec) []byte { return x.OK(dst, protocol.OK{ID: id, Data: out}) })
		}
	}()
	out, failed = v.run(fn, name, data)
}

// run calls a handler and encodes what it returns.
func (v *v1Client) run(fn HandlerFunc, name string, data []byte) (out []byte, failed *failure) {
	c := (*Conn)(v)
	ctx, span := c.beginHandler(name)
	failed = crash // see guard
	defer func() { c.endHandler(span, failed) }()
	failed = c.guard(name, func() error {
		result, err := fn(ctx, c, data)
		if err != nil {
			return err
		}
		out, err = encodeResult(result) // with the result's own methods
		return err
	})
	return out, failed
}

// handlerError is what the client is told of a call that failed.
func (v *v1Client) handlerError(name string, f *failure) *Error {
	c := (*Conn)(v)
	if f.call != nil {
		return f.call
	}
	switch {
	case f.crashed: // guard has logged it
	case f.late && c.Context().Err() != nil:
		c.hub.report(name, c, f, true)
	default:
		c.hub.log.Error("handler failed", "handler", name, "conn", c.ID(), "err", f.cause.text)
	}
	return &Error{Code: protocol.CodeInternal, Message: "the handler failed"}
}

// encodeResult returns a value as JSON, and nil for nil. json.Marshal does not check what a MarshalJSON or a
// json.RawMessage holds, which may be invalid UTF-8.
func encodeResult(v any) ([]byte, error) {
	var out []byte
	switch v := v.(type) {
	case nil:
		return nil, nil
	case json.RawMessage:
		if out = v; out == nil {
			return nil, nil
		}
	default:
		var err error
		if out, err = json.Marshal(v); err != nil {
			return nil, err
		}
	}
	if !protocol.Valid(out) {
		return nil, ErrData
	}
	return out, nil
}

func (v *v1Client) replyOK(id uint64) {
	c := (*Conn)(v)
	if id != 0 {
		c.send(func(dst []byte, x codec.Codec) []byte { return x.OK(dst, protocol.OK{ID: id}) })
	}
}

func (c *Conn) replyError(id uint64, room string, e *Error) {
	if c.hub.conf.tracer != nil {
		c.noteError(e)
	}
	c.send(func(dst []byte, x codec.Codec) []byte { return x.Error(dst, id, room, e) })
	c.returnsFor(e)
}

// toError is what the client is told of err.
func toError(err error) *Error {
	var e *Error
	switch {
	case errors.As(err, &e):
		return e
	case errors.Is(err, broker.ErrRoomName):
		return &Error{Code: protocol.CodeBadRoom, Message: "room names are 1 to 255 bytes of UTF-8 without control characters"}
	case errors.Is(err, broker.ErrUnavailable), errors.Is(err, context.DeadlineExceeded):
		return &Error{Code: protocol.CodeUnavailable, Message: "try again"}
	case errors.Is(err, ErrTooManyRooms):
		return &Error{Code: protocol.CodeTooManyRooms, Message: "the connection is in as many rooms as it may be: leave one first"}
	case errors.Is(err, ErrNoHistory):
		return &Error{Code: protocol.CodeNoHistory, Message: "the room has no history"}
	case errors.Is(err, rooms.ErrGone):
		return &Error{Code: protocol.CodeGone, Message: "the history after this position is no longer stored"}
	case errors.Is(err, ErrNoPresence):
		return &Error{Code: protocol.CodeNoPresence, Message: "the room has no presence"}
	case errors.Is(err, ErrJoining):
		return &Error{Code: protocol.CodeConflict, Message: "a join of this room is under way"}
	}
	return &Error{Code: protocol.CodeInternal, Message: "the server failed"}
}
