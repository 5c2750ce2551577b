package sock

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/gohubkit/hubkit/internal/engine/fastpath"
)

// Set is an epoll set that is itself watched by the Go runtime, so that waiting costs no thread and Close wakes the waiter.
type Set struct {
	// FD is what sockets are registered with, until Close.
	FD int

	file *os.File // FD's
	raw  syscall.RawConn
}

// NewSet makes an empty Set.
func NewSet() (*Set, error) {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll_create1: %w", err)
	}
	// The runtime takes a descriptor into its own poller only when it does not block.
	if err := syscall.SetNonblock(fd, true); err != nil {
		_ = syscall.Close(fd)
		return nil, err
	}
	file := os.NewFile(uintptr(fd), "epoll")
	raw, err := file.SyscallConn()
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	return &Set{FD: fd, file: file, raw: raw}, nil
}

// Wait blocks until a socket is ready or the Set is closed, and returns how many events there are: at least one, where there
// is no error.
func (s *Set) Wait(events []syscall.EpollEvent) (n int, err error) {
	var failed error
	err = s.raw.Read(func(fd uintptr) bool {
		n, failed = ready(fd, events)
		// None: wait in the runtime until the set has one.
		return n != 0 || failed != nil
	})
	return n, errors.Join(err, failed)
}

// Close ends Wait, and leaves the sockets open.
func (s *Set) Close() error { return s.file.Close() }

// ready asks what is ready now.
//
// That the scheduler is not told matters most for a process that is woken often and soon done: each system call it is
// told of wakes the runtime's monitor, which then looks around every 20 us for a millisecond.
func ready(epoll uintptr, events []syscall.EpollEvent) (int, error) {
	if len(events) == 0 {
		return 0, syscall.EINVAL
	}
	if !fastpath.RawSyscalls.Enabled() {
		for {
			if n, err := syscall.EpollWait(int(epoll), events, 0); err != syscall.EINTR {
				return n, err
			}
		}
	}
	return call(unix.SYS_EPOLL_PWAIT, epoll, unsafe.Pointer(&events[0]), len(events), 0) //nolint:gosec // kept alive by the call
}

// SetDeadline makes Wait fail at t with an error that matches os.ErrDeadlineExceeded, until there is another deadline. It may be
// called while another goroutine waits; the zero time is none.
func (s *Set) SetDeadline(t time.Time) error { return s.file.SetReadDeadline(t) }
