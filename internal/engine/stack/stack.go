// Package stack spares goroutines the copies of a stack that grows step by step.
package stack

// Reserve makes room for about 5 KB of frames on the calling goroutine's stack.
//
// A goroutine begins with a stack of 2 KB. Each time that is too small, the runtime copies the stack to one of twice the size,
// and goes through all of its frames. A goroutine that is known to go deep therefore calls Reserve first. Its stack grows once,
// while it holds next to nothing.
//
//go:noinline
func Reserve() {
	if never { // the stack grows at the function's entry, by the size of its frame
		var room [5 << 10]byte
		use(&room)
	}
}

var never bool

//go:noinline
func use(room *[5 << 10]byte) { room[0]++ }
