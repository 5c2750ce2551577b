package client

import (
	"sync"
	"time"

	"github.com/gohubkit/hubkit/protocol"
)

const (
	// firstHello is the size of a hello to a server whose limit is not known yet, in bytes. It can be larger only by its
	// token.
	firstHello = 4 << 10
	// share is how much of an announced rate and burst the client uses: messages that the network held up arrive together.
	share = 0.9
	// frameHeader is the size of the largest header of a frame with its mask. Byte limits count it.
	frameHeader = 14
)

// helloLimits are those of a hello: its size and its rooms. known are those of the last welcome. A server charges each room
// of a hello as a message, so that half of the burst is left for what else waits.
func helloLimits(known protocol.Limits) protocol.Limits {
	most := protocol.Limits{Message: firstHello, Rooms: protocol.MaxResume}
	if known.Message > 0 {
		most.Message = known.Message
	}
	if known.ByteBurst > 0 {
		most.Message = min(most.Message, known.ByteBurst/2)
	}
	if known.Rooms > 0 {
		most.Rooms = min(most.Rooms, known.Rooms)
	}
	if known.Rate > 0 {
		most.Rooms = min(most.Rooms, burstShare(known.Burst)/2)
	}
	return most
}

func burstShare(burst int) int { return max(1, int(share*float64(burst))) }

// pace is what one connection may send when: the client's own rate or the server's, whichever is less.
//
// The server counts a message when it reads it. If the network or the server stalls, messages arrive together, and one in the middle
// that is refused would come behind those after it. So publications without an answer lie in the bucket as if they had arrived just
// now: the bucket fills up to its burst less those.
type pace struct {
	charged bool // the server charges the rooms of a hello

	mu          sync.Mutex
	messages    *bucket
	bytes       *bucket        // nil if there is no limit
	unread      map[uint64]int // the sizes of publications without an answer, by id
	unreadBytes int
}

func newPace(c *config, l protocol.Limits, now time.Time) *pace {
	rate, burst := c.rate, c.burst
	if l.Rate > 0 {
		r, b := share*l.Rate, burstShare(l.Burst)
		if c.rateSet {
			r, b = min(r, rate), min(b, burst)
		}
		rate, burst = r, b
	}
	p := &pace{messages: newBucket(rate, burst, now), charged: l.Rate > 0, unread: make(map[uint64]int)}
	if l.ByteRate > 0 {
		p.bytes = newBucket(share*float64(l.ByteRate), burstShare(l.ByteBurst), now)
	}
	return p
}

// hello counts the hello that was sent before the limits were known.
func (p *pace) hello(rooms, size int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.charged {
		p.messages.spend(float64(1 + rooms))
	}
	p.spendBytes(size)
}

// wait returns how long it takes until a message may be sent.
func (p *pace) wait(now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fill(now)
	return p.messages.wait(1)
}

// waitBytes returns how long it takes until a message of this size may be sent.
func (p *pace) waitBytes(now time.Time, size int) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bytes == nil {
		return 0
	}
	p.fill(now)
	return p.bytes.wait(float64(size + frameHeader))
}

func (p *pace) fill(now time.Time) {
	p.messages.fill(now, len(p.unread))
	if p.bytes != nil {
		p.bytes.fill(now, p.unreadBytes)
	}
}

// sent counts a message.
func (p *pace) sent(size int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.spend(size)
}

// published counts a publication.
func (p *pace) published(id uint64, size int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.spend(size)
	p.unread[id] = size + frameHeader
	p.unreadBytes += size + frameHeader
}

// answered says that the server has read the request with this id. It may have been no publication.
func (p *pace) answered(id uint64, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	size, ok := p.unread[id]
	if !ok {
		return
	}
	p.fill(now)
	delete(p.unread, id)
	p.unreadBytes -= size
}

func (p *pace) spend(size int) {
	p.messages.spend(1)
	p.spendBytes(size)
}

func (p *pace) spendBytes(size int) {
	if p.bytes != nil {
		p.bytes.spend(float64(size + frameHeader))
	}
}

// refused says that the server has refused something for its rate: its bucket is emptier than this one.
func (p *pace) refused() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.messages.drain()
	if p.bytes != nil {
		p.bytes.drain()
	}
}
