package hub

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// streamBody is the net.Conn of a stream whose connection belongs to the HTTP server: what is written to it becomes
// part of the answer. The handler must not return before wait does.
type streamBody struct {
	exchange
	ctx    context.Context //nolint:containedctx // the request's
	remote net.Addr
	local  net.Addr

	// use is held for reading by code that uses the ResponseWriter, and for writing by the handler when it returns.
	use      sync.RWMutex
	over     bool // the handler has returned; guarded by use
	writing  atomic.Bool
	deadline atomic.Pointer[time.Time]

	closing sync.Once
	closed  chan struct{}
}

func newStreamBody(s *sse) *streamBody {
	b := &streamBody{exchange: s.exchange, ctx: s.r.Context(), remote: peerOf(s.r), closed: make(chan struct{})}
	if b.local, _ = b.ctx.Value(http.LocalAddrContextKey).(net.Addr); b.local == nil {
		b.local = b.remote
	}
	return b
}

// begin sends the head of the answer.
func (b *streamBody) begin() {
	// The http.Server's deadlines are not for streams. A ResponseWriter without deadlines leaves it to the server.
	_ = b.control.SetReadDeadline(time.Time{})
	_ = b.control.SetWriteDeadline(time.Time{})
	b.w.WriteHeader(http.StatusOK)
	_ = b.control.Flush() // the first write fails again if this did
}

// wait blocks until the stream is closed and no goroutine uses the ResponseWriter.
func (b *streamBody) wait() {
	<-b.closed
	b.use.Lock()
	defer b.use.Unlock()
	b.over = true
}

// Read blocks until the client has left.
func (b *streamBody) Read([]byte) (int, error) {
	select {
	case <-b.closed:
		return 0, net.ErrClosed
	case <-b.ctx.Done():
		return 0, io.EOF
	}
}

// Write is called by one goroutine at a time.
func (b *streamBody) Write(p []byte) (int, error) {
	b.use.RLock()
	defer b.use.RUnlock()
	select {
	case <-b.closed:
		return 0, net.ErrClosed
	default:
	}
	b.writing.Store(true)
	defer b.writing.Store(false)
	due := b.deadline.Load()
	if due != nil && !due.IsZero() {
		_ = b.control.SetWriteDeadline(*due)
		defer func() { _ = b.control.SetWriteDeadline(time.Time{}) }()
	}
	n, err := b.w.Write(p)
	if err == nil {
		if err = b.control.Flush(); errors.Is(err, http.ErrNotSupported) {
			err = nil
		}
	}
	if err != nil && due != nil && !due.IsZero() && !time.Now().Before(*due) {
		err = fmt.Errorf("hub: event stream: %w", os.ErrDeadlineExceeded)
	}
	return n, err
}

// Close does not block. It ends a Write that is under way.
func (b *streamBody) Close() error {
	b.closing.Do(func() {
		close(b.closed)
		if b.writing.Load() && b.use.TryRLock() {
			defer b.use.RUnlock()
			if !b.over {
				_ = b.control.SetWriteDeadline(time.Unix(1, 0))
			}
		}
	})
	return nil
}

// SetWriteDeadline is for the next Write.
func (b *streamBody) SetWriteDeadline(t time.Time) error {
	b.deadline.Store(&t)
	return nil
}

func (b *streamBody) SetDeadline(t time.Time) error   { return b.SetWriteDeadline(t) }
func (b *streamBody) SetReadDeadline(time.Time) error { return nil }
func (b *streamBody) LocalAddr() net.Addr             { return b.local }
func (b *streamBody) RemoteAddr() net.Addr            { return b.remote }
