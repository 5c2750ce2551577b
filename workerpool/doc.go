// Package workerpool runs CPU-heavy work of many connections on a bounded number of workers. The
// goroutines under it are those of github.com/panjf2000/ants; order, fairness, bounds and an end are
// what this package adds. It depends on no other package of the module.
//
// # Guarantees
//
// Order: tasks of one key run one after another, never two at once, in the order in which they were
// accepted, and each sees what the one before it did. Tasks of different keys run at once.
// [Pool.SubmitIfBusy] extends the order to what the submitter runs itself.
//
// Fairness: keys take turns, one task a turn, in the order in which they came to have something to
// run. A key with many tasks delays one with a single task by one of them, not by all.
//
// Bounds: no more than [WithWorkers] tasks run, and no more than [WithWorkers] + [WithQueue] are
// unfinished. No key has more than [WithKeyShare] of these, and a key at its bound holds up only
// those who submit for it. A key costs memory while it has unfinished tasks, and nothing afterwards.
//
// Saturation: what happens to a task without room is a declared [Policy]: [Reject], [Block] or
// [Deadline]. A refusal matches [ErrBusy] and says when to come back.
//
// Blocking: [Pool.Submit], [Pool.SubmitIfBusy] and [Pool.Go] block only for room and only where the
// policy is to wait, [Pool.Do] for the result and [Pool.Close] for the end; each of them no longer than
// its context. Nothing else blocks.
//
// Callbacks: tasks and the panic handler are called on a worker, with no lock held; they may call the
// pool. A panic, or runtime.Goexit, ends its task and nothing more.
//
// End: [Pool.Close] takes nothing more, runs what was accepted, and returns when no goroutine of the pool
// is left. What cannot be finished in time is counted in a [CloseError], not lost in silence.
//
// # How many workers
//
// By default there is one for each of Go's processors (GOMAXPROCS), which is best for throughput.
// Connections feel it: while every processor computes, the runtime looks for network events only
// every 10 ms. Workers therefore rest for 20 µs where they have run for a millisecond and more is waiting,
// which keeps delays at a few milliseconds if tasks are as short as that. Tasks that compute for 10 ms
// and longer without a pause delay everything else in the process by 20 to 40 ms, as measured with
// a TCP echo on 2 processors; with one worker less than processors it took 14 µs. Where that
// matters, use WithWorkers(max(1, runtime.GOMAXPROCS(0)-1)).
//
// Importing ants starts two goroutines of its own default pool, which last as long as the process. A
// leak test must allow for them, for example with goleak.IgnoreCurrent in TestMain.
package workerpool
