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
	// Sent, when set, counts what the sockets of all Writers take.
	Sent *Sent
}

// Owner is told of the end of its Writer. Unless it says otherwise, a method is called without a lock held, from whichever
// goroutine found out. None may block.
type Owner interface {
	// Config returns what the hub's Writers share, always the same. It is called with the Writer locked. The Owner has it because a
	// million Writers would have a million pointers to it.
	Config() *Config
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
	owner Owner
	conn  net.Conn

	mu        sync.Mutex
	rare      *rare  // nil if there is neither a backlog nor a slow
	bytes     uint64 // that the socket has taken
	messages  uint64 // that are wholly in the socket
	delivered int64  // of them, the plain ones of rooms
	fd        int32  // -1 if there is none, or the Writer is closed
	state     state
	form      frame.Form
	traits    traits
	lagging   bool // slow has lags
}

// traits are flags in the size of one.
type traits uint8

const (
	deflates     traits = 1 << iota // what follows is compressed
	stamps                          // slow has a Stamper
	sealedSocket                    // what conn writes to the socket is not what it is given: TLS
	tapped                          // slow has Taps
	last                            // the end follows what is sent next

	// alters: the connection is sent something else than the batches that others share, or what it is sent is shown.
	alters = deflates | stamps | tapped
)

// Init readies the Writer. fd is the descriptor of conn's socket, or -1. If what conn writes to it is not what it is given,
// the socket is sealed: only conn writes to it.
func (w *Writer) Init(owner Owner, conn net.Conn, fd int, sealed bool) {
	w.owner, w.conn, w.fd = owner, conn, int32(fd)
	if sealed {
		w.traits = sealedSocket
	}
}

// Speak sets the form of the batches that are sent, before the first.
func (w *Writer) Speak(f frame.Form) { w.form = f }

// Form implements fanout.Former.
func (w *Writer) Form() frame.Form { return w.form }

// direct reports whether the socket is written without conn, and so without blocking. It is called with mu held.
func (w *Writer) direct() bool { return w.fd >= 0 && w.traits&sealedSocket == 0 }

// Conn is what Init was given; nil before. Write to it only through the Writer.
func (w *Writer) Conn() net.Conn { return w.conn }

// Owner is what Init was given.
func (w *Writer) Owner() Owner { return w.owner }

// Deflate sends what follows compressed.
func (w *Writer) Deflate() {
	w.mu.Lock()
	w.traits |= deflates
	w.mu.Unlock()
}

// Send sends the messages of b from the one at index from on. It reports how many plain ones of them the socket
// took, which is for the caller to count, and whether the Writer holds on to b. An error means that the connection is
// gone or going.
func (w *Writer) Send(b *frame.Batch, from int) (sent int, retained bool, err error) {
	w.lock()
	if w.lagging {
		b, from = w.pass(b, from)
	}
	if w.state != open {
		w.dropFrom(b, from)
		w.mu.Unlock()
		return 0, false, net.ErrClosed
	}
	if w.traits&alters != 0 {
		b, from = w.altered(b, from)
	}
	data := b.Wire(from)
	if len(data) == 0 {
		w.mu.Unlock()
		return 0, false, nil
	}
	if w.backlog() == nil {
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

// told counts what the socket has taken whole: all messages and the room's events, which are counted here, and plain messages,
// which it returns.
func (w *Writer) told(b *frame.Batch, from, to int) (plain int) {
	w.messages += uint64(to - from)
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

// Close closes the socket at once and drops what waits. It reports whether this call did so.
func (w *Writer) Close() bool {
	w.lock()
	defer w.mu.Unlock()
	return w.closeLocked()
}

// Backlog tells what waits for the socket.
func (w *Writer) Backlog() (messages, bytes int) {
	w.lock()
	defer w.mu.Unlock()
	q := w.backlog()
	if q == nil {
		return 0, 0
	}
	return q.messages, q.bytes
}

// Immediate reports whether all that the socket takes is in it, so that waiting changes nothing soon. Otherwise a goroutine is
// about to write what waits.
func (w *Writer) Immediate() bool {
	w.lock()
	defer w.mu.Unlock()
	return w.direct() || w.backlog() == nil || w.state == closed
}

// Drained blocks until nothing waits for the socket, or ctx ends.
func (w *Writer) Drained(ctx context.Context) error {
	for {
		w.lock()
		if w.state == closed {
			w.mu.Unlock()
			return net.ErrClosed
		}
		q := w.backlog()
		if q == nil {
			w.mu.Unlock()
			return nil
		}
		changed := q.await()
		w.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Use calls f with the socket's descriptor, which stays valid until f returns. It returns net.ErrClosed if
// the Writer is closed. f must not block.
func (w *Writer) Use(f func(fd int) error) error {
	w.lock()
	defer w.mu.Unlock()
	if w.fd < 0 {
		return net.ErrClosed
	}
	return f(int(w.fd))
}

// TryUse is Use if no other call uses the Writer. It does not wait for one. It reports whether f was called.
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
	if !w.direct() {
		return 0, nil
	}
	send := sock.Send
	if w.traits&last != 0 {
		send = sock.SendLast
	}
	n, err := send(int(w.fd), p)
	w.count(n)
	return n, err
}

// begin makes a backlog of what the socket did not take.
func (w *Writer) begin(it item) {
	q := &backlog{held: w.owner.Config().Held}
	q.push(it)
	w.setBacklog(q)
	w.owner.Run(w.flush)
}

// unlock releases mu, and tells the owner what it has to hear without it.
func (w *Writer) unlock() {
	var fell []*frame.Source
	if s := w.slow(); s != nil {
		fell, s.fell = s.fell, nil
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
	if q := w.backlog(); q != nil {
		for i := range q.items {
			it := &q.items[i]
			w.drop(it.batch.Source(), it.plain())
			q.release(it.batch)
		}
		q.change()
	}
	w.dropOwed()
	if w.traits&last != 0 && w.direct() {
		_ = sock.EndSending(int(w.fd)) // an error means that the other side has reset the connection
	}
	// The descriptor is used only under mu or through conn, so nobody writes to a number that
	// the system has given to another connection meanwhile.
	w.fd = -1
	if tls, ok := w.conn.(interface{ NetConn() net.Conn }); ok && w.backlog() != nil {
		// The socket is full, and the goodbye of TLS would wait for it, with mu held, for five seconds.
		_ = tls.NetConn().Close()
	}
	_ = w.conn.Close()
	return true
}
