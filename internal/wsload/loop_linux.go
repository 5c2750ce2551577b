package wsload

import (
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gohubkit/hubkit/internal/engine/sock"
	"github.com/gohubkit/hubkit/internal/payload"
)

// loop owns a share of the connections. Everything but the counters belongs to its goroutine.
type loop struct {
	opt  *Options
	to   netip.AddrPort
	set  *sock.Set
	wake int
	cmds chan func()
	quit bool

	header   string // the lines of Options.Header
	byFD     []*conn
	byIndex  []*conn // by index over stride; with a Handler only
	buf      []byte
	scratch  []byte
	next     int // index of the connection to make next
	stride   int
	inflight int // on the way to ready or, with Churn, to closed

	now      int64 // nanoseconds, at the read being handled
	seen     int
	recorder Recorder // or nil

	echoing  bool
	echoText []byte
	budget   *atomic.Int64

	counters
}

// counters are read by the Client while the loop runs.
type counters struct {
	ready, failed, closed, messages, pings, sockets atomic.Int64
	// lastReady is when, in nanoseconds, the newest connection became ready.
	lastReady atomic.Int64
	fault     atomic.Pointer[error]
}

func newLoop(opt *Options, to netip.AddrPort, budget *atomic.Int64) (*loop, error) {
	set, err := sock.NewSet()
	if err != nil {
		return nil, err
	}
	wake, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		_ = set.Close()
		return nil, fmt.Errorf("eventfd: %w", err)
	}
	l := &loop{
		opt: opt, to: to, set: set, wake: wake,
		cmds:   make(chan func(), 8),
		buf:    make([]byte, 256<<10),
		next:   opt.Conns, // nothing to make until told
		stride: opt.Loops,
		budget: budget,
	}
	if opt.Handler != nil {
		l.byIndex = make([]*conn, opt.Conns/opt.Loops+1)
	}
	var header strings.Builder
	_ = opt.Header.Write(&header) // a Builder takes everything
	l.header = header.String()
	if opt.Recorder != nil {
		l.recorder = opt.Recorder()
	}
	l.echoText = append(l.echoText, opt.EchoBefore...)
	l.echoText = append(l.echoText, payload.New(opt.EchoSize, 0)...)
	l.echoText = append(l.echoText, opt.EchoAfter...)
	ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(wake)}
	if err := unix.EpollCtl(set.FD, unix.EPOLL_CTL_ADD, wake, &ev); err != nil {
		l.release()
		return nil, fmt.Errorf("epoll_ctl: %w", err)
	}
	return l, nil
}

// do runs fn on the loop.
func (l *loop) do(fn func()) {
	l.cmds <- fn
	_, _ = unix.Write(l.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0})
}

func (l *loop) run() {
	defer l.release()
	events := make([]syscall.EpollEvent, 512)
	for !l.quit {
		l.dialMore()
		n, err := l.set.Wait(events)
		if err != nil {
			l.fail(fmt.Errorf("epoll: %w", err))
			return
		}
		for _, ev := range events[:n] {
			l.handle(ev)
		}
		runtime.Gosched() // a loop that is always busy would keep everybody else waiting
	}
}

func (l *loop) release() {
	for _, c := range l.byFD {
		if c != nil {
			reset(c.fd)
		}
	}
	_ = l.set.Close()
	_ = unix.Close(l.wake)
}

func (l *loop) handle(ev syscall.EpollEvent) {
	if int(ev.Fd) == l.wake {
		var b [8]byte
		_, _ = unix.Read(l.wake, b[:])
		for {
			select {
			case fn := <-l.cmds:
				fn()
				continue
			default:
			}
			return
		}
	}
	c := l.byFD[ev.Fd]
	if c == nil {
		return
	}
	if ev.Events&unix.EPOLLOUT != 0 && len(c.out) > 0 {
		if err := l.flush(c); err != nil {
			l.drop(c, err)
			return
		}
	}
	if ev.Events&^unix.EPOLLOUT != 0 {
		if err := l.read(c); err != nil {
			l.drop(c, err)
		}
	}
}

// dialMore keeps the window full.
func (l *loop) dialMore() {
	for l.next < l.opt.Conns && l.inflight < l.opt.Window {
		i := l.next
		l.next += l.stride
		if err := l.dial(i); err != nil {
			l.fail(err)
		}
	}
}

