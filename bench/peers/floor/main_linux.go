// Command floor is no WebSocket server that anybody could use: it makes the system calls that a server makes who
// sends to one socket at a time, and does nothing else, so that the tables show what those cost. A message to a room is one
// send per member, by one thread, from a list of descriptors. An echo is one receive and one send, by one thread around one
// epoll set. What a socket does not take at once is lost, and a frame that does not come whole ends the connection.
//
// Handshakes are the standard library's.
package main

import (
	"context"
	"crypto/sha1" //nolint:gosec // RFC 6455 says so
	"encoding/base64"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/gohubkit/hubkit/bench/internal/benchserver"
)

func main() { benchserver.Main(newBackend) }

type backend struct {
	epoll int
	drops atomic.Int64

	mu    sync.Mutex
	rooms map[string][]int32
	conns map[int32]string
}

// echoing is the room of those whose messages are sent back.
const echoing = "\x00echo"

func newBackend(cfg benchserver.Config) (benchserver.Backend, error) {
	if cfg.Redis != "" {
		return nil, benchserver.ErrNoRedis
	}
	ep, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	b := &backend{epoll: ep, rooms: make(map[string][]int32), conns: make(map[int32]string)}
	go b.read()
	return b, nil
}

// ServeWS answers the handshake and takes the socket away from the runtime, whose poller would look at
// it as well.
func (b *backend) ServeWS(w http.ResponseWriter, r *http.Request, room string, echo bool) {
	key := sha1.Sum([]byte(r.Header.Get("Sec-Websocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) //nolint:gosec // see above
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer func() { _ = conn.Close() }() // the copy of the descriptor stays
	fd, err := descriptor(conn)
	if err != nil {
		return
	}
	if echo {
		room = echoing
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.rooms[room] = append(b.rooms[room], int32(fd))
	b.conns[int32(fd)] = room
	ev := syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(fd)}
	if err := syscall.EpollCtl(b.epoll, syscall.EPOLL_CTL_ADD, fd, &ev); err != nil {
		b.end(int32(fd))
		return
	}
	answer := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
		base64.StdEncoding.EncodeToString(key[:]) + "\r\n\r\n"
	_, _ = conn.Write([]byte(answer))
}

func descriptor(conn net.Conn) (fd int, err error) {
	sc, ok := conn.(syscall.Conn)
	if !ok {
		return -1, errors.New("no socket")
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return -1, err
	}
	if cerr := raw.Control(func(p uintptr) { fd, err = syscall.Dup(int(p)) }); cerr != nil {
		return -1, cerr
	}
	return fd, err
}

// end is called with mu held.
func (b *backend) end(fd int32) {
	room := b.conns[fd]
	delete(b.conns, fd)
	members := b.rooms[room]
	for i, m := range members {
		if m == fd {
			members[i] = members[len(members)-1]
			b.rooms[room] = members[:len(members)-1]
			break
		}
	}
	_ = syscall.Close(int(fd))
}

func (b *backend) read() {
	events := make([]syscall.EpollEvent, 256)
	buf := make([]byte, 4096)
	for {
		n, err := syscall.EpollWait(b.epoll, events, -1)
		if err != nil && !errors.Is(err, syscall.EINTR) {
			panic(err)
		}
		for _, ev := range events[:max(n, 0)] {
			n := call(unix.SYS_RECVFROM, ev.Fd, buf)
			if n <= 0 || !b.echo(ev.Fd, buf[:n]) {
				b.mu.Lock()
				b.end(ev.Fd)
				b.mu.Unlock()
			}
		}
	}
}

// echo sends a frame back: whole, masked, of 126 bytes to 64 KiB. It reports false for all others.
func (b *backend) echo(fd int32, p []byte) bool {
	if len(p) < 8 || p[1] != 0x80|126 || len(p) != 8+int(p[2])<<8+int(p[3]) {
		return false
	}
	key, payload := [4]byte(p[4:8]), p[8:]
	for i := range payload {
		payload[i] ^= key[i&3]
	}
	out := p[4:]
	copy(out, []byte{p[0], 126, p[2], p[3]})
	return call(unix.SYS_SENDTO, fd, out) == len(out)
}

func (b *backend) Publish(_ context.Context, room string, payload []byte) error {
	wire := append([]byte{0x81, 126, byte(len(payload) >> 8), byte(len(payload))}, payload...)
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, fd := range b.rooms[room] {
		if call(unix.SYS_SENDTO, fd, wire) != len(wire) {
			b.drops.Add(1)
		}
	}
	return nil
}

// call sends or receives, without telling the scheduler.
func call(op uintptr, fd int32, p []byte) int {
	n, _, errno := syscall.RawSyscall6(op, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), //nolint:gosec // p is kept alive by the call
		syscall.MSG_DONTWAIT|syscall.MSG_NOSIGNAL, 0, 0)
	if errno != 0 {
		return -1
	}
	return int(n)
}

func (b *backend) Conns() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.conns)
}

func (b *backend) Drops() int64 { return b.drops.Load() }
