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
// of time, R and N, that the lanes still need. Both run off as time passes: while both are positive, R by three quarters
// of it and N by a quarter. A refusal adds e = 1/(0.8·Rate) to its lane, and its client is told to wait until then:
//
//	(R+e) + min(N, (R+e)/3)              if it resumes
//	(N+e) + min(max(R, e·owed), 3(N+e))  if it is new
//
// Here owed is the number of promises to resuming clients that were neither redeemed nor have expired. A client that
// finds no token when it comes back is refused once more and goes to the end of its lane. Places pass whether or not
// their clients come, and no wait is longer than [MaxWait]: clients that do not return hold nobody up. If the queue is
// full, clients are sent away for MaxWait/2 + U(0, MaxWait/2) and get no place.
//
// At the gate a client that resumes takes any token, but for those due to new clients that wait. A new one leaves
// min(owed, Burst-1) tokens untouched unless one is due to it. Tokens become due to new clients at a quarter of the rate. So
// the resuming ones come first, and neither lane starves. With a Burst of 1 there is nothing to reserve, and the lanes
// differ by their places only. A promise expires 3 s and half its wait after its time, rounded up to 4 s.
//
// # Addresses
//
// Each client address has a share of the rate, a quarter by default. While requests of other addresses come, what an
// address sends beyond its share stands in a second line, which is made like the first and waits behind it: it leaves
// at least half a Burst of tokens, and one for each promise of the first line. So one address delays itself
// alone. An address that has the gate to itself for a minute is not held to its share. The shares are counted in constant
// memory, by a secret hash.
//
// # Resume tickets
//
// That a client resumes is shown by a ticket that a [Keyring] has signed. A ticket buys an earlier place, nothing else. It may be
// shared or stolen: the shares of addresses and of new clients hold all the same.
//
// # Bounds
//
// MaxConns, MaxPerIP and MaxHandshakes are exact: no moment sees more tickets than they say. What asks a connection that
// stands who it is counts as a handshake again; see [Ticket.Verify]. Who is
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
