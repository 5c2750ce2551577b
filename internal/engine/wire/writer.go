package wire

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/gohubkit/hubkit/internal/engine/frame"
	"github.com/gohubkit/hubkit/internal/engine/sock"
)

var (
	// ErrOverflow is what a sender gets whose message the backlog has no place for.
	ErrOverflow = errors.New("wire: backlog full")
	// ErrTimeout is why a Writer failed whose socket took nothing for the write timeout.
	ErrTimeout = errors.New("wire: write timed out")
	// ErrCrashed is why a Writer failed whose goroutine panicked, or was ended by the connection's own code.
	ErrCrashed = errors.New("wire: the goroutine that writes has crashed")
)

// Config is what the Writers of a hub share.
type Config struct {
	// MaxMessages and MaxBytes bound what waits for one socket.
	MaxMessages int
	MaxBytes    int
	// Timeout is how long a socket may take nothing while something waits.
	Timeout time.Duration
	// Deflater, when set, compresses for connections that negotiated it messages of at least
	// DeflateMin bytes.
	Deflater   *frame.Deflater
	DeflateMin int
	// Held, when set, is told how many bytes the backlogs of all Writers hold more, or less if it is negative, than before.
	// What several hold is counted once. It is called with a Writer locked, and must not block.
	Held func(bytes int)
}

// Owner is told of the end of its Writer. Unless it says otherwise, a method is called without a lock held, from whichever
// goroutine found out. None may block.
type Owner interface {
	// WriterFailed is called once, if the socket fails.
	WriterFailed(err error)
	// WriterFull is called once, if the backlog has outgrown its bound. What waited has been given up, except the rest of
	// a frame that is in the socket in part. Only Finish sends something from then on.
	WriterFull()
	// WriterBehind is called when there was no place for messages of a room that can be read from its history. From
	// then on those that come by the room are not sent, until somebody has read what is missing, see Behind, and
	// calls Resume.
	WriterBehind(room *frame.Source)
	// Run calls the function that finishes a queue, in a goroutine that the owner joins. The Writer has failed already when
	// the function panics. Run is called with the Writer locked.
	Run(func())
}

type state uint8

const (
	open      state = iota
	full            // the backlog has overflowed: only a close frame may follow
	finishing       // the close frame is queued or sent: nothing may follow it
	closed
)

// Writer writes to one socket. Its zero value needs Init. All methods may be called from several
// goroutines; none blocks.
type Writer struct {
	conf  *Config
	owner Owner
	conn  net.Conn

	mu        sync.Mutex
	backlog   *backlog // nil while nothing waits; its presence means that a flush goroutine exists
	slow      *slow    // nil until something could not be sent as it came
	delivered int64    // room messages that are wholly in the socket
	fd        int32    // -1 where the socket cannot be written without blocking
	state     state
	deflate   bool
	lagging   bool // slow has lags
}

// Init readies the Writer. fd is conn's descriptor, or -1.
func (w *Writer) Init(conf *Config, owner Owner, conn net.Conn, fd int) {
	w.conf, w.owner, w.conn, w.fd = conf, owner, conn, int32(fd)
}

// Deflate sends what follows compressed.
func (w *Writer) Deflate() {
	w.mu.Lock()
	w.deflate = true
	w.mu.Unlock()
}

// Send sends the messages of b from the one at index from on. It reports how many plain ones of them the socket
// took, which is for the caller to count, and whether the Writer holds on to b. An error means that the connection is
// gone or going.
func (w *Writer) Send(b *frame.Batch, from int) (sent int, retained bool, err error) {
	w.mu.Lock()
	if w.lagging {
		b, from = w.pass(b, from)
	}
	if w.state != open {
		w.dropFrom(b, from)
		w.mu.Unlock()
		return 0, false, net.ErrClosed
	}
	if w.deflate && b.Source() != nil {
		b = b.Deflated(w.conf.Deflater, w.conf.DeflateMin)
	}
	data := b.Wire(from)
	if len(data) == 0 {
		w.mu.Unlock()
		return 0, false, nil
	}
	if w.backlog == nil {
		n, err := w.writeNow(data)
		if err == nil && n == len(data) {
			sent = w.told(b, from, b.Len())
			w.mu.Unlock()
			return sent, false, nil
		}
		if err != nil {
			w.dropFrom(b, from)
			w.fail(err)
			return 0, false, err
		}
		sent = w.rest(b, from, n)
		w.mu.Unlock()
		return sent, true, nil
	}
	if it := itemAt(b, b.Size()-len(data)); !w.queue(&it) {
		w.drop(b.Source(), it.plain())
		w.overflow()
		return 0, false, ErrOverflow
	}
	w.unlock()
	return 0, true, nil
}

// Excepted implements frame.Excepter: the owner knows, if it is one.
func (w *Writer) Excepted(who any) bool {
	x, ok := w.owner.(frame.Excepter)
	return ok && x.Excepted(who)
}

// told counts what the socket has taken whole: events, which are counted here, and plain messages, which it returns.
func (w *Writer) told(b *frame.Batch, from, to int) (plain int) {
	plain, events := b.Count(from, to)
	if events > 0 {
		b.Source().Account.Events.Add(int64(events))
	}
	w.delivered += int64(plain)
	return plain
}

