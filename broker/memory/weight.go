package memory

import "math/bits"

// weight is a place in the order in which rooms are shed when together they hold too much: those that are worth nothing
// first, then the larger, by powers of two, and of equals those idle for longest. It may be out of date: whoever takes
// it looks at the room and weighs anew. It is guarded as a deadline is.
type weight struct {
	deadline
	class int
}

// worthless is the class of what is shed before all else. Others are the number of bits of a size.
const worthless = 100

func classOf(size int64) int { return bits.Len64(uint64(size)) }

// rank is the smaller, the sooner a room is shed. touched is in nanoseconds.
func rank(class int, touched int64) int64 { return touched>>20 - int64(class)<<50 }

// place sets the place to what it is; class 0 is none.
func (w *weight) place(a *agenda, class int, touched int64) {
	w.class = class
	if class == 0 {
		a.plan(&w.deadline, never)
		return
	}
	a.plan(&w.deadline, rank(class, touched))
}

// grown sets the place if the size has doubled since, or what was worthless is so no more: publishers pay for it
// now and then.
func (w *weight) grown(a *agenda, class int, touched int64) {
	if class > w.class || w.class == worthless {
		w.place(a, class, touched)
	}
}

// current reports whether a place that was taken was right.
func (w *weight) current(class int, touched int64) bool {
	return class == w.class && rank(class, touched) == w.due
}
