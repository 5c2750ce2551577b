package admission

// Ticket is a connection that was admitted. Its holder calls Established when the handshake is done and
// Done when the connection has ended or the handshake has failed. It may be copied before the first of these calls and not
// after. The methods take the Gate that admitted the connection: a Ticket has no pointer to it, since there may be a million
// Tickets. The zero Ticket is valid, and its methods do nothing. A nil Gate gives no other.
type Ticket struct {
	slot     uint32 // in the gate's origins; another address may have it once stage is done
	stage    stage  // guarded by the gate's mutex
	resuming bool
	line     uint8
}

// Established says that the handshake is done, or what Verify began. Calling it again, or after Done, does nothing.
func (t *Ticket) Established(g *Gate) {
	if t.slot == noSlot {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if t.stage == handshaking {
		t.stage = established
		g.handshakes--
	}
}

// Verify says that an established connection is about to be asked who it is, which is part of a handshake again until
// Established. It refuses that, and then changes nothing, if there are too many handshakes. The client is to be told
// when to come back.
func (t *Ticket) Verify(g *Gate) *Refusal {
	if t.slot == noSlot {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case t.stage != established:
		return nil
	case g.busy():
		g.verifiers++
		return g.refuse(g.advance(), Handshakes, arrival{resuming: t.resuming, line: int(t.line)})
	}
	t.stage = handshaking
	g.handshakes++
	return nil
}

// Renew is Verify for a client that stays connected whatever comes of it, and so gets no place in the queue if it is refused.
func (t *Ticket) Renew(g *Gate) bool {
	if t.slot == noSlot {
		return true
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case t.stage != established:
		return true
	case g.busy():
		g.verifiers++
		return false
	}
	t.stage = handshaking
	g.handshakes++
	return true
}

// Done gives the place back. Calling it again does nothing.
func (t *Ticket) Done(g *Gate) {
	if t.slot == noSlot {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if t.stage == done {
		return
	}
	if t.stage == handshaking {
		g.handshakes--
	}
	t.stage = done
	g.conns--
	g.origins.leave(t.slot)
}

type stage uint8

const (
	handshaking stage = iota
	established
	done
)
