package admission

// line is one of the two in which clients wait: see Gate.
type line struct {
	queue       queue
	back, fresh promises // to clients that resume, and to new ones
	// kept are the tokens that are due to new clients, whatever was promised to resuming ones.
	kept bucket
}

func newLine(rate float64, burst int) line {
	return line{
		queue: queue{each: 1 / (share * rate)},
		kept:  newBucket(newShare*rate, max(1, int(newShare*float64(burst)))),
	}
}

// reserve is how many tokens a client of this line leaves to others of it.
func (l *line) reserve(resuming bool) int {
	switch {
	case resuming:
		return min(l.fresh.len(), int(l.kept.tokens))
	case l.kept.tokens >= 1:
		return 0
	}
	return l.back.len()
}

// admitted notes that a client of this line was. Where no promise is due, it had none.
func (l *line) admitted(resuming bool) {
	back, fresh := l.queue.waiting()
	p, early := &l.fresh, fresh
	if resuming {
		p, early = &l.back, back
	} else {
		l.kept.tokens = max(0, l.kept.tokens-1)
	}
	if p.len() > early {
		p.redeem()
	}
}
