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
// Space is shared fairly, too. With [Reject] an eighth of the places is kept for keys that have nothing in the pool, and
// any other key gets a further place only while more of the rest are free than it holds. So one key gets at most
// half of the pool, and keys with many tasks do not keep out one with a single task. With [Block] and [Deadline] the keys that wait for a place get one each in turn.
//
// What is a key decides what is fair: a user with ten keys has ten turns. If that matters, use
// the user or the address for the key, or bound how many keys one of them may have.
//
// Bounds: no more than [WithWorkers] tasks run, and no more than [WithWorkers] + [WithQueue] are
// unfinished. No key has more than [WithKeyShare] of these, and a key at its bound holds up only
// those who submit for it. A key costs memory while it has unfinished tasks, and nothing afterwards.
//
// Saturation: what happens to a task without space is a declared [Policy]: [Reject], [Block] or
// [Deadline]. A refusal matches [ErrBusy] and says when to come back.
//
// Blocking: [Pool.Submit], [Pool.SubmitIfBusy] and [Pool.Go] block only for space and only where the
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
// By default there is one less than Go's processors (GOMAXPROCS), and at least one. While every processor
// computes, the runtime looks for network events only every 10 ms, and whatever they wake waits for a processor
// as well: with as many workers as processors, calls that have nothing to do with the pool take 8 ms at the
// median and 30 ms at the 99th percentile instead of 0.2 and 1 ms. One processor left free keeps the median where it
// is without load. `go run ./isolation` in bench measures it.
//
// Where cores are scarcer than threads that compute, the operating system lets a thread that was woken wait until the
// one that computes has used up its slice, which was 4 ms at the 99th percentile. Linux from 6.12 on does not where that
// one has asked for longer slices than others have, and so workers do, for twice as long, once tasks take 200 µs in the
// mean. Their priority and their share of the processor are as before, so that nothing starves; no privilege is needed. A
// task has a thread of its own meanwhile, and a process that it starts has the slice too.
//
// The bound is on Go's processors, not on cores. A pool that is to use every core and still leave a
// processor free needs GOMAXPROCS above the number of cores: with 3 processors on 2 cores and
// WithWorkers(2), medians stayed at 0.2 ms while both cores computed. Above all that goes for a single core,
// where the default of one worker leaves nothing free: set GOMAXPROCS=2 there.
//
// Workers also rest for 20 µs where they have run for a millisecond and more is waiting. With as many of them as
// processors that keeps delays at a few milliseconds if tasks are as short as that; with longer ones it does not help.
//
// Importing ants starts two goroutines of its own default pool, which last as long as the process. A
// leak test must allow for them, for example with goleak.IgnoreCurrent in TestMain.
package workerpool
