//go:build !race

package wire

import (
	"bytes"
	"io"
	"net"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/gohubkit/hubkit/internal/engine/fastpath"
	"github.com/gohubkit/hubkit/internal/engine/frame"
)

// segmentsIn is how many TCP segments a connection has received.
func segmentsIn(t *testing.T, conn net.Conn) (n uint32) {
	t.Helper()
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Control(func(fd uintptr) {
		var info *unix.TCPInfo
		if info, err = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
			n = info.Segs_in
		}
	}); err != nil {
		t.Fatal(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestLastFrameAndEndTakeOneSegment: the kernel sends both at once. Builds with the race detector, and processes without raw system
// calls, have no such way to send.
func TestLastFrameAndEndTakeOneSegment(t *testing.T) {
	r := newRig(t, generous, tcpPair)
	before := segmentsIn(t, r.peer)
	bye := frame.AppendClose(nil, 1000, "")
	r.FinishLast(bye)
	r.Close()
	if got, err := io.ReadAll(r.peer); err != nil || !bytes.Equal(got, bye) {
		t.Errorf("%q, %v", got, err)
	}
	if n := segmentsIn(t, r.peer) - before; n != 1 && fastpath.RawSyscalls.Enabled() {
		t.Errorf("%d segments", n)
	}
	r.notFailed(t)
}
