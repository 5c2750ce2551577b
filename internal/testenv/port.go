package testenv

import (
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"testing"
)

// FreePort returns a TCP port of loopback that nobody listens on, nor on those that are further by more. It is for a process that
// is told its port. All are below 32,768, from where on Linux gives ports to outgoing connections and to listeners that name none,
// so that a process which is started again finds its own.
func FreePort(t testing.TB, more ...int) int {
	t.Helper()
	for range 100 {
		port := 12_000 + rand.N(10_000)
		if free(port) && !slices.ContainsFunc(more, func(n int) bool { return !free(port + n) }) {
			return port
		}
	}
	t.Fatal("testenv: no free port")
	return 0
}

func free(port int) bool {
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return false
	}
	_ = l.Close()
	return true
}
