package hub

import "sync"

// evictions knows who was disconnected while connections were on their way in. From when the application says who
// somebody is until the connection is found under that name, Disconnect does not see it; without a note, a session
// that has just ended would live on in it.
//
// Notes are kept in two generations: those of one are of use to arrivals of that or an earlier one only, and are
// forgotten when the last of these is in.
type evictions struct {
	mu      sync.Mutex
	now     uint64 // how many evictions were noted
	gen     uint64
	pending [2]int // arrivals of this generation and of the one before, by their parity
	noted   [2]map[string]eviction
}

type eviction struct {
	at  uint64
	why *CloseError
}

// arrival is a connection on its way in.
type arrival struct{ gen, since uint64 }

// arrive is called before the application is asked. done has to follow.
func (e *evictions) arrive() arrival {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.pending[e.gen%2]++
	return arrival{gen: e.gen, since: e.now}
}

// note is called before those are closed who are found already.
func (e *evictions) note(user string, why *CloseError) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.pending == [2]int{} {
		return
	}
	e.now++
	notes := &e.noted[e.gen%2]
	if *notes == nil {
		*notes = make(map[string]eviction)
	}
	(*notes)[user] = eviction{at: e.now, why: why}
	e.age()
}

// after says why a user was evicted after a connection arrived; nil if that did not happen. It is called when the
// connection is found under the user's name.
func (e *evictions) after(a arrival, user string) *CloseError {
	e.mu.Lock()
	defer e.mu.Unlock()
	for i := range e.noted {
		if n := e.noted[i][user]; n.at > a.since {
			return n.why
		}
	}
	return nil
}

func (e *evictions) done(a arrival) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.pending[a.gen%2]--
	e.age()
}

// age begins a new generation where there are notes in this one and the last arrival of the one before is in.
func (e *evictions) age() {
	for e.pending[(e.gen+1)%2] == 0 {
		e.noted[(e.gen+1)%2] = nil
		if len(e.noted[e.gen%2]) == 0 {
			return
		}
		e.gen++
	}
}
