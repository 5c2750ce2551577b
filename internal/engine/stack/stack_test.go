package stack_test

import (
	"runtime/debug"
	"testing"
	"unsafe"

	"github.com/gohubkit/hubkit/internal/engine/stack"
	"github.com/gohubkit/hubkit/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// deep uses about n times 128 bytes of the stack.
//
//go:noinline
func deep(n int) byte {
	var frame [64]byte
	frame[n&63] = 1
	if n == 0 {
		return frame[1]
	}
	return deep(n-1) + frame[n&31]
}

// TestReserve: what goes deep after Reserve does not have the stack copied again.
func TestReserve(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // a collection may shrink a stack
	moved := make(chan bool)
	go func() {
		stack.Reserve()
		var local byte
		before := uintptr(unsafe.Pointer(&local)) // where the stack is
		deep(20)
		moved <- uintptr(unsafe.Pointer(&local)) != before
	}()
	if <-moved {
		t.Error("the stack was copied for less than was reserved")
	}
}

// BenchmarkGoroutine starts goroutines that go as deep as a handshake does, by a few calls of large frames and many of small ones.
func BenchmarkGoroutine(b *testing.B) {
	for _, tt := range []struct {
		name  string
		begin func()
	}{
		{"grown", func() {}},
		{"reserved", stack.Reserve},
	} {
		b.Run(tt.name, func(b *testing.B) {
			done := make(chan byte)
			for b.Loop() {
				go func() {
					tt.begin()
					done <- deep(40)
				}()
				<-done
			}
		})
	}
}
