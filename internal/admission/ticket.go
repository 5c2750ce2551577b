package admission

// Ticket is a connection that was admitted. Its holder calls Established when the handshake is done and
// Done when the connection has ended or the handshake has failed. It may be copied before the first of these calls and not
// after. The zero Ticket is valid, and its methods do nothing.
type Ticket struct {
	origin   *origin
	stage    stage // guarded by the gate's mutex
	resuming bool
	line     uint8
}

// Established says that the handshake is done, or what Verify began. Calling it again, or after Done, does nothing.
func (t *Ticket) Established() {
	if t.origin == nil {
		return
	}
	g := t.origin.gate
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
func (t *Ticket) Verify() *Refusal {
	if t.origin == nil {
		return nil
	}
	g := t.origin.gate
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
func (t *Ticket) Renew() bool {
	if t.origin == nil {
		return true
	}
	g := t.origin.gate
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
func (t *Ticket) Done() {
	if t.origin == nil {
		return
	}
	g := t.origin.gate
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
	t.origin.leave()
}

type stage uint8

const (
	handshaking stage = iota
	established
	done
)

// origin is a client address that has connections, or stands for all where they are not told apart.
type origin struct {
	gate  *Gate
	key   uint64
	conns int
}

// leave takes one connection off. It is called with the gate's mutex held.
func (o *origin) leave() {
	o.conns--
	if o.conns == 0 && o != &o.gate.anyone {
		delete(o.gate.origins, o.key)
	}
}
