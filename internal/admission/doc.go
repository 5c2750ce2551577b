// Package admission decides who may connect now, and when the others are to come back.
//
// A [Gate] stands before the handshake. [Gate.Arrive] admits a request, which then holds a [Ticket] until
// its connection ends, or refuses it with a [Refusal] that says when there will be room. [Spread] is the
// other half: over how long a server that sends its clients away lets them return, so that few are
// refused at all.
//
// # Rate
//
// Connections are admitted by a token bucket: in any w seconds no more than Burst + Rate·w. A Burst
// of at most Rate/50 keeps every 100 ms within 1.2 times the rate, a storm's first included.
//
// # The queue of those who wait
//
// A refused client is promised a place in a schedule of 0.8·Rate places a second; the rest of the rate is left to those
// who come unasked. The schedule has two lanes, for clients that resume and for new ones, and is kept as two amounts
// of time, R and N, that the lanes still need. Both run off as time passes, R first. A refusal adds
// e = 1/(0.8·Rate) to its lane, and its client is told to wait until then:
//
//	R + e                   where it resumes
//	max(R, e·owed) + N + e  where it is new
//
// Here owed is the number of promises to resuming clients that were neither redeemed nor have expired. So
// those that resume are in front whenever they come, and what is promised to them does not depend on the new
// ones. A client that finds no room when it comes back is refused once more and goes to the end of its lane. Places
// pass whether or not their clients come, and no wait is longer than [MaxWait]: those who do not return hold
// nobody up. Where the queue is full, clients are sent away for MaxWait/2 + U(0, MaxWait/2) and get no place.
//
// At the gate a client that resumes takes any token, and a new one leaves min(owed, Burst-1) tokens untouched. As that
// is always less than a full bucket, whatever the resuming ones do not use goes to the new ones: they wait, but
// they do not starve. With a Burst of 1 there is nothing to reserve, and the lanes differ by their places only.
// A promise expires by 2·(1.5·MaxWait + 3 s) at the latest, in a short queue much sooner.
//
// That a client resumes is its own claim. It buys an earlier place, nothing else.
//
// # Bounds
//
// MaxConns, MaxPerIP and MaxHandshakes are exact: no moment sees more tickets than they say. Who is
// refused for the address's bound gets no place, so that one address cannot push the others back by being
// refused. A client is its IPv4 address or its IPv6 /64, which is what one customer is given.
//
// # Soft refusals
//
// A browser shows its page neither the status nor the headers of a refused handshake. Where Config.Soft
// allows it, [Refusal.Soft] tells that this one may be upgraded and closed with 1013 and the hint. A
// browser is known by its Origin header. One that is refused without a hint comes back when it likes, so it gets no
// place either. A small budget helps in a small rush; in a storm many times its size those who were not told take the tokens of
// those who were, and it is the jitter of their backoff that keeps the peace.
//
// # Concurrency
//
// All methods may be called from several goroutines. None blocks but for one mutex that is held for less than
// a microsecond, none calls back (Config.Now, a clock for simulations, aside), and no goroutine is started.
// A nil *Gate admits everybody.
package admission
