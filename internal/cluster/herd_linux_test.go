//go:build faults

package cluster_test

import (
	"bytes"
	"container/heap"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gohubkit/hubkit/backoff"
	"github.com/gohubkit/hubkit/client"
	"github.com/gohubkit/hubkit/protocol"
)

// herd is many clients in one goroutine: as lean as can be, but with the real backoff, which obeys the server.
type herd struct {
	first, second netip.AddrPort // where they connect, and where they come back to
	ep            int
	sheep         []*sheep // by descriptor
	waiting       agenda
	policy        *backoff.Policy
	buf           []byte

	// clock is theirs. It stops while the test does not run: clients on machines of their own, which do not stop
	// together, would not come together for it.
	clock time.Duration
	seen  time.Time

	in, told, back int
	latest         time.Duration
	err            error
}

// sheep is one client.
type sheep struct {
	fd       int
	seq      *backoff.Sequence
	due      time.Duration
	resumes  bool
	ticket   string // of the welcome
	asked    bool   // the handshake is sent
	upgraded bool
	got      []byte // and not yet handled
}

const (
	tick = 5 * time.Millisecond
	// stagger is how far apart they come at first.
	stagger = 250 * time.Microsecond
)

func newHerd(t *testing.T, n int) *herd {
	t.Helper()
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	h := &herd{ep: ep, policy: backoff.Default(), buf: make([]byte, 64<<10), seen: time.Now()}
	for i := range n {
		heap.Push(&h.waiting, &sheep{fd: -1, seq: h.policy.Start(), due: time.Duration(i) * stagger})
	}
	t.Cleanup(func() {
		for _, s := range h.sheep {
			if s != nil {
				h.leave(s)
			}
		}
		_ = unix.Close(ep)
	})
	return h
}

func (h *herd) to(first, second string) {
	h.first, h.second = netip.MustParseAddrPort(first), netip.MustParseAddrPort(second)
}

// run lets the herd live until done.
func (h *herd) run(t *testing.T, what string, done func() bool) {
	t.Helper()
	events := make([]unix.EpollEvent, 256)
	for deadline := time.Now().Add(2 * patience); !done() && h.err == nil; {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s: %d in, %d told, %d back", what, h.in, h.told, h.back)
		}
		n, err := unix.EpollWait(h.ep, events, 1)
		if err != nil && !errors.Is(err, unix.EINTR) {
			t.Fatal(err)
		}
		now := time.Now()
		h.clock += min(now.Sub(h.seen), tick)
		h.seen = now
		for _, ev := range events[:max(n, 0)] {
			switch s := h.sheep[ev.Fd]; {
			case s == nil || h.err != nil:
			case s.asked:
				h.read(s)
			default:
				h.err = h.hello(s)
			}
		}
		for len(h.waiting) > 0 && h.waiting[0].due <= h.clock && h.err == nil {
			h.err = h.connect(heap.Pop(&h.waiting).(*sheep))
		}
	}
	if h.err != nil {
		t.Fatal(h.err)
	}
}

// connect begins a connection, and hello sends its handshake once there is one. Neither waits: a node that accepts slowly
// must not keep the herd from answering pings.
func (h *herd) connect(s *sheep) error {
	to := h.first
	if s.resumes {
		to = h.second
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return err
	}
	s.fd, s.asked, s.upgraded, s.got = fd, false, false, nil
	for len(h.sheep) <= fd {
		h.sheep = append(h.sheep, nil)
	}
	h.sheep[fd] = s
	err = unix.Connect(fd, &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()})
	if err != nil && !errors.Is(err, unix.EINPROGRESS) {
		return fmt.Errorf("connect: %w", err)
	}
	return unix.EpollCtl(h.ep, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLOUT, Fd: int32(fd)})
}

func (h *herd) hello(s *sheep) error {
	if code, err := unix.GetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_ERROR); err != nil || code != 0 {
		return fmt.Errorf("connect: %w", errors.Join(err, unix.Errno(code)))
	}
	target := "/ws"
	if s.resumes {
		target += "?" + protocol.ResumeParam + "=" + s.ticket
	}
	s.asked = true
	_, err := unix.Write(s.fd, []byte("GET "+target+" HTTP/1.1\r\nHost: hub\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"))
	if err != nil {
		return err
	}
	return unix.EpollCtl(h.ep, unix.EPOLL_CTL_MOD, s.fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(s.fd)})
}

