package netpoll

import (
	"errors"
	"fmt"
	"net"
	"runtime"
	"sync"
	"syscall"

	"github.com/gohubkit/hubkit/internal/engine/sock"
)

// Supported reports whether this system has a Poller.
const Supported = true

// oneShot: readable or hung up by the peer, then silent until armed again. Errors and a full hang-up are
// always reported.
const oneShot = syscall.EPOLLIN | syscall.EPOLLRDHUP | syscall.EPOLLONESHOT

// maxEvents bounds what one wait takes: enough to make its cost per socket small, and few
// enough that the first handler is not kept waiting for the last event.
const maxEvents = 256

// Poller watches sockets with epoll. Its methods may be called from several goroutines.
type Poller struct {
	set  *sock.Set
	done chan struct{}

	mu sync.RWMutex // held for writing to close fd, whose number may then be another's
	fd int          // set's; -1 once closed
}

// New starts a poller. ready is called from the poller's goroutine with the token of each socket that
// has something to read or was hung up; data says that it is the former alone, as far as is known. It must not block.
func New(ready func(token uint64, data bool)) (*Poller, error) {
	set, err := sock.NewSet()
	if err != nil {
		return nil, fmt.Errorf("netpoll: %w", err)
	}
	p := &Poller{set: set, fd: set.FD, done: make(chan struct{})}
	go p.loop(ready)
	return p, nil
}

// Add registers a socket and arms it. A socket leaves the set by being closed. The error of a closed
// poller matches net.ErrClosed.
func (p *Poller) Add(fd int, token uint64) error {
	return p.control(syscall.EPOLL_CTL_ADD, fd, token)
}

// Arm asks for the next event of a socket, which it registers if Add has not. If there is something to read already, the
// event comes at once. The error of a closed poller matches net.ErrClosed.
func (p *Poller) Arm(fd int, token uint64) error {
	err := p.control(syscall.EPOLL_CTL_MOD, fd, token)
	if errors.Is(err, syscall.ENOENT) {
		return p.Add(fd, token)
	}
	return err
}

// Close ends the poller and returns when its goroutine has ended; ready is not called any more. Closing twice
// returns an error that matches net.ErrClosed.
func (p *Poller) Close() error {
	p.mu.Lock()
	if p.fd < 0 {
		p.mu.Unlock()
		<-p.done
		return fmt.Errorf("netpoll: %w", net.ErrClosed)
	}
	p.fd = -1
	p.mu.Unlock()
	err := p.set.Close()
	<-p.done
	return err
}

func (p *Poller) control(op, fd int, token uint64) error {
	// The kernel hands the eight bytes of user data back untouched; Go names them Fd and Pad.
	ev := syscall.EpollEvent{Events: oneShot, Fd: int32(uint32(token)), Pad: int32(token >> 32)}
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.fd < 0 {
		return fmt.Errorf("netpoll: %w", net.ErrClosed)
	}
	if err := sock.Control(p.fd, op, fd, &ev); err != nil {
		return fmt.Errorf("netpoll: epoll_ctl: %w", err)
	}
	return nil
}

func (p *Poller) loop(ready func(uint64, bool)) {
	defer close(p.done)
	events := make([]syscall.EpollEvent, maxEvents)
	for {
		n, err := p.set.Wait(events)
		if err != nil {
			return // closed: nothing else fails on a valid set and a valid buffer
		}
		for _, ev := range events[:n] {
			ready(uint64(uint32(ev.Fd))|uint64(uint32(ev.Pad))<<32, ev.Events == syscall.EPOLLIN)
		}
		// Where there is always something ready, nothing here gives the processor away, and the runtime's monitor may be asleep.
		runtime.Gosched()
	}
}
