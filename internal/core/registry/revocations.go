package registry

import "sync"

// Revocations notes the rights that were revoked while connections were handshaking, and why. After the application has
// identified a connection, it takes a moment until the registry lists it under its user. A search for the user's
// connections in that moment does not find it. Without a note, a session that has just ended would live on in it.
//
// Notes are kept in two generations. Only arrivals of the same or an earlier generation need a note. It is forgotten when the
// last of these is listed. The zero Revocations is empty. Its methods may be called from several goroutines.
type Revocations[Why any] struct {
	mu      sync.Mutex
	now     uint64 // how many revocations were noted
	gen     uint64
	pending [2]int                                   // arrivals of this generation and of the one before, by their parity
	noted   [2]map[string]map[string]revocation[Why] // by user and what was revoked
}

type revocation[Why any] struct {
	at  uint64
	why Why
}

// Arrival is a handshaking connection.
type Arrival struct{ gen, since uint64 }

// Arrive begins an arrival. It is called before the application is asked. Done must follow.
func (r *Revocations[Why]) Arrive() Arrival {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pending[r.gen%2]++
	return Arrival{gen: r.gen, since: r.now}
}

// Note notes that a right of a user was revoked: a room, or everything if what is empty. It is called before the right is
// taken from the connections that are listed already.
func (r *Revocations[Why]) Note(user, what string, why Why) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.pending == [2]int{} {
		return
	}
	r.now++
	users := &r.noted[r.gen%2]
	if *users == nil {
		*users = make(map[string]map[string]revocation[Why])
	}
	notes := (*users)[user]
	if notes == nil {
		notes = make(map[string]revocation[Why])
		(*users)[user] = notes
	}
	notes[what] = revocation[Why]{at: r.now, why: why}
	r.age()
}

// Since returns the rights of a user that were revoked after a connection arrived, and why; nil if none. It is called when the
// connection is listed under its user.
func (r *Revocations[Why]) Since(a Arrival, user string) (revoked map[string]Why) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.noted {
		for what, n := range r.noted[i][user] {
			if n.at <= a.since {
				continue
			}
			if revoked == nil {
				revoked = make(map[string]Why)
			}
			revoked[what] = n.why
		}
	}
	return revoked
}

// Done ends an arrival.
func (r *Revocations[Why]) Done(a Arrival) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pending[a.gen%2]--
	r.age()
}

// age begins a new generation if there are notes in this one and the last arrival of the one before is in.
func (r *Revocations[Why]) age() {
	for r.pending[(r.gen+1)%2] == 0 {
		r.noted[(r.gen+1)%2] = nil
		if len(r.noted[r.gen%2]) == 0 {
			return
		}
		r.gen++
	}
}
