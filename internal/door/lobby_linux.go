package door

import (
	"bytes"
	"errors"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/gohubkit/hubkit/internal/engine/sock"
	"golang.org/x/sys/unix"
)

// lookEvery is how often the first lobby looks whether somebody else has closed the listener.
const lookEvery = time.Second

// theListener is the token of the listener in a lobby's set; all others are places.
const theListener = ^uint64(0)

// lobby is where connections are until their head is whole. One goroutine accepts, reads and waits for all of them. Others come
// in by mu only.
type lobby struct {
	door     *door
	set      *sock.Set
	watching bool // for the end of the listener; it is the first lobby
	done     chan struct{}
	buf      [maxHead]byte // what is read comes here first
	take     func(fd uintptr)
	taken    arrival // by take
	failed   error
	pause    time.Duration // before the next try to accept, once one has failed

	mu      sync.Mutex
	places  []place
	free    []uint32
	waiting list // for the rest of their head, the oldest first
	leaving list // for the other side's end, the oldest first
	busy    busyList
	wake    time.Time // when the goroutine is to look at the lists; zero if nothing is in them
	closed  bool
}

// place is a token's meaning.
type place struct {
	who any // *guest or *exchange, or nil
	gen uint32
}

func newLobby(d *door) (*lobby, error) {
	set, err := sock.NewSet()
	if err != nil {
		return nil, err
	}
	lb := &lobby{door: d, set: set, done: make(chan struct{})}
	lb.take = func(fd uintptr) { lb.taken.fd, lb.taken.from, lb.failed = sock.Accept(int(fd)) }
	err = d.onListener(func(fd int) error {
		return lb.control(syscall.EPOLL_CTL_ADD, fd, syscall.EPOLLIN|unix.EPOLLEXCLUSIVE, theListener)
	})
	if err != nil {
		_ = set.Close()
		return nil, err
	}
	return lb, nil
}

func (lb *lobby) control(op, fd int, events uint32, token uint64) error {
	return sock.Control(lb.set.FD, op, fd, &syscall.EpollEvent{Events: events, Fd: int32(uint32(token)), Pad: int32(token >> 32)})
}

// run is the lobby's goroutine.
func (lb *lobby) run() {
	defer close(lb.done)
	defer lb.door.forgetPassed() // nobody else is left who passes on what was here
	defer lb.set.Close()         //nolint:errcheck // nothing is in it
	var events [128]syscall.EpollEvent
	lb.rouse(time.Now())
	for {
		n, err := lb.set.Wait(events[:])
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return // nothing else fails on a valid set and a valid buffer
		}
		for _, ev := range events[:max(n, 0)] {
			if token := uint64(uint32(ev.Fd)) | uint64(uint32(ev.Pad))<<32; token == theListener {
				lb.accept()
			} else {
				lb.ready(token)
			}
		}
		if err != nil && lb.sweep() {
			return
		}
	}
}

// rouse makes the goroutine look at the lists at t, or before.
func (lb *lobby) rouse(t time.Time) {
	lb.mu.Lock()
	lb.rouseLocked(t)
	lb.mu.Unlock()
}

// rouseLocked is rouse with mu held.
func (lb *lobby) rouseLocked(t time.Time) {
	if lb.wake.IsZero() || t.Before(lb.wake) {
		lb.wake = t
		_ = lb.set.SetDeadline(t) // the set is closed only when nobody is left to be woken for
	}
}

// admit makes a guest of a connection whose head is not whole.
func (lb *lobby) admit(a arrival, head []byte) {
	g := &guest{fd: int32(a.fd), came: a.came, addr: a.from.Addr(), port: a.from.Port()}
	g.head = append(g.head, head...)
	lb.mu.Lock()
	defer lb.mu.Unlock()
	if lb.closed || !lb.enter(g, &g.place, a.fd, syscall.EPOLLIN|syscall.EPOLLRDHUP) {
		_ = syscall.Close(a.fd)
		return
	}
	lb.waiting.push(g)
	if t := lb.door.headTimeout(); t > 0 {
		lb.rouseLocked(lb.door.born.Add(g.came + t))
	}
}

// enter gives somebody a place, and watches the socket. It is called with mu held.
func (lb *lobby) enter(who any, at *uint32, fd int, events uint32) bool {
	if n := len(lb.free); n > 0 {
		*at, lb.free = lb.free[n-1], lb.free[:n-1]
	} else {
		*at = uint32(len(lb.places))
		lb.places = append(lb.places, place{})
	}
	p := &lb.places[*at]
	if lb.control(syscall.EPOLL_CTL_ADD, fd, events, uint64(p.gen)<<32|uint64(*at)) != nil {
		lb.free = append(lb.free, *at)
		return false
	}
	p.who = who
	return true
}

// leave takes a place back. The socket leaves the set unless it is to be closed. It is called with mu held.
func (lb *lobby) leave(at uint32, fd int, closes bool) {
	p := &lb.places[at]
	p.who = nil
	p.gen++
	lb.free = append(lb.free, at)
	if !closes {
		_ = lb.control(syscall.EPOLL_CTL_DEL, fd, 0, 0)
	}
}

