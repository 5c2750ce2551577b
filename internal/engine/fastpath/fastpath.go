// Package fastpath says which of the engine's fast paths this process may use. Each is on by default and has a plain
// way beside it that does the same with more system calls or goroutines.
//
// The environment variable HUBKIT_DEBUG turns paths off when the process starts, in the manner of GODEBUG:
//
//	HUBKIT_DEBUG=uring=0,rawsys=0,poll=0,door=0
package fastpath

import (
	"os"
	"strings"
	"sync/atomic"
)

// Env is the environment variable that turns paths off.
const Env = "HUBKIT_DEBUG"

// Set is a set of fast paths.
type Set uint32

const (
	// Uring sends to many sockets with one system call: package uring. It is "uring" in Env.
	Uring Set = 1 << iota
	// RawSyscalls makes system calls that never block without telling Go's scheduler: package sock. It is "rawsys" in Env.
	RawSyscalls
	// Poller parks idle connections in an epoll set, without a goroutine: package netpoll. It is "poll" in Env.
	Poller
	// Door accepts connections below net/http: package door. It is "door" in Env.
	Door

	// All are all of them.
	All = Uring | RawSyscalls | Poller | Door
)

// paths are the names of the paths in Env, in the order in which String lists them.
var paths = []struct {
	name string
	path Set
}{{"uring", Uring}, {"rawsys", RawSyscalls}, {"poll", Poller}, {"door", Door}}

// off are the paths that are turned off. Nothing turns one on again: what runs already keeps the way that it has.
var off, unknown = load(os.Getenv(Env))

func load(settings string) (*atomic.Uint32, []string) {
	set, faults := Parse(settings)
	v := new(atomic.Uint32)
	v.Store(uint32(set))
	return v, faults
}

// Parse returns the paths that a value of Env turns off, and the settings in it that it does not understand.
func Parse(settings string) (off Set, unknown []string) {
	for setting := range strings.SplitSeq(settings, ",") {
		if setting = strings.TrimSpace(setting); setting == "" {
			continue
		}
		name, value, _ := strings.Cut(setting, "=")
		path := named(name)
		switch {
		case path != 0 && value == "0":
			off |= path
		case path != 0 && value == "1":
			off &^= path
		default:
			unknown = append(unknown, setting)
		}
	}
	return off, unknown
}

func named(name string) Set {
	for _, p := range paths {
		if p.name == name {
			return p.path
		}
	}
	return 0
}

// Enabled reports whether every path of s may be used.
func (s Set) Enabled() bool { return Set(off.Load())&s == 0 }

// Disable turns the paths of s off for the whole process.
func (s Set) Disable() { off.Or(uint32(s)) }

// Unknown are the settings in the process's environment that mean nothing.
func Unknown() []string { return unknown }

// String lists the paths as Env names them.
func (s Set) String() string {
	var names []string
	for _, p := range paths {
		if s&p.path != 0 {
			names = append(names, p.name)
		}
	}
	return strings.Join(names, ",")
}
