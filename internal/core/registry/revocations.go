package registry

import "sync"

// Revocations knows whose rights ended while connections were on their way in, and why. From when the application says who
// somebody is until the connection is found under that name, nobody who looks for the user's connections sees it; without
// a note, a session that has just ended would live on in it.
//
// Notes are kept in two generations: those of one are of use to arrivals of that or an earlier one only, and are forgotten
// when the last of these is in. The zero Revocations is empty. Its methods may be called from several goroutines.
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

// Arrival is a connection on its way in.
type Arrival struct{ gen, since uint64 }

// Arrive is called before the application is asked. Done has to follow.
func (r *Revocations[Why]) Arrive() Arrival {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pending[r.gen%2]++
	return Arrival{gen: r.gen, since: r.now}
}

// Note notes that something was revoked of a user's: a room, or everything if what is empty. It is called before that is
// taken from those connections that are found already.
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

// Since says what was revoked of a user's after a connection arrived, and why; nil if nothing was. It is called when the
// connection is found under the user's name.
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

// Done is the end of what Arrive began.
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