// dial starts connection i.
func (l *loop) dial(i int) error {
	to := l.to
	if l.opt.Server != nil {
		to = l.opt.Server(i)
	}
	fd, err := dial(to, l.opt.Local(i))
	if err != nil {
		return err
	}
	ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}
	if err := unix.EpollCtl(l.set.FD, unix.EPOLL_CTL_ADD, fd, &ev); err != nil {
		_ = unix.Close(fd)
		return fmt.Errorf("epoll_ctl: %w", err)
	}
	c := &conn{fd: fd, index: i}
	if l.opt.Stream {
		l.scratch = appendStreamRequest(l.scratch[:0], l.opt.Host, l.opt.Path(i), l.header)
	} else {
		l.scratch = appendHandshake(l.scratch[:0], l.opt.Host, l.opt.Path(i), l.opt.Subprotocol, l.header)
	}
	if err := l.write(c, l.scratch); err != nil {
		reset(fd)
		return err
	}
	for len(l.byFD) <= fd {
		l.byFD = append(l.byFD, nil)
	}
	l.byFD[fd] = c
	l.inflight++
	l.sockets.Add(1)
	if l.byIndex != nil {
		l.byIndex[i/l.stride] = c
	}
	return nil
}

func (l *loop) arm(c *conn, out bool) error {
	if c.armed == out {
		return nil
	}
	c.armed = out
	ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(c.fd)}
	if out {
		ev.Events |= unix.EPOLLOUT
	}
	return unix.EpollCtl(l.set.FD, unix.EPOLL_CTL_MOD, c.fd, &ev)
}

func (l *loop) becameReady() {
	if !l.opt.Churn {
		l.inflight--
	}
	l.lastReady.Store(time.Now().UnixNano())
	l.ready.Add(1)
}

// drop ends a connection that the server closed or that broke.
func (l *loop) drop(c *conn, err error) {
	l.forget(c)
	if l.byIndex != nil && c.state != closing {
		l.byIndex[c.index/l.stride] = nil
		defer l.opt.Handler.Closed(c.index, err)
	}
	switch c.state {
	case upgrading, greeting:
		l.inflight--
		l.fail(err)
	case closing:
		l.inflight--
		l.closed.Add(1)
	case ready:
		l.closed.Add(1)
	}
}

func (l *loop) forget(c *conn) {
	l.byFD[c.fd] = nil
	reset(c.fd)
	l.sockets.Add(-1)
}

// fail counts a connection that never became ready and keeps the first reason.
func (l *loop) fail(err error) {
	l.fault.CompareAndSwap(nil, &err)
	l.failed.Add(1)
}

func (l *loop) tick() { l.now = time.Now().UnixNano() }

// count counts the payloads in a data frame.
func (l *loop) count(c *conn, f frame) (n int) {
	if c.tailLen > 0 && spans(c.tail[:c.tailLen], f.payload) {
		n++
	}
	for b := f.payload; ; n++ {
		i := payload.Next(b)
		if i < 0 {
			break
		}
		b = b[i:]
		if l.seen++; l.seen >= l.opt.Sample && l.recorder != nil {
			l.seen = 0
			l.record(b)
		}
	}
	c.tailLen = 0
	if !f.fin {
		c.tailLen = uint8(copy(c.tail[:], f.payload[max(0, len(f.payload)-len(c.tail)):]))
	}
	if n > 0 {
		l.messages.Add(int64(n))
	}
	return n
}

// spans reports whether a mark begins in tail and ends in next.
func spans(tail, next []byte) bool {
	var b [2 * (len(payload.Mark) - 1)]byte
	n := copy(b[:], tail)
	n += copy(b[n:], next[:min(len(next), len(payload.Mark)-1)])
	return payload.Next(b[:n]) >= 0
}

// record notes the latency of the payload whose digits start b, unless they are in the next frame.
func (l *loop) record(b []byte) {
	if t, ok := payload.Time(b); ok {
		l.recorder.Record(time.Duration(l.now - t))
	}
}

// startEchoes makes every connection send its first echo.
func (l *loop) startEchoes() {
	l.echoing = true
	for _, c := range l.byFD {
		if c != nil && c.state == ready {
			if err := l.echo(c); err != nil {
				l.drop(c, err)
			}
		}
	}
}

// echo sends one while the budget lasts.
func (l *loop) echo(c *conn) error {
	if l.budget.Add(-1) < 0 {
		return nil
	}
	payload.Stamp(l.echoText[len(l.opt.EchoBefore):], time.Now().UnixNano())
	l.scratch = appendFrame(l.scratch[:0], opText, l.echoText)
	return l.write(c, l.scratch)
}