func (h *herd) leave(s *sheep) {
	h.sheep[s.fd] = nil
	// With a reset, so that no port is kept busy.
	_ = unix.SetsockoptLinger(s.fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	_ = unix.Close(s.fd)
	s.fd = -1
}

// again has s come back when it was told to.
func (h *herd) again(s *sheep, after, spread time.Duration) {
	h.leave(s)
	s.seq.Disconnected()
	if after > 0 || spread > 0 {
		s.seq.Hint(after, spread)
	}
	s.due = h.clock + s.seq.Next()
	h.latest = max(h.latest, s.due-h.clock)
	heap.Push(&h.waiting, s)
}

func (h *herd) read(s *sheep) {
	n, err := unix.Read(s.fd, h.buf)
	if errors.Is(err, unix.EAGAIN) {
		return
	}
	if err != nil || n == 0 {
		h.err = fmt.Errorf("lost without a word, after %q: %w", s.got, err)
		return
	}
	s.got = append(s.got, h.buf[:n]...)
	if !s.upgraded && !h.answered(s) {
		return
	}
	for h.frame(s) {
	}
}

// answered takes the answer to the handshake, if it is whole, and reports whether that was 101.
func (h *herd) answered(s *sheep) bool {
	head, rest, whole := bytes.Cut(s.got, []byte("\r\n\r\n"))
	if !whole {
		return false
	}
	if bytes.HasPrefix(head, []byte("HTTP/1.1 101 ")) {
		s.upgraded, s.got = true, rest
		s.seq.Connected()
		return true
	}
	_, after, found := bytes.Cut(head, []byte("\r\nRetry-After: "))
	after, _, _ = bytes.Cut(after, []byte("\r\n"))
	seconds, err := strconv.Atoi(string(after))
	if !found || err != nil || !bytes.HasPrefix(head, []byte("HTTP/1.1 503 ")) {
		h.err = fmt.Errorf("answered %q", head)
		return false
	}
	refused := client.HandshakeError{StatusCode: http.StatusServiceUnavailable, After: time.Duration(seconds) * time.Second}
	h.again(s, refused.After, max(time.Second, refused.After/2))
	return false
}

// frame handles a frame, if there is a whole one, and reports whether there may be another.
func (h *herd) frame(s *sheep) bool {
	if len(s.got) < 2 {
		return false
	}
	size, head := int(s.got[1]), 2
	switch {
	case size >= 126 && len(s.got) < 4:
		return false
	case size == 126:
		size, head = int(binary.BigEndian.Uint16(s.got[2:])), 4
	case size == 127:
		h.err = fmt.Errorf("a frame that is too long: %q", s.got)
		return false
	}
	if len(s.got) < head+size {
		return false
	}
	opcode, payload := s.got[0]&0xf, s.got[head:head+size]
	s.got = s.got[head+size:]
	switch opcode {
	case textFrame:
		switch welcome := bytes.HasPrefix(payload, []byte(`{"op":"welcome"`)); {
		case welcome && s.resumes:
			h.back++
		case welcome:
			var e protocol.Event
			if h.err = e.Decode(payload); h.err != nil {
				return false
			}
			s.ticket = string(e.Ticket)
			h.in++
		}
	case closeFrame:
		return h.closed(s, payload)
	case pingFrame:
		_, h.err = unix.Write(s.fd, masked(pongFrame, payload))
	}
	return true
}

const (
	textFrame  = 1
	closeFrame = 8
	pingFrame  = 9
	pongFrame  = 10
)

// masked makes a control frame, masked with zeros.
func masked(opcode byte, payload []byte) []byte {
	return append([]byte{0x80 | opcode, 0x80 | byte(len(payload)), 0, 0, 0, 0}, payload...)
}

// closed answers a close frame and obeys what it says.
func (h *herd) closed(s *sheep, payload []byte) bool {
	code := protocol.CloseCode(binary.BigEndian.Uint16(payload))
	hint, ok := protocol.ParseHint(string(payload[2:]))
	if code != protocol.CloseServiceRestart || !ok || s.resumes {
		h.err = fmt.Errorf("closed with %v, %q", code, payload[2:])
		return false
	}
	h.told++
	s.resumes = true
	_, _ = unix.Write(s.fd, masked(closeFrame, payload[:2]))
	h.again(s, hint.RetryAfter, hint.Spread)
	return false
}

// agenda is a heap of those who wait.
type agenda []*sheep

func (a agenda) Len() int           { return len(a) }
func (a agenda) Less(i, j int) bool { return a[i].due < a[j].due }
func (a agenda) Swap(i, j int)      { a[i], a[j] = a[j], a[i] }
func (a *agenda) Push(x any)        { *a = append(*a, x.(*sheep)) }
func (a *agenda) Pop() any {
	old := *a
	last := old[len(old)-1]
	*a = old[:len(old)-1]
	return last
}
