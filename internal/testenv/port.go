package testenv

import (
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"testing"
)

// given has the ports that tests of this process have from FreePort.
var given sync.Map

// FreePort returns a TCP port of loopback that nobody listens on, nor on those that are further by more. It is for a process that
// is told its port. All are below 32,768, from where on Linux gives ports to outgoing connections and to listeners that name none,
// so that a process which is started again finds its own. Until the test ends, FreePort gives them to no other test of the process.
func FreePort(t testing.TB, more ...int) int {
	t.Helper()
	for range 100 {
		port := 12_000 + rand.N(10_000)
		if take(t, port) && !slices.ContainsFunc(more, func(n int) bool { return !take(t, port+n) }) {
			return port
		}
	}
	t.Fatal("testenv: no free port")
	return 0
}

// take reports whether a port was neither given nor in use. It is given then.
func take(t testing.TB, port int) bool {
	if _, ok := given.LoadOrStore(port, true); ok {
		return false
	}
	t.Cleanup(func() { given.Delete(port) })
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return false
	}
	_ = l.Close()
	return true
}
