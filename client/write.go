package client

import (
	"fmt"
	"time"

	"github.com/gorilla/websocket"
)

// write is the only place that writes to a welcomed connection. It returns when writing fails, or with
// the last frame of a connection that ends.
func (l *link) write() error {
	q := l.c.queue
	rate := newBucket(l.c.config.rate, l.c.config.burst, time.Now())
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	var buf []byte
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
		wait := rate.wait(now)
		if wait == 0 {
			frame, ok := q.next(buf[:0], now)
			if ok {
				rate.spend()
				if err := l.writeFrame(frame); err != nil {
					return err
				}
				if buf = frame; cap(buf) > 64<<10 {
					buf = nil
				}
				continue
			}
			wait = time.Hour
		}
		timer.Reset(wait)
		select {
		case <-l.stop:
		case <-q.ready:
		case <-timer.C:
		}
	}
}

func (l *link) writeFrame(frame []byte) error {
	_ = l.ws.SetWriteDeadline(time.Now().Add(l.c.config.writeTimeout))
	if err := l.ws.WriteMessage(websocket.TextMessage, frame); err != nil {
		return fmt.Errorf("client: write: %w", err)
	}
	return nil
}

// writeControl writes the ping and the pong that are due. Of several pings not yet answered only the
// last is (RFC 6455, section 5.5.3).
func (l *link) writeControl() error {
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
		return l.control(websocket.PingMessage, nil)
	}
	return nil
}

func (l *link) control(kind int, payload []byte) error {
	if err := l.ws.WriteControl(kind, payload, time.Now().Add(l.c.config.writeTimeout)); err != nil {
		return fmt.Errorf("client: write: %w", err)
	}
	return nil
}

func (l *link) sayGoodbye() error {
	if l.goodbye == nil {
		return nil
	}
	return l.ws.WriteControl(websocket.CloseMessage, l.goodbye, time.Now().Add(farewell))
}
