package workerpool

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// longer is how many times the slice of other threads a worker asks for. Anything above one lets them run at once when they
// are woken. But as long as two slices a thread may be kept waiting for what it had too much before, and a worker that waits
// holds up the garbage collector, and so everybody: with 100 ms, light calls beside tasks that allocate, on a machine
// all of whose cores compute for others, took 110 ms at the 99th percentile, and 14 ms without.
const longer = 2

// longSlice has the system schedule the calling goroutine in longer slices, until restore is called by the same goroutine.
// Its thread is its own meanwhile. Where the system knows no such thing, it does nothing. The kernel has it in its
// documentation of EEVDF, and in sched_setattr(2) as sched_runtime.
func longSlice() (restore func()) {
	runtime.LockOSThread()
	before, err := unix.SchedGetAttr(0, 0)
	// Before Linux 6.12 an ordinary thread has no slice to tell of; and of others (SCHED_IDLE, SCHED_FIFO) somebody has made up his mind.
	if err != nil || before.Policy != unix.SCHED_NORMAL || before.Runtime == 0 {
		runtime.UnlockOSThread()
		return func() {}
	}
	long := *before
	long.Runtime *= longer
	if err := unix.SchedSetAttr(0, &long, 0); err != nil {
		runtime.UnlockOSThread()
		return func() {}
	}
	return func() {
		if err := unix.SchedSetAttr(0, before, 0); err != nil {
			return // the thread stays locked, and so ends with its goroutine
		}
		runtime.UnlockOSThread()
	}
}
