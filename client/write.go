package client

import (
	"fmt"
	"time"

	"github.com/gorilla/websocket"

	"github.com/gohubkit/hubkit/protocol"
)

// write is the only place that writes to a welcomed connection. It returns when writing fails, or with
// the last frame of a connection that ends.
func (l *connection) write() error {
	timer := time.NewTimer(never)
	defer timer.Stop()
	var frame []byte
	var r *request // whose frame is to be written
	for {
		select {
		case <-l.stop:
			return l.sayGoodbye()
		default:
		}
		if err := l.writeControl(); err != nil {
			return err
		}
		now := time.Now()
		wait := l.pace.wait(now)
		if wait == 0 && r == nil {
			r, frame, wait = l.c.queue.next(frame[:0], now)
		}
		if wait == 0 {
			wait = l.pace.waitBytes(now, len(frame))
		}
		if wait == 0 {
			if r.op == protocol.OpPublish {
				l.pace.published(r.id, len(frame))
			} else {
				l.pace.sent(len(frame))
			}
			if err := l.writeFrame(frame); err != nil {
				return err
			}
			if r = nil; cap(frame) > 64<<10 {
				frame = nil
			}
			continue
		}
		timer.Reset(wait)
		select {
		case <-l.stop:
		case <-l.c.queue.ready:
		case <-timer.C:
		}
	}
}

func (l *connection) writeFrame(frame []byte) error {
	_ = l.ws.SetWriteDeadline(time.Now().Add(l.c.config.writeTimeout))
	if err := l.ws.WriteMessage(l.kind(), l.encoded(frame)); err != nil {
		return fmt.Errorf("client: write: %w", err)
	}
	l.c.counters.messagesOut.Add(1)
	return nil
}

// writeControl writes the ping and the pong that are due. Of several pings not yet answered only the
// last is (RFC 6455, section 5.5.3).
func (l *connection) writeControl() error {
	var payload [125]byte
	l.mu.Lock()
	ping, pong, n := l.ping, l.ponging, copy(payload[:], l.pong)
	l.ping, l.ponging = false, false
	l.mu.Unlock()
	if pong {
		if err := l.control(websocket.PongMessage, payload[:n]); err != nil {
			return err
		}
	}
	if ping {
		l.pace.sent(0) // servers count pings as messages
		l.pulse.written()
		return l.control(websocket.PingMessage, nil)
	}
	return nil
}

func (l *connection) control(kind int, payload []byte) error {
	if err := l.ws.WriteControl(kind, payload, time.Now().Add(l.c.config.writeTimeout)); err != nil {
		return fmt.Errorf("client: write: %w", err)
	}
	return nil
}

func (l *connection) sayGoodbye() error {
	if l.goodbye == nil {
		return nil
	}
	return l.ws.WriteControl(websocket.CloseMessage, l.goodbye, time.Now().Add(farewell))
}
