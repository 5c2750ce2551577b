// Package heartbeat finds out which of very many peers are gone.
//
// A connection whose other end vanished without a word looks like one that is merely silent. A
// [Monitor] pings peers that were silent for [Policy.Interval], and expires those from which nothing is
// heard for [Policy.Timeout] after the ping. It knows nothing of sockets: a [Peer] sends its own
// pings, and whoever reads from it calls [Monitor.Heard] for whatever arrives, not for pongs only.
//
// # Guarantees
//
// Detection: a peer that vanishes is expired no later than [Policy.MaxSilence] after it was last heard,
// which is Interval + Timeout + 2 ticks, and no earlier than Timeout after a ping. One that was heard
// since its last ping is never expired.
//
// Traffic: a peer heard from within the interval is not pinged, with two exceptions. The first ping
// comes at a random time within the interval after Add, so that peers added together are not
// pinged together. And where more than four times the fair share of peers would be pinged in the
// same tick, as after a message that all of them answered, those too many are put at random
// before it, at a time when they will have been silent for no less than half of the interval.
//
// Callbacks: [Peer.Ping] and [Peer.Expire] are called one at a time, from the monitor's one goroutine,
// with no lock held; every method but Stop may be called from them. After Remove has returned no
// callback of that peer is made, except for one that was under way when Remove was called. After
// Stop has returned none is made at all.
//
// Blocking: no method blocks for longer than it takes to look after 32 peers, except Stop, which
// waits for the callback under way. A callback that blocks makes all peers wait.
//
// Time: it is monotonic and does not follow the wall clock when that jumps. Where the process did not
// run for more than a quarter of the timeout (it was stopped, its machine was suspended, a callback
// blocked), the time lost does not count and every deadline is shifted by it: peers
// whose answers wait unread in the kernel are not expired. [Stats] tells how much it was.
//
// # Cost
//
// A peer costs 16 bytes in the monitor and 16 in its [Entry]. Each is visited about twice in an
// interval: a million of them at 25 s, each pinged and answering, are 80,000 visits a second of about
// 0.2 µs, plus what their Pings cost. Heard costs two atomic loads, and once a tick a store.
package heartbeat
