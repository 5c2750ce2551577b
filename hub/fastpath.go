package hub

import (
	"errors"
	"fmt"
	"slices"

	"github.com/gohubkit/hubkit/internal/engine/fastpath"
	"github.com/gohubkit/hubkit/internal/engine/netpoll"
)

// FastPath is an optimization of the engine's system calls that has a plain alternative; see WithoutFastPaths.
type FastPath uint8

const (
	// FastPathUring sends a message to up to 64 members of a room with one system call, by io_uring. It needs Linux
	// 5.12.
	FastPathUring FastPath = iota
	// FastPathRawSyscalls makes system calls that never block without telling Go's scheduler. It needs Linux.
	FastPathRawSyscalls
	// FastPathPoller parks idle connections in an epoll set, without a goroutine each. It needs Linux and plain TCP.
	FastPathPoller
	// FastPathDoor makes Hub.Serve accept connections itself. It needs Linux and plain TCP.
	FastPathDoor
)

var fastPaths = []struct {
	name string
	set  fastpath.Set
}{
	FastPathUring:       {"uring", fastpath.Uring},
	FastPathRawSyscalls: {"rawsys", fastpath.RawSyscalls},
	FastPathPoller:      {"poll", fastpath.Poller},
	FastPathDoor:        {"door", fastpath.Door},
}

// String returns the path's name in HUBKIT_DEBUG: "uring", "rawsys", "poll" or "door".
func (p FastPath) String() string {
	if int(p) < len(fastPaths) {
		return fastPaths[p].name
	}
	return fmt.Sprintf("FastPath(%d)", uint8(p))
}

// WithoutFastPaths turns fast paths off. By default all that the system supports are on. FastPathRawSyscalls is turned
// off for the whole process, and stays off. The others are turned off for this hub alone.
//
// The environment variable HUBKIT_DEBUG turns them off without a new build, for every hub of the process:
// HUBKIT_DEBUG=uring=0,rawsys=0,poll=0,door=0. New logs which paths are off.
func WithoutFastPaths(paths ...FastPath) Option {
	return func(c *config) error {
		if len(paths) == 0 {
			return errors.New("WithoutFastPaths: no path given")
		}
		for _, p := range paths {
			if int(p) >= len(fastPaths) {
				return fmt.Errorf("WithoutFastPaths: unknown path %d", uint8(p))
			}
		}
		c.slowPaths = append(c.slowPaths, paths...)
		return nil
	}
}

// uses reports whether this hub takes a fast path if the system has it.
func (c *config) uses(p FastPath) bool {
	return fastPaths[p].set.Enabled() && !slices.Contains(c.slowPaths, p) && (p != FastPathPoller || netpoll.Supported)
}

// logFastPaths logs once which paths are off, and turns off FastPathRawSyscalls for the process.
func (h *Hub) logFastPaths() {
	if slices.Contains(h.conf.slowPaths, FastPathRawSyscalls) {
		fastpath.RawSyscalls.Disable()
	}
	var off []string
	for p := range fastPaths {
		if slices.Contains(h.conf.slowPaths, FastPath(p)) || !fastPaths[p].set.Enabled() {
			off = append(off, FastPath(p).String())
		}
	}
	if len(off) > 0 {
		h.log.Info("fast paths are turned off", "off", off)
	}
	if unknown := fastpath.Unknown(); len(unknown) > 0 {
		h.log.Warn("settings in "+fastpath.Env+" are not understood: use uring=0, rawsys=0, poll=0 or door=0", "unknown", unknown)
	}
}
