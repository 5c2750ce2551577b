package door

import (
	"syscall"
	"time"

	"github.com/gohubkit/hubkit/internal/engine/sock"
	"github.com/gohubkit/hubkit/internal/evict"
)

const (
	// goodbye is how long a connection is kept that has been answered and is to be closed, so that what it still sends does not
	// reset it before the client has read the answer. It is what net/http takes.
	goodbye = 500 * time.Millisecond
	// goodbyes bounds how many of those there are in a lobby when descriptors are short.
	goodbyes = 8
)

// longest is the guest that has waited longest for its head, or to be gone. It is called with mu held.
func (lb *lobby) longest() *guest {
	if lb.waiting.first != nil {
		return lb.waiting.first
	}
	return lb.leaving.first
}

// oldest tells when the longest guest came.
func (lb *lobby) oldest() (came time.Duration, ok bool) {
	lb.mu.Lock()
	defer lb.mu.Unlock()
	g := lb.longest()
	if g == nil {
		return 0, false
	}
	return g.came, true
}

// evict closes the longest guest, and reports whether there was one.
func (lb *lobby) evict() bool {
	lb.mu.Lock()
	defer lb.mu.Unlock()
	g := lb.longest()
	if g != nil {
		lb.dismiss(g)
	}
	return g != nil
}

// refuse answers a connection that there is no descriptor for.
func (lb *lobby) refuse(a arrival) {
	lb.mu.Lock()
	many := lb.leaving.n >= goodbyes
	lb.mu.Unlock()
	if many {
		_ = syscall.Close(a.fd)
		return
	}
	_, _ = sock.Send(a.fd, evict.Refusal()) // it is gone, then
	lb.bow(a.fd)
}

// bow closes a socket in such a way that the client reads what it was sent.
func (lb *lobby) bow(fd int) {
	if syscall.Shutdown(fd, syscall.SHUT_WR) != nil {
		_ = syscall.Close(fd)
		return
	}
	g := &guest{fd: int32(fd), came: lb.door.now(), leaving: true}
	lb.mu.Lock()
	defer lb.mu.Unlock()
	if lb.ended() || !lb.enter(g, &g.place, fd, syscall.EPOLLIN|syscall.EPOLLRDHUP) {
		_ = syscall.Close(fd)
		return
	}
	lb.leaving.push(g)
	lb.rouseLocked(lb.door.born.Add(g.came + goodbye))
}
