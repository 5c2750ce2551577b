package door

import (
	"errors"
	"syscall"
	"time"

	"github.com/gohubkit/hubkit/internal/engine/sock"
)

// acceptBatch bounds how many connections are accepted before those that have said something are looked at.
const acceptBatch = 64

// accept takes what waits at the listener.
func (lb *lobby) accept() {
	for range acceptBatch {
		err := lb.door.raw.Control(lb.take)
		if err != nil { // somebody has closed the listener
			_ = lb.door.close()
			return
		}
		switch err := lb.failed; {
		case err == nil:
			lb.pause = 0
			// With Nagle's algorithm the second of two small frames waits for the other side's delayed ACK. A socket that inherits the
			// option from its listener says that it has it, and yet holds the first frame behind the handshake back for 40 ms.
			_ = sock.NoDelay(lb.taken.fd) // it is gone, if that fails
			lb.arrived(lb.taken)
		case errors.Is(err, syscall.EAGAIN):
			return
		case errors.Is(err, syscall.ECONNABORTED), short(err) && lb.door.evict():
		default:
			// As net/http does, but not for as long: who is here waits too.
			lb.pause = min(max(2*lb.pause, 5*time.Millisecond), 80*time.Millisecond)
			lb.door.logf("http: Accept error: %v; retrying in %v", err, lb.pause)
			time.Sleep(lb.pause)
			return
		}
	}
}

// short reports whether a descriptor that is closed may mend an error.
func short(err error) bool { return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) }

// arrived takes a connection in.
func (lb *lobby) arrived(a arrival) {
	if !lb.door.inUse.Take() && !lb.door.evict() {
		lb.refuse(a)
		return
	}
	a.came = lb.door.now()
	n, err := sock.Recv(a.fd, lb.buf[:])
	switch {
	case errors.Is(err, syscall.EAGAIN):
		lb.admit(a, nil)
		return
	case err != nil || n == 0:
		_ = syscall.Close(a.fd)
		return
	}
	switch v, end := lb.door.judge(lb.buf[:n]); v {
	case unfinished:
		lb.admit(a, lb.buf[:n])
	case handshake:
		lb.answer(a, lb.buf[:n], end)
	default:
		a.bytes = append([]byte(nil), lb.buf[:n]...)
		lb.door.pass(a)
	}
}

// judge is the function of that name, within the server's own bound.
func (d *door) judge(p []byte) (v verdict, end int) {
	v, end = judge(p)
	if m := d.maxHead(); v == handshake && len(p) > m || v == unfinished && len(p) >= m {
		return foreign, 0
	}
	return v, end
}