// rest queues what the socket did not take: all but n bytes. It reports how many plain messages went out.
func (w *Writer) rest(b *frame.Batch, from, n int) (sent int) {
	it := itemAt(b, b.Size()-len(b.Wire(from))+n)
	sent = w.told(b, from, b.Len()-it.left)
	if b.Source().Overflow == frame.Conflate {
		w.conflate(&it)
	}
	w.begin(it)
	return sent
}

// SendOne sends one whole frame. wire may be reused after the call.
func (w *Writer) SendOne(wire []byte) error {
	w.mu.Lock()
	if w.state != open {
		w.mu.Unlock()
		return net.ErrClosed
	}
	return w.sendOne(wire)
}

// Finish sends a close frame; nothing is sent after it. It does nothing where the Writer was finished
// before or has failed.
func (w *Writer) Finish(closeFrame []byte) {
	w.mu.Lock()
	if w.state >= finishing {
		w.mu.Unlock()
		return
	}
	w.state = finishing
	_ = w.sendOne(closeFrame) // the owner hears of a failure
}

// sendOne is called with mu held and releases it.
func (w *Writer) sendOne(wire []byte) error {
	n := 0
	if w.backlog == nil {
		var err error
		if n, err = w.writeNow(wire); err != nil {
			w.fail(err)
			return err
		}
		if n == len(wire) {
			w.mu.Unlock()
			return nil
		}
	}
	return w.queueOne(wire[n:], n > 0)
}

// queueOne queues what is left of a frame. It is called with mu held and releases it. Apart from sendOne it keeps off the
// stack what most frames do not need.
func (w *Writer) queueOne(rest []byte, begun bool) error {
	it := itemAt(frame.Single(append([]byte(nil), rest...)), 0)
	it.rest = begun
	switch {
	case w.backlog == nil:
		w.begin(it)
	case w.state == finishing:
		w.backlog.push(it) // the last one always has a place
	case !w.force(&it):
		w.overflow()
		return ErrOverflow
	}
	w.unlock()
	return nil
}

// Close closes the socket at once and drops what waits. It reports whether this call did so.
func (w *Writer) Close() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.closeLocked()
}

// Backlog tells what waits for the socket.
func (w *Writer) Backlog() (messages, bytes int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.backlog == nil {
		return 0, 0
	}
	return w.backlog.messages, w.backlog.bytes
}

// Immediate reports whether all that the socket takes is in it, so that waiting changes nothing soon. Otherwise a goroutine is
// about to write what waits.
func (w *Writer) Immediate() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.fd >= 0 || w.backlog == nil || w.state == closed
}

// Drained blocks until nothing waits for the socket, or ctx ends.
func (w *Writer) Drained(ctx context.Context) error {
	for {
		w.mu.Lock()
		if w.state == closed {
			w.mu.Unlock()
			return net.ErrClosed
		}
		if w.backlog == nil {
			w.mu.Unlock()
			return nil
		}
		changed := w.backlog.await()
		w.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Use calls f with the socket's descriptor, which stays valid until f returns. It returns net.ErrClosed where
// the Writer is closed. f must not block.
func (w *Writer) Use(f func(fd int) error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fd < 0 {
		return net.ErrClosed
	}
	return f(int(w.fd))
}

// TryUse is Use where nobody else uses the Writer, which it does not wait for. It reports whether f was called.
func (w *Writer) TryUse(f func(fd int)) bool {
	if !w.mu.TryLock() {
		return false
	}
	defer w.mu.Unlock()
	if w.fd < 0 {
		return false
	}
	f(int(w.fd))
	return true
}

// writeNow writes what the socket takes now. A socket that takes nothing is no error.
func (w *Writer) writeNow(p []byte) (int, error) {
	if w.fd < 0 {
		return 0, nil
	}
	return sock.Send(int(w.fd), p)
}

// begin makes a backlog of what the socket did not take.
func (w *Writer) begin(it item) {
	w.backlog = &backlog{held: w.conf.Held}
	w.backlog.push(it)
	w.owner.Run(w.flush)
}

// unlock releases mu, and tells the owner what it has to hear without it.
func (w *Writer) unlock() {
	var fell []*frame.Source
	if w.slow != nil {
		fell, w.slow.fell = w.slow.fell, nil
	}
	w.mu.Unlock()
	for _, src := range fell {
		w.owner.WriterBehind(src)
	}
}

// fail is called with mu held and releases it.
func (w *Writer) fail(err error) {
	did := w.closeLocked()
	w.mu.Unlock()
	if did {
		w.owner.WriterFailed(err)
	}
}

func (w *Writer) closeLocked() bool {
	if w.state == closed {
		return false
	}
	w.state = closed
	if w.backlog != nil {
		for i := range w.backlog.items {
			it := &w.backlog.items[i]
			w.drop(it.batch.Source(), it.plain())
			w.backlog.release(it.batch)
		}
		w.backlog.change()
	}
	w.dropOwed()
	// The descriptor is used only under mu or through conn, so nobody writes to a number that
	// the system has given to another connection meanwhile.
	w.fd = -1
	if tls, ok := w.conn.(interface{ NetConn() net.Conn }); ok && w.backlog != nil {
		// The socket is full, and the goodbye of TLS would wait for it, with mu held, for five seconds.
		_ = tls.NetConn().Close()
	}
	_ = w.conn.Close()
	return true
}
