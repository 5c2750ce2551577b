package cluster_test

import (
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// arrived is when the last bytes from the other end came to this machine, to a few milliseconds. A process that
// waited for the processor, as one does beside two others on two cores, finds what came meanwhile in a heap.
func arrived(conn net.Conn) time.Time {
	sc, ok := conn.(syscall.Conn)
	if !ok {
		return time.Now()
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return time.Now()
	}
	for {
		var info *unix.TCPInfo
		var err error
		before := time.Now()
		if cerr := raw.Control(func(fd uintptr) { info, err = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO) }); cerr != nil || err != nil {
			return before
		}
		if now := time.Now(); now.Sub(before) < time.Millisecond {
			return now.Add(-time.Duration(info.Last_data_recv) * time.Millisecond)
		}
	}
}
