package uring

import (
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/gohubkit/hubkit/internal/engine/fastpath"
)

// Ring is one goroutine's at a time.
type Ring struct {
	fd   int
	size int
	mem  [2][]byte // the two rings, and the entries

	sqTail, cqHead, cqTail *uint32
	sqMask, cqMask         uint32
	sqes                   []sqe
	cqes                   []cqe

	// What Send was given; the kernel knows of it only as numbers.
	sends [][]byte
}

// The structures of linux/io_uring.h.
type (
	params struct {
		sqEntries, cqEntries, flags, threadCPU, threadIdle, features, wqFD uint32
		_                                                                  [3]uint32
		sq                                                                 sqOffsets
		cq                                                                 cqOffsets
	}
	sqOffsets struct {
		head, tail, mask, entries, flags, dropped, array, _ uint32
		_                                                   uint64
	}
	cqOffsets struct {
		head, tail, mask, entries, overflow, cqes, flags, _ uint32
		_                                                   uint64
	}
	sqe struct {
		opcode, flags uint8
		_             uint16
		fd            int32
		_             uint64
		addr          uint64
		length        uint32
		msgFlags      uint32
		userData      uint64
		_             [3]uint64
	}
	cqe struct {
		userData uint64
		result   int32
		_        uint32
	}
)

const (
	opSend = 26 // IORING_OP_SEND

	enterGetEvents = 1 << 0 // IORING_ENTER_GETEVENTS

	// features: both rings in one piece, and workers that do not count against RLIMIT_MEMLOCK: Linux 5.12.
	features = 1<<0 | 1<<9 // IORING_FEAT_SINGLE_MMAP, IORING_FEAT_NATIVE_WORKERS

	offSQEs = 0x10000000 // IORING_OFF_SQES
)

