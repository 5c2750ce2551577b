package memory

// ring is a queue in one slice. The zero value is empty.
type ring[T any] struct {
	buf  []T
	head int // the oldest
	n    int
}

// at returns the i-th oldest.
func (q *ring[T]) at(i int) *T {
	i += q.head
	if i >= len(q.buf) {
		i -= len(q.buf)
	}
	return &q.buf[i]
}

// push adds the newest. expected is the most the queue is meant to hold: it grows by doubling, but not
// beyond that as long as that is enough.
func (q *ring[T]) push(v T, expected int) {
	if q.n == len(q.buf) {
		size := max(4, 2*len(q.buf))
		if expected > q.n {
			size = min(size, expected)
		}
		q.resize(size)
	}
	q.n++
	*q.at(q.n - 1) = v
}

// pop drops the oldest.
func (q *ring[T]) pop() {
	var zero T
	*q.at(0) = zero // let go of what it points to
	q.n--
	if q.head++; q.head == len(q.buf) {
		q.head = 0
	}
}

// compact gives back the memory of a queue that is mostly empty.
func (q *ring[T]) compact() {
	switch {
	case q.n == 0:
		*q = ring[T]{}
	case len(q.buf) > 4*q.n:
		q.resize(2 * q.n)
	}
}

func (q *ring[T]) resize(size int) {
	buf := make([]T, size)
	for i := range q.n {
		buf[i] = *q.at(i)
	}
	q.buf, q.head = buf, 0
}
