package rooms

import (
	"hash/maphash"
	"time"
)

// sampleEvery is how many publications there are, on average, for one whose time is taken.
const sampleEvery = 256

// sampleTTL is how long a sampled publication may take. What takes longer has got lost, and another takes its place.
const sampleTTL = 10 * time.Second

// sample is a publication whose time is taken until it is sent to the members here. It is recognized by its content when the
// broker brings it back: nothing is added to what goes over the wire. If the room has another of the same content, the one
// that is delivered first counts.
type sample struct {
	room  *Room
	began time.Duration // on the node's clock
	len   int
	hash  uint64
}

var sampleSeed = maphash.MakeSeed()

// begin returns when a publication begins whose time is to be taken. If the room has members here and no other sample is under
// way, it is awaited by arrived. r is nil if the room has no members here.
func (n *Node) begin(r *Room, data []byte) time.Duration {
	began := max(n.now(), 1)
	if r == nil || n.conf.Sent == nil {
		return began
	}
	if old := n.sample.Load(); old == nil || began-old.began > sampleTTL {
		n.sample.CompareAndSwap(old, &sample{r, began, len(data), maphash.Bytes(sampleSeed, data)})
	}
	return began
}

// stored is called when the broker has answered. fresh says that it has taken the publication, and delivers it.
func (n *Node) stored(began time.Duration, fresh bool) {
	if !fresh {
		n.forget(began)
		return
	}
	n.conf.Stored.Observe(int64(n.now() - began))
}

// forget ends a sample of which nothing is to come.
func (n *Node) forget(began time.Duration) {
	if s := n.sample.Load(); s != nil && s.began == began {
		n.sample.CompareAndSwap(s, nil)
	}
}

// arrived has the room time the message with this content if it is the sample. It returns the sample if it is still awaited.
func (n *Node) arrived(s *sample, data []byte) *sample {
	if len(data) != s.len || maphash.Bytes(sampleSeed, data) != s.hash {
		return s
	}
	if n.sample.CompareAndSwap(s, nil) {
		s.room.Time(s.began)
	}
	return nil
}

// Sent is told by the scheduler that a pass has sent the message whose publication began then.
func (n *Node) Sent(began time.Duration) { n.conf.Sent.Observe(int64(n.now() - began)) }
