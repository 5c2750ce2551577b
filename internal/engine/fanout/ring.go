package fanout

// ring is a growing first-in, first-out queue.
type ring struct {
	buf  []task
	head int
	n    int
}

func (r *ring) push(t task) {
	if r.n == len(r.buf) {
		grown := make([]task, max(16, 2*len(r.buf)))
		k := copy(grown, r.buf[r.head:])
		copy(grown[k:], r.buf[:r.head])
		r.buf, r.head = grown, 0
	}
	r.buf[(r.head+r.n)%len(r.buf)] = t
	r.n++
}

func (r *ring) pop() task {
	t := r.buf[r.head]
	r.buf[r.head] = task{}
	r.head = (r.head + 1) % len(r.buf)
	r.n--
	return t
}

// at is the n-th from the front.
func (r *ring) at(n int) *task { return &r.buf[(r.head+n)%len(r.buf)] }

// drop takes n from the front.
func (r *ring) drop(n int) {
	for range n {
		r.pop()
	}
}
