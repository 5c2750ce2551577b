// Package workerpool runs CPU-heavy work of many connections on a bounded number of workers. Its goroutines are those of
// github.com/panjf2000/ants. This package adds order, fairness, bounds and an orderly end. It depends on no other
// package of the module.
//
// # Guarantees
//
// Order: tasks of one key run one after another, in the order in which they were accepted. Two of them never run at once,
// and each sees the effects of the one before it. Tasks of different keys run concurrently. [Pool.SubmitIfBusy] extends
// the order to tasks that the submitter runs itself.
//
// Fairness: keys take turns, one task a turn, in the order in which they began to have tasks. A key with many tasks delays
// a key with a single task by one task, not by all.
//
// Space is shared fairly too. With [Reject], an eighth of the places is kept for keys without tasks in the pool. Any other key
// gets one more place only while the rest has more free places than the key holds. One key thus gets at most half of the
// pool, and keys with many tasks do not keep out a key with a single task. With [Block] and [Deadline], the keys
// that wait for a place get one each in turn.
//
// The choice of key decides the fairness: a user with ten keys has ten turns. If that matters, use the user or the address
// as the key, or bound the number of keys of each.
//
// Bounds: at most [WithWorkers] tasks run, and at most [WithWorkers] + [WithQueue] are unfinished. No key has more than
// [WithKeyShare] of these. A key at its bound delays only its own submitters. A key takes memory only while it has
// unfinished tasks.
//
// Saturation: the [Policy] decides about a task without space: [Reject], [Block] or [Deadline]. A refusal matches
// [ErrBusy] and has a retry hint.
//
// Blocking: [Pool.Submit], [Pool.SubmitIfBusy] and [Pool.Go] block only for space, and only if the policy is to wait.
// [Pool.Do] blocks for the result and [Pool.Close] for the end. Each blocks no longer than its context. Nothing else
// blocks.
//
// Callbacks: a worker calls tasks and the panic handler, with no lock held. They may call the pool. A panic or
// runtime.Goexit ends its task only.
//
// End: [Pool.Close] accepts no more tasks, runs the accepted ones, and returns when no goroutine of the pool is left. A
// [CloseError] counts the tasks that could not finish in time.
//
// # How many workers
//
// The default is one less than Go's processors (GOMAXPROCS), and at least one. While every processor computes, the
// runtime looks for network events only every 10 ms. A woken goroutine then waits for a processor as well. With as many
// workers as processors, calls unrelated to the pool take 8 ms at the median and 30 ms at the 99th percentile, instead
// of 0.2 and 1 ms. With one processor left free, the median is the same as without load. `go run ./isolation` in bench
// measures it.
//
// If more threads compute than there are cores, a woken thread waits until a computing one has used up its slice. That was
// 4 ms at the 99th percentile. From Linux 6.12 on it need not wait for a thread that has asked for longer slices than
// others. Workers therefore ask for slices twice as long when their tasks take 200 µs on average. Their priority and
// their share of the processor do not change, so nothing starves, and no privilege is needed. Such a task has a thread
// of its own. A process that it starts inherits the slice.
//
// The bound is on Go's processors, not on cores. To use every core and still leave a processor free, set GOMAXPROCS above
// the number of cores. With 3 processors on 2 cores and WithWorkers(2), medians stayed at 0.2 ms while both cores
// computed. This matters most on a single core, because the default of one worker leaves nothing free: set GOMAXPROCS=2
// there.
//
// Workers also rest for 20 µs if they have run for a millisecond and more tasks wait. With as many workers as processors
// this keeps delays at a few milliseconds for tasks of at most that length. It does not help with longer ones.
//
// Importing ants starts two goroutines of its own default pool, which last as long as the process. A leak test must
// allow for them, for example with goleak.IgnoreCurrent in TestMain.
package workerpool
