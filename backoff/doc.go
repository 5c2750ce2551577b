// Package backoff says how long to wait before trying again.
//
// When a server fails, all its clients come back. If they come together it fails again, so the delays
// grow and, above all, are random. A [Policy] holds the rules and is shared; a [Sequence] is what
// one connection remembers, and [Retry] repeats a function.
//
// By default retry n, counted from 0, waits U(0, min(30 s, 500 ms·2ⁿ)), which is drawn uniformly from that
// window; the first waits U(0, 2 s). The number of tries has no limit.
//
// # Guarantees
//
// Spread: the window is cut at the cap before a delay is drawn from it, never the delay itself, so the
// spread of clients that have reached the cap is as wide as the cap. This holds for every
// [Strategy].
//
// Bounds: no delay is negative, and none is longer than the cap except for one that the server asked
// for with a hint. However many tries there were, nothing overflows.
//
// Hints: what [Sequence.Hint] was told replaces the next delay, once.
//
// Reset: a connection that is made and lost again does not start the sequence anew; one that lasted for
// 30 s does. A server that accepts and fails at once is not hammered.
//
// Concurrency: a Policy and a Sequence may be used by several goroutines. Nothing here starts a
// goroutine; functions are called by the goroutine inside Retry. Only Retry and [Sequence.Wait] block, and
// they return as soon as their context is done.
//
// Time: it is read with time.Now and time.NewTimer only, so all of this runs on virtual time in a
// testing/synctest bubble.
package backoff
