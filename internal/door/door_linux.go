package door

import (
	"context"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/gohubkit/hubkit/internal/evict"
)

const supported = true

// maxLobbies bounds how many goroutines accept. Each has an epoll set with the listener in it, which wakes one of them for a
// connection (EPOLLEXCLUSIVE).
const maxLobbies = 8

// door is a listener's.
type door struct {
	srv      *http.Server
	listener net.Listener
	raw      syscall.RawConn // the listener's
	addr     netip.AddrPort  // it listens at
	base     context.Context
	born     time.Time
	lobbies  []*lobby
	inUse    *evict.Descriptors

	passed  chan arrival // to net/http
	closing chan struct{}
	start   sync.Once // begins, or ends before that
	end     sync.Once
}

// arrival is a connection that nobody has yet.
type arrival struct {
	fd    int
	from  netip.AddrPort
	came  time.Duration // on the door's clock
	bytes []byte        // that were read from it
}

// Serve is srv.Serve(l) for a server and a listener that Unfit has no objection to. most is how many descriptors the process
// may have in use when a connection is accepted; negative if they are not bounded. If they are all in use, or the system gives
// no more, the connection that has been silent longest is closed for the new one.
func Serve(srv *http.Server, l net.Listener, most int) error {
	raw, err := l.(*net.TCPListener).SyscallConn()
	if err != nil {
		return err
	}
	d := &door{
		srv: srv, listener: l, raw: raw,
		born:    time.Now(),
		base:    context.Background(),
		inUse:   evict.NewDescriptors(most),
		passed:  make(chan arrival, 64),
		closing: make(chan struct{}),
	}
	d.addr, _ = netip.ParseAddrPort(l.Addr().String())
	if err := d.open(); err != nil {
		return fmt.Errorf("door: %w", err)
	}
	if f := srv.BaseContext; f != nil {
		if d.base = f(l); d.base == nil {
			panic("BaseContext returned a nil context") // as package http does
		}
	}
	err = srv.Serve(&feed{door: d})
	d.start.Do(d.abandon) // the server was closed already
	return err
}

// open makes the lobbies; begin starts them.
func (d *door) open() (err error) {
	for range min(runtime.GOMAXPROCS(0), maxLobbies) {
		if err != nil {
			break
		}
		var lb *lobby
		if lb, err = newLobby(d); err == nil {
			d.lobbies = append(d.lobbies, lb)
		}
	}
	if err != nil {
		d.abandon()
	}
	return err
}

func (d *door) begin() {
	for i, lb := range d.lobbies {
		lb.watching = i == 0
		go lb.run()
	}
}

// abandon ends a door that has not begun.
func (d *door) abandon() {
	for _, lb := range d.lobbies {
		_ = lb.set.Close()
		close(lb.done)
	}
}

func (d *door) now() time.Duration { return time.Since(d.born) }

// onListener calls f with the listener's descriptor. The error of one that is closed matches net.ErrClosed.
func (d *door) onListener(f func(fd int) error) error {
	var failed error
	err := d.raw.Control(func(fd uintptr) { failed = f(int(fd)) })
	if err != nil {
		return err
	}
	return failed
}

// close ends accepting. Connections that are being answered, or closed, go on. The server calls it with its lock held, so it
// neither blocks nor calls the server.
func (d *door) close() (err error) {
	err = net.ErrClosed
	d.end.Do(func() {
		err = d.listener.Close()
		close(d.closing)
		for _, lb := range d.lobbies {
			lb.close()
		}
	})
	return err
}

// cut ends everything that has not been hijacked, as the server's Close does.
func (d *door) cut() {
	_ = d.close() // it may be closed already
	for _, lb := range d.lobbies {
		lb.cut()
	}
}

// evict closes the connection that has been silent longest, and reports whether there was one.
func (d *door) evict() bool {
	var from *lobby
	oldest := time.Duration(-1)
	for _, lb := range d.lobbies {
		if came, ok := lb.oldest(); ok && (from == nil || came < oldest) {
			from, oldest = lb, came
		}
	}
	return from != nil && from.evict()
}

// pass gives a connection to net/http.
func (d *door) pass(a arrival) {
	select {
	case d.passed <- a:
	case <-d.closing:
		_ = syscall.Close(a.fd)
	}
}

// forgetPassed closes what net/http has not accepted before the end.
func (d *door) forgetPassed() {
	for {
		select {
		case a := <-d.passed:
			_ = syscall.Close(a.fd)
		default:
			return
		}
	}
}

// headTimeout is how long a head may take, as the server says; zero if it may take forever.
func (d *door) headTimeout() time.Duration {
	t := d.srv.ReadHeaderTimeout
	if t == 0 {
		t = d.srv.ReadTimeout
	}
	return max(t, 0)
}

// maxHead is how long a head may be. The server's own bound is 4 KiB more than it says.
func (d *door) maxHead() int {
	if n := d.srv.MaxHeaderBytes; n > 0 && n < maxHead-4<<10 {
		return n + 4<<10
	}
	return maxHead
}

func (d *door) handler() http.Handler {
	if d.srv.Handler != nil {
		return d.srv.Handler
	}
	return http.DefaultServeMux
}

func (d *door) logf(format string, args ...any) {
	if d.srv.ErrorLog != nil {
		d.srv.ErrorLog.Printf(format, args...)
		return
	}
	log.Printf(format, args...)
}
