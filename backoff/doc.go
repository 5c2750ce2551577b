// Package backoff computes how long to wait before the next attempt.
//
// When a server fails, all its clients reconnect. If they reconnect together, it fails again. The delays
// therefore grow and, above all, are random. A [Policy] holds the rules and is shared. A [Sequence] is the
// state of one connection. [Retry] repeats a function.
//
// By default, retry n, counted from 0, waits U(0, min(30 s, 500 ms·2ⁿ)): a delay drawn uniformly from that
// window. The first retry waits U(0, 2 s). The number of attempts has no limit.
//
// # Guarantees
//
// Spread: the window is cut at the cap before a delay is drawn from it; the delay itself is never cut. The
// spread of clients that have reached the cap is therefore as wide as the cap. This holds for every [Strategy].
//
// Bounds: no delay is negative. None is longer than the cap, except for a delay that the server asked for with
// a hint. Nothing overflows, however many attempts there were.
//
// Hints: the argument of [Sequence.Hint] replaces the next delay, once.
//
// Reset: a connection that is made and lost again does not restart the sequence; a connection that lasted for
// 30 s does. A server that accepts and fails at once is not flooded.
//
// Concurrency: several goroutines may use a Policy and a Sequence. Nothing here starts a goroutine; the
// goroutine inside Retry calls the functions. Only Retry and [Sequence.Wait] block, and they return as soon as
// their context is done.
//
// Time: it is read with time.Now and time.NewTimer only, so that all of this runs on virtual time in a
// testing/synctest bubble.
package backoff
