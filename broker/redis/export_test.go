package redis

// Abandon ends the broker as a crash of its process would: it takes back nothing.
func (b *Broker) Abandon() {
	b.phase.Store(closing)
	b.end()
	b.phase.Store(closed)
	close(b.done)
}
