package hub

import "sync/atomic"

// marks are flags that share one word with the state, and with what the reader is at.
type marks struct{ bits atomic.Uint32 }

const (
	greetedMark   = firstMark << iota // welcome has been sent
	askedMark                         // a ping was sent, and no pong has come since
	barredMark                        // barred is not empty
	boundMark                         // a grant has been held
	gathersMark                       // answers wait for others that come at once
	helloMark                         // the first frame is still to come
	deflateMark                       // compression was agreed on
	heavyMark                         // tasks of this connection may be on the worker pool
	toldStaleMark                     // the client knows that the broker is lost
	greetingMark                      // welcome is being sent, or was

	handlingBits  = 3 << handlingShift // what the reader is at; see lookout
	handlingShift = 30
)

func (m *marks) set(mark uint32)      { m.bits.Or(mark) }
func (m *marks) has(mark uint32) bool { return m.bits.Load()&mark != 0 }

func (m *marks) clear(mark uint32) { m.bits.And(^mark) }

// put sets a mark or clears it.
func (m *marks) put(mark uint32, on bool) {
	if on {
		m.set(mark)
	} else {
		m.clear(mark)
	}
}

// handling is what the reader is at.
func (m *marks) handling() uint32 { return m.bits.Load() >> handlingShift }

// handle says what the reader is at. The reader says it before it reads the state; closeAfterAnswers does the two in the opposite
// order.
func (m *marks) handle(at uint32) {
	for {
		before := m.bits.Load()
		if m.bits.CompareAndSwap(before, before&^handlingBits|at<<handlingShift) {
			return
		}
	}
}

// take clears a mark, and reports whether it was set.
func (m *marks) take(mark uint32) bool { return m.has(mark) && m.bits.And(^mark)&mark != 0 }
