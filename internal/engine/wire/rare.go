package wire

// rare is what few Writers have at a given moment. It is behind one pointer, since a million Writers have a million of each. It is
// a part of the slow if there is one, and otherwise of the backlog, so it takes no allocation of its own.
type rare struct {
	backlog *backlog
	slow    *slow
}

// backlog is nil while nothing waits. Its presence means that a flush goroutine exists or that frames gather. It is called with
// mu held.
func (w *Writer) backlog() *backlog {
	if w.rare == nil {
		return nil
	}
	return w.rare.backlog
}

// slow is nil until something could not be sent as it came. It then stays. It is called with mu held.
func (w *Writer) slow() *slow {
	if w.rare == nil {
		return nil
	}
	return w.rare.slow
}

// setBacklog makes q the backlog. If q is nil, nothing waits any more. It is called with mu held.
func (w *Writer) setBacklog(q *backlog) {
	switch {
	case w.slow() != nil:
		w.rare.backlog = q
	case q != nil:
		q.rare.backlog = q
		w.rare = &q.rare
	default:
		w.rare = nil
	}
}

// more returns the slow. It makes one if there is none. It is called with mu held.
func (w *Writer) more() *slow {
	if s := w.slow(); s != nil {
		return s
	}
	s := new(slow)
	s.rare = rare{w.backlog(), s}
	w.rare = &s.rare
	return s
}
