package client

import (
	"errors"
	"fmt"
	"io"

	"github.com/gohubkit/hubkit/protocol"
)

// dropFrame does without a frame above the read limit, of which head is the beginning. It costs that frame: who waits for
// it is told, and what comes behind it is read. If it may have been compressed the connection ends all the same, since more
// than the limit is not inflated. goOn is false when the connection ends already.
func (l *link) dropFrame(head []byte) (goOn bool, err error) {
	known := l.event.DecodeHead(head)
	if !known {
		l.event.Op = protocol.OpUnknown
	}
	if !l.handleDropped(&l.event) {
		return false, nil
	}
	if l.deflate {
		return false, errTooBig
	}
	for {
		l.pulse.hear()
		switch _, err := l.rest.Read(l.buf[:cap(l.buf)]); {
		case errors.Is(err, io.EOF):
			return true, nil
		case err != nil:
			return false, readError(err)
		}
	}
}

// handleDropped tells whom a frame was for. It reports false when the connection ends.
func (l *link) handleDropped(ev *protocol.Event) bool {
	if ev.ID != 0 {
		if r := l.c.queue.answer(ev.ID); r != nil {
			r.finish(l.tooLarge("the answer"))
			return true
		}
	}
	s, _ := l.room(ev.Room)
	switch {
	case s == nil:
		what := "a message"
		if len(ev.Room) > 0 {
			what = fmt.Sprintf("a message of room %q", ev.Room)
		}
		err := l.tooLarge(what)
		l.c.config.log.Warn("hubkit client dropped a message", "error", err)
		f := l.c.config.onState
		return f == nil || l.post(event{call: func() { f(State{Status: Dropped, Err: err}) }})
	case !s.joined:
		return true
	}
	if ev.Op == protocol.OpMessage && !ev.Position.IsZero() {
		pos := position(ev.Position, s.next.Epoch)
		if pos.Epoch == s.next.Epoch && pos.Offset <= s.next.Offset {
			return true // a duplicate
		}
		if !l.missed(s, pos) {
			return false
		}
	}
	err := &RoomError{Room: s.room, Err: l.tooLarge("a message")}
	l.c.config.log.Warn("hubkit client dropped a message", "room", s.room, "offset", ev.Position.Offset, "error", err)
	return s.onError == nil || l.post(event{call: func() { s.fail(err) }})
}

func (l *link) tooLarge(what string) error {
	return fmt.Errorf("%w: %s has more than the %d bytes of WithReadLimit", ErrTooLarge, what, l.c.config.readLimit)
}
