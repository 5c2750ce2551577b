package wire

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/internal/engine/frame"
	"github.com/gohubkit/hubkit/internal/engine/netpoll"
)

// rig is a Writer, the other end of its connection, and what it told its owner.
type rig struct {
	Writer
	conf     Config
	counters frame.Account
	source   frame.Source
	behind   chan *frame.Source
	full     func() // what the owner does when the backlog has overflowed
	flushers sync.WaitGroup
	fd       int
	peer     net.Conn
	failed   chan error
}

// generous bounds nothing.
var generous = Config{MaxMessages: 1 << 30, MaxBytes: 1 << 30, Timeout: time.Hour}

// kinds are connections that are written without blocking, where the system can, and those that are not.
var kinds = []struct {
	name    string
	connect func(t testing.TB) (conn, peer net.Conn)
}{
	{"TCP", tcpPair},
	{"Unix", unixPair},
	{"pipe", func(testing.TB) (conn, peer net.Conn) { return net.Pipe() }},
	{"TLS", tlsPair},
}

func eachKind(t *testing.T, f func(t *testing.T, connect func(testing.TB) (conn, peer net.Conn))) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) { f(t, k.connect) })
	}
}

func newRig(t testing.TB, conf Config, connect func(testing.TB) (conn, peer net.Conn)) *rig {
	t.Helper()
	conn, peer := connect(t)
	return newRigOn(t, conf, conn, peer)
}

func newRigOn(t testing.TB, conf Config, conn, peer net.Conn) *rig {
	t.Helper()
	r := &rig{conf: conf, peer: peer, failed: make(chan error, 10), behind: make(chan *frame.Source, 100)}
	r.source.Account = &r.counters
	r.fd = descriptor(conn)
	r.Init(r, conn, r.fd, false)
	t.Cleanup(func() {
		r.Close()
		_ = peer.Close()
		r.flushers.Wait()
	})
	return r
}

func descriptor(conn net.Conn) int {
	if rec, ok := conn.(*recorder); ok {
		conn = rec.UnixConn
	}
	if fd, ok := netpoll.Descriptor(conn); ok {
		return fd
	}
	return -1
}

// Config implements Owner.
func (r *rig) Config() *Config { return &r.conf }

// WriterFailed implements Owner. It calls back into the Writer, which would hang if a lock were held.
func (r *rig) WriterFailed(err error) {
	r.Backlog()
	r.failed <- err
}

// WriterFull implements Owner. It closes the connection unless the test has something else to do.
func (r *rig) WriterFull() {
	r.Backlog()
	r.failed <- ErrOverflow
	if r.full != nil {
		r.full()
		return
	}
	r.Close()
}

// WriterBehind implements Owner.
func (r *rig) WriterBehind(src *frame.Source) {
	r.Behind(src)
	r.behind <- src
}

// Run implements Owner.
func (r *rig) Run(f func()) { r.flushers.Go(f) }

// failedOnce returns what the owner was told, and checks that this was once, after all is over.
func (r *rig) failedOnce(t *testing.T) error {
	t.Helper()
	err := <-r.failed
	r.flushers.Wait()
	r.notFailed(t)
	return err
}

func (r *rig) notFailed(t *testing.T) {
	t.Helper()
	select {
	case err := <-r.failed:
		t.Errorf("the owner was told: %v", err)
	default:
	}
}

// fill sends until something has to wait, and returns how many messages it sent and how many of those are in the socket. A message is
// larger than all that the buffers of both ends take, so that what waits does not go without a reader.
func (r *rig) fill(t *testing.T) (total, sent int) {
	t.Helper()
	for {
		n, retained, err := r.Send(r.batchOf(strings.Repeat("fill", 512<<10)), 0)
		if err != nil {
			t.Fatal(err)
		}
		total++
		sent += n
		if retained {
			return total, sent
		}
	}
}

// tcpPair is a connection whose buffers do not grow.
func tcpPair(t testing.TB) (conn, peer net.Conn) {
	t.Helper()
	conn, peer = pair(t, "tcp", "127.0.0.1:0")
	if err := errors.Join(conn.(*net.TCPConn).SetWriteBuffer(256<<10), peer.(*net.TCPConn).SetReadBuffer(256<<10)); err != nil {
		t.Fatal(err)
	}
	return conn, peer
}

// unixPair is a connection whose buffer is small, and soon full. With TCP that makes for long pauses.
func unixPair(t testing.TB) (conn, peer net.Conn) {
	t.Helper()
	conn, peer = pair(t, "unix", filepath.Join(t.TempDir(), "socket"))
	if err := conn.(*net.UnixConn).SetWriteBuffer(8 << 10); err != nil {
		t.Fatal(err)
	}
	return conn, peer
}

func pair(t testing.TB, network, addr string) (conn, peer net.Conn) {
	t.Helper()
	l, err := net.Listen(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	if peer, err = net.Dial(network, l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if conn, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	return conn, peer
}

var certificate = sync.OnceValue(func() tls.Certificate {
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	return s.TLS.Certificates[0]
})

func tlsPair(t testing.TB) (conn, peer net.Conn) {
	t.Helper()
	a, b := unixPair(t)
	server := tls.Server(a, &tls.Config{Certificates: []tls.Certificate{certificate()}})
	client := tls.Client(b, &tls.Config{InsecureSkipVerify: true})
	done := make(chan error)
	go func() { done <- server.Handshake() }()
	if err := client.Handshake(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	return server, client
}

func (r *rig) batchOf(messages ...string) *frame.Batch {
	b := frame.NewBatch(0, &r.source, 0)
	for _, m := range messages {
		b.Add(frame.Message{Opcode: frame.Text}, func(dst []byte, _ frame.Form) []byte { return append(dst, m...) })
	}
	return b
}

func oneFrame(s string) []byte { return frame.Append(nil, frame.Text, []byte(s)) }

// readFrame reads what a server sends.
func readFrame(br *bufio.Reader) (opcode byte, payload string, err error) {
	var h [2]byte
	if _, err := io.ReadFull(br, h[:]); err != nil {
		return 0, "", err // io.EOF only between frames
	}
	n := uint64(h[1])
	ext := make([]byte, map[uint64]int{126: 2, 127: 8}[n])
	if _, err := io.ReadFull(br, ext); err != nil {
		return 0, "", fmt.Errorf("in a header: %w", err)
	}
	if len(ext) > 0 {
		n = binary.BigEndian.Uint64(append(make([]byte, 8-len(ext)), ext...))
	}
	p := make([]byte, n)
	if _, err := io.ReadFull(br, p); err != nil {
		return 0, "", fmt.Errorf("in a payload of %d bytes: %v", n, err)
	}
	return h[0] & 0xf, string(p), nil
}

func expectFrames(t *testing.T, br *bufio.Reader, want ...string) {
	t.Helper()
	for _, w := range want {
		_, got, err := readFrame(br)
		if err != nil {
			t.Fatalf("%v, want %.40q", err, w)
		}
		if got != w {
			t.Fatalf("%.40q, want %.40q", got, w)
		}
	}
}

// await waits for what another goroutine is about to do.
func await(cond func() bool) {
	for !cond() {
		runtime.Gosched()
	}
}