// New makes a Ring for size sends at once, a power of two. An error means that there are none to be had here.
func New(size int) (*Ring, error) {
	if !fastpath.Uring.Enabled() {
		return nil, fmt.Errorf("uring: turned off by %s: %w", fastpath.Env, errors.ErrUnsupported)
	}
	var p params
	fd, _, errno := syscall.Syscall(unix.SYS_IO_URING_SETUP, uintptr(size), uintptr(unsafe.Pointer(&p)), 0) //nolint:gosec // p is kept alive by the call
	if errno != 0 {
		return nil, fmt.Errorf("uring: io_uring_setup: %w", errno)
	}
	r := &Ring{fd: int(fd), size: size, sends: make([][]byte, 0, size)}
	if p.features&features != features {
		return nil, errors.Join(fmt.Errorf("uring: kernel too old: %w", errors.ErrUnsupported), r.Close())
	}
	if err := r.mmap(&p); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

//nolint:gosec // the kernel says where in its memory what is
func (r *Ring) mmap(p *params) error {
	length := max(int(p.sq.array)+4*int(p.sqEntries), int(p.cq.cqes)+int(p.cqEntries)*int(unsafe.Sizeof(cqe{})))
	for i, m := range []struct {
		offset int64
		length int
	}{{0, length}, {offSQEs, int(p.sqEntries) * int(unsafe.Sizeof(sqe{}))}} {
		var err error
		r.mem[i], err = syscall.Mmap(r.fd, m.offset, m.length, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED|syscall.MAP_POPULATE)
		if err != nil {
			return fmt.Errorf("uring: mmap: %w", err)
		}
	}
	rings := r.mem[0]
	at := func(offset uint32) *uint32 { return (*uint32)(unsafe.Pointer(&rings[offset])) }
	r.sqTail, r.cqHead, r.cqTail = at(p.sq.tail), at(p.cq.head), at(p.cq.tail)
	r.sqMask, r.cqMask = *at(p.sq.mask), *at(p.cq.mask)
	r.cqes = unsafe.Slice((*cqe)(unsafe.Pointer(&rings[p.cq.cqes])), p.cqEntries)
	r.sqes = unsafe.Slice((*sqe)(unsafe.Pointer(&r.mem[1][0])), p.sqEntries)
	// The kernel takes the entries in the order of an array of their numbers. Ours is always that of the entries.
	order := unsafe.Slice(at(p.sq.array), p.sqEntries)
	for i := range order {
		order[i] = uint32(i)
	}
	return nil
}

// Len is how many sends wait for Submit.
func (r *Ring) Len() int { return len(r.sends) }

// Full reports whether there is no place for another send.
func (r *Ring) Full() bool { return len(r.sends) == r.size }

// Send adds a send of p, which is not empty, to a socket. Neither may change before Submit has returned. The Ring must not
// be full.
//
//nolint:gosec // p is kept alive by sends, and does not move: it is on the heap, since sends has it
func (r *Ring) Send(fd int, p []byte) {
	tail := *r.sqTail + uint32(len(r.sends))
	r.sqes[tail&r.sqMask] = sqe{
		opcode: opSend, fd: int32(fd), addr: uint64(uintptr(unsafe.Pointer(&p[0]))), length: uint32(len(p)),
		msgFlags: syscall.MSG_DONTWAIT | syscall.MSG_NOSIGNAL, userData: uint64(len(r.sends)),
	}
	r.sends = append(r.sends, p)
}

// Submit makes the sends, and calls done for each that was made: with its number among them and the bytes that the
// socket took, none where it was full or failed. It does not block. After an error the Ring is of no more use.
func (r *Ring) Submit(done func(i, n int)) error {
	todo, made := len(r.sends), 0
	atomic.StoreUint32(r.sqTail, *r.sqTail+uint32(todo))
	var err error
	for todo > 0 && err == nil {
		var n int
		n, err = r.enter(todo)
		todo -= n
		made += n
	}
	for made > 0 {
		head := *r.cqHead
		tail := atomic.LoadUint32(r.cqTail)
		if head == tail { // a signal came between
			if _, werr := r.enter(0); werr != nil {
				return werr
			}
			continue
		}
		for ; head != tail; head++ {
			c := &r.cqes[head&r.cqMask]
			done(int(c.userData), max(int(c.result), 0))
			made--
		}
		atomic.StoreUint32(r.cqHead, head)
	}
	runtime.KeepAlive(r.sends)
	clear(r.sends)
	r.sends = r.sends[:0]
	return err
}

// enter has the kernel take up to n entries and wait for a result, which is there as soon as one is made. It reports how many
// it took.
//
// The scheduler is not told, as for a single send, see package sock: it would give the P away after 20 us, a goroutine that is
// back would wait for one, and the runtime's monitor, having found something to do, would look every 20 us for more. That was
// a third of what fan-out cost. The price is that a collection, or who is next on the P, waits for the sends: some 5 us for
// each.
func (r *Ring) enter(n int) (taken int, err error) {
	var took uintptr
	var errno syscall.Errno
	if fastpath.RawSyscalls.Enabled() {
		took, _, errno = syscall.RawSyscall6(unix.SYS_IO_URING_ENTER, uintptr(r.fd), uintptr(n), 1, enterGetEvents, 0, 0)
	} else {
		took, _, errno = syscall.Syscall6(unix.SYS_IO_URING_ENTER, uintptr(r.fd), uintptr(n), 1, enterGetEvents, 0, 0)
	}
	switch errno {
	case 0:
		return int(took), nil
	case syscall.EINTR, syscall.EAGAIN, syscall.EBUSY:
		return 0, nil
	}
	return 0, fmt.Errorf("uring: io_uring_enter: %w", errno)
}

// Close gives everything back. The Ring must not be in use.
func (r *Ring) Close() error {
	var errs []error
	for i, m := range r.mem {
		if m != nil {
			errs = append(errs, syscall.Munmap(m))
			r.mem[i] = nil
		}
	}
	return errors.Join(append(errs, syscall.Close(r.fd))...)
}
