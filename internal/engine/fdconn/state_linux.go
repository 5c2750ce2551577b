package fdconn

import (
	"sync"
	"sync/atomic"
)

// state is a Conn's socket and its users in one word: the descriptor, the number of calls that hold it, and two marks. A call
// holds the socket while it uses it. The call that ends the state waits until nobody holds the socket, and owns it then. So a
// socket is closed once, and no call uses its number afterwards, which may be another socket's.
type state struct{ word atomic.Uint64 }

const (
	holder uint64 = 1 << 32                      // a call that holds the socket; the bits below are the descriptor
	polled uint64 = 1 << 62                      // a file owns the socket
	ended  uint64 = 1 << 63                      // the Conn is closed or taken
	held          = (polled - 1) &^ (holder - 1) // the number of calls that hold the socket
)

// rare is locked while a Conn gets its file. On idle waits a call that has ended a state whose socket is still held. All Conns
// share both, because few ever need them.
var (
	rare sync.Mutex
	idle = sync.NewCond(&rare)
)

func (s *state) init(fd int) { s.word.Store(uint64(uint32(fd))) }

func descriptor(word uint64) int { return int(int32(word)) }

// peek returns the socket. If the state has ended, it returns -1 and false.
func (s *state) peek() (fd int, ok bool) {
	w := s.word.Load()
	if w&ended != 0 {
		return -1, false
	}
	return descriptor(w), true
}

// hold returns the socket, which stays valid until release. If the state has ended, it returns -1 and false, and there is
// nothing to release.
func (s *state) hold() (fd int, ok bool) {
	for {
		w := s.word.Load()
		if w&ended != 0 {
			return -1, false
		}
		if s.word.CompareAndSwap(w, w+holder) {
			return descriptor(w), true
		}
	}
}

// release ends what hold began.
func (s *state) release() {
	if w := s.word.Add(^(holder - 1)); w&(ended|held) == ended {
		wake()
	}
}

// wake wakes the call that has ended the state. Nobody holds the socket any more.
func wake() {
	rare.Lock()
	defer rare.Unlock()
	idle.Broadcast()
}

// poll marks the state as polled. It returns false if the state has ended.
func (s *state) poll() bool { return s.word.Or(polled)&ended == 0 }

// end ends the state and returns the socket once nobody holds it. The caller then owns the socket. If the state has ended, or
// if it has the mark unless, end returns -1 and false.
func (s *state) end(unless uint64) (fd int, ok bool) {
	for {
		w := s.word.Load()
		if w&(ended|unless) != 0 {
			return -1, false
		}
		if s.word.CompareAndSwap(w, w|ended) {
			if w&held != 0 {
				s.settle()
			}
			return descriptor(w), true
		}
	}
}

// settle waits until nobody holds the socket of a state that has ended.
func (s *state) settle() {
	rare.Lock()
	defer rare.Unlock()
	for s.word.Load()&held != 0 {
		idle.Wait()
	}
}
