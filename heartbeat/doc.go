// Package heartbeat detects dead peers among a very large number of peers.
//
// A connection whose other end has vanished looks like a silent one. A [Monitor] pings peers that were silent
// for [Policy.Interval]. It expires a peer if nothing is heard from it for [Policy.Timeout] after the ping. The
// package does no I/O: a [Peer] sends its own pings. The goroutine that reads from a peer calls [Monitor.Heard]
// for all data that arrives, not for pongs only.
//
// # Guarantees
//
// Detection: a vanished peer expires no later than [Policy.MaxSilence] after it was last heard, which is
// Interval + Timeout + 2 ticks. It expires no earlier than Timeout after a ping. A peer that was heard since
// its last ping never expires.
//
// Traffic: a peer heard from within the interval is not pinged, with two exceptions. The first ping comes at a
// random time within the interval after Add, so that peers added together are not pinged together. If more than
// four times the fair share of peers would be pinged in the same tick, as after a message that all of them
// answered, the excess is moved to random earlier times. Each of these peers will then have been silent for at
// least half of the interval.
//
// Callbacks: the monitor's one goroutine calls [Peer.Ping] and [Peer.Expire] one at a time, with no lock held.
// They may call every method but Stop. After Remove has returned, no callback of that peer is made, except for
// one that was under way when Remove was called. After Stop has returned, none is made at all.
//
// Blocking: no method blocks for longer than it takes to look after 32 peers, except Stop, which waits for the
// callback under way. A callback that blocks makes all peers wait.
//
// Time: it is monotonic and does not follow jumps of the wall clock. The process may not run for a while: it
// was stopped, its machine was suspended, or a callback blocked. If that lasts for more than a quarter of the
// timeout, the lost time does not count and every deadline shifts by it. Peers whose answers wait unread in the
// kernel then do not expire. [Stats] reports the lost time.
//
// # Cost
//
// A peer costs 16 bytes in the monitor and 16 in its [Entry]. Each is visited about twice in an interval. A
// million peers at 25 s, each pinged and answering, are 80,000 visits a second of about 0.2 µs, plus the cost
// of their Pings. Heard costs two atomic loads, and once a tick a store.
package heartbeat