// ready is called for a socket of which there is something to see.
func (lb *lobby) ready(token uint64) {
	lb.mu.Lock()
	at := uint32(token)
	p := &lb.places[at]
	if uint64(p.gen) != token>>32 {
		lb.mu.Unlock()
		return
	}
	switch who := p.who.(type) {
	case *exchange:
		lb.mu.Unlock()
		(*requestContext)(who).clientLeft()
		return
	case *guest:
		if who.leaving {
			lb.listen(who)
		} else if a, head, end, v := lb.read(who); v != unfinished {
			lb.mu.Unlock()
			if v == handshake {
				lb.answer(a, head, end)
			} else {
				lb.door.pass(a)
			}
			return
		}
	}
	lb.mu.Unlock()
}

// read takes what a guest has sent. If its head is whole, or nothing that the door takes, it is a guest no more. It is called with mu
// held.
func (lb *lobby) read(g *guest) (a arrival, head []byte, end int, v verdict) {
	n, err := sock.Recv(int(g.fd), lb.buf[:maxHead-len(g.head)])
	if errors.Is(err, syscall.EAGAIN) {
		return a, nil, 0, unfinished
	}
	if err != nil || n == 0 && len(g.head) == 0 {
		lb.dismiss(g)
		return a, nil, 0, unfinished
	}
	g.head = append(g.head, lb.buf[:n]...)
	if n > 0 && len(g.head) < lb.door.maxHead() && lengthens(g.head, n) {
		return a, nil, 0, unfinished
	}
	if v, end = lb.door.judge(g.head); n == 0 {
		v = foreign // net/http may have something to say to half a head
	} else if v == unfinished {
		return a, nil, 0, v
	}
	lb.waiting.remove(g)
	lb.leave(g.place, int(g.fd), false)
	return arrival{int(g.fd), netip.AddrPortFrom(g.addr, g.port), g.came, g.head}, g.head, end, v
}

// dismiss closes a guest's socket. It is called with mu held.
func (lb *lobby) dismiss(g *guest) {
	if g.leaving {
		lb.leaving.remove(g)
	} else {
		lb.waiting.remove(g)
	}
	lb.leave(g.place, int(g.fd), true)
	_ = syscall.Close(int(g.fd))
}

// listen throws away what a leaving guest sends, until it ends. It is called with mu held.
func (lb *lobby) listen(g *guest) {
	if n, err := sock.Recv(int(g.fd), lb.buf[:]); n > 0 || errors.Is(err, syscall.EAGAIN) {
		return
	}
	lb.dismiss(g)
}

var badRequest = []byte("HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n400 Bad Request")

// sweep closes what has taken too long, and reports whether the lobby is at its end.
func (lb *lobby) sweep() (over bool) {
	if lb.watching && lb.door.onListener(func(int) error { return nil }) != nil {
		_ = lb.door.close()
	}
	lb.mu.Lock()
	defer lb.mu.Unlock()
	timeout, now := lb.door.headTimeout(), lb.door.now()
	for g := lb.waiting.first; g != nil && (lb.closed || timeout > 0 && now-g.came >= timeout); g = lb.waiting.first {
		if len(g.head) > 0 && bytes.IndexByte(g.head, '\n') < 0 && !lb.closed {
			// What there is of a first line is taken for all of it by net/http, which says no more about any other head.
			_, _ = sock.Send(int(g.fd), badRequest)
		}
		lb.dismiss(g)
	}
	for g := lb.leaving.first; g != nil && now-g.came >= goodbye; g = lb.leaving.first {
		lb.dismiss(g)
	}
	if lb.ended() {
		return true
	}
	lb.wake = time.Time{}
	_ = lb.set.SetDeadline(lb.wake)
	if g := lb.waiting.first; g != nil && timeout > 0 {
		lb.rouseLocked(lb.door.born.Add(g.came + timeout))
	}
	if g := lb.leaving.first; g != nil {
		lb.rouseLocked(lb.door.born.Add(g.came + goodbye))
	}
	if lb.watching && !lb.closed {
		lb.rouseLocked(time.Now().Add(lookEvery))
	}
	return false
}

// ended reports whether nothing is left to wait for, and nothing will come. It is called with mu held.
func (lb *lobby) ended() bool {
	return lb.closed && lb.busy.first == nil && lb.waiting.first == nil && lb.leaving.first == nil
}

// close has the goroutine end when nothing is left.
func (lb *lobby) close() {
	lb.mu.Lock()
	defer lb.mu.Unlock()
	if !lb.closed {
		lb.closed = true
		lb.rouseLocked(time.Unix(1, 0))
	}
}

// cut closes everything at once.
func (lb *lobby) cut() {
	lb.mu.Lock()
	for g := lb.leaving.first; g != nil; g = lb.leaving.first {
		lb.dismiss(g)
	}
	var busy []*exchange
	for x := lb.busy.first; x != nil; x = x.next {
		busy = append(busy, x)
	}
	lb.mu.Unlock()
	for _, x := range busy {
		x.cut()
	}
	lb.rouse(time.Unix(1, 0))
}
