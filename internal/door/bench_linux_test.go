package door

import (
	"net"
	"net/http"
	"runtime"
	"syscall"
	"testing"
	"time"
)

// BenchmarkSlowHeads is what a connection takes of memory that has sent a part of a head: heap and stacks, the kernel's part not.
func BenchmarkSlowHeads(b *testing.B) {
	const conns = 4000
	head := []byte(upgrade("/", "Cookie: session=0123456789abcdef"))[:100]
	for _, s := range []side{netHTTP, theDoor} {
		b.Run(s.name, func(b *testing.B) {
			for b.Loop() {
				r := s.start(b, &http.Server{})
				fds := make([]int, conns)
				before := inUse()
				for i := range fds {
					fd := rawDial(b, r.l.Addr().(*net.TCPAddr))
					fds[i] = fd
					for i := 0; i < len(head); i += 10 {
						_, _ = syscall.Write(fd, head[i:i+10])
					}
				}
				time.Sleep(200 * time.Millisecond) // the last to come is read
				b.ReportMetric(float64(inUse()-before)/conns, "B/conn")
				_ = r.Close()
				for _, fd := range fds {
					_ = syscall.Close(fd)
				}
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

// rawDial connects without taking memory here.
func rawDial(b *testing.B, to *net.TCPAddr) (fd int) {
	b.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		b.Fatal(err)
	}
	if err := syscall.Connect(fd, &syscall.SockaddrInet4{Port: to.Port, Addr: [4]byte(to.IP.To4())}); err != nil {
		b.Fatal(err)
	}
	return fd
}

func inUse() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}
