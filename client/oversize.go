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
func (l *connection) dropFrame(head []byte) (goOn bool, err error) {
	known := l.decodeHead(head)
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
func (l *connection) handleDropped(ev *protocol.Event) bool {
	if ev.ID != 0 {
		if r := l.c.queue.answer(ev.ID); r != nil {
			r.finish(l.tooLarge("the answer"))
		}
		return true
	}
	s, stray := l.room(ev.Room)
	config := l.c.config
	switch {
	case s != nil:
		return !s.joined || l.dropOf(s, ev)
	case len(ev.Room) > 0:
		return !stray || config.onRoomMessage == nil || l.dropped(fmt.Sprintf("a message of room %q", ev.Room))
	case ev.Op == protocol.OpMessage:
		return config.onMessage == nil || l.dropped("a message to this connection")
	}
	return l.dropped("a frame")
}

// dropOf tells a subscription.
func (l *connection) dropOf(s *Subscription, ev *protocol.Event) bool {
	what := "a message"
	if ev.Op != protocol.OpMessage {
		if s.onPresence == nil {
			return true
		}
		what = "the info of a member"
	} else if pos := position(ev.Position, s.next.Epoch); !pos.IsZero() {
		if pos.Epoch == s.next.Epoch && pos.Offset <= s.next.Offset {
			return true // a duplicate
		}
		if !l.missed(s, pos) {
			return false
		}
	}
	err := &RoomError{Room: s.room, Err: l.tooLarge(what)}
	l.c.config.log.Warn("hubkit client dropped a message", "room", s.room, "offset", ev.Position.Offset, "error", err)
	return s.onError == nil || l.post(event{call: func() { s.fail(err) }})
}

// dropped tells the application of what no subscription and no request waits for.
func (l *connection) dropped(what string) bool {
	err := l.tooLarge(what)
	l.c.config.log.Warn("hubkit client dropped a message", "error", err)
	f := l.c.config.onState
	return f == nil || l.post(event{call: func() { f(State{Status: Dropped, Err: err}) }})
}

func (l *connection) tooLarge(what string) error {
	return fmt.Errorf("%w: %s has more than the %d bytes of WithReadLimit", ErrTooLarge, what, l.c.config.readLimit)
}
