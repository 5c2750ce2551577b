package redis

import (
	"sync/atomic"

	"github.com/redis/rueidis"

	"github.com/gohubkit/hubkit/broker"
)

// inbox is what one connection hands to the receiver. Its goroutine is rueidis's, which does not say
// when it is done with a call: end does.
type inbox struct {
	b     *Broker
	link  *link
	one   [1]broker.Message // the slice of a call with one message
	heard atomic.Uint64     // how many messages have come
	phase atomic.Int32
	idle  chan struct{}
}

const (
	inboxIdle int32 = iota
	inboxBusy
	inboxEnded
)

func newInbox(b *Broker, l *link) *inbox { return &inbox{b: b, link: l, idle: make(chan struct{})} }

// end waits for the call under way. None follows.
func (in *inbox) end() {
	if in.phase.Swap(inboxEnded) == inboxBusy {
		<-in.idle
	}
	if in.b.batches != nil {
		in.b.batches.Flush() // what the connection brought last
	}
}

func (in *inbox) message(m rueidis.PubSubMessage) {
	if !in.phase.CompareAndSwap(inboxIdle, inboxBusy) {
		return
	}
	in.heard.Add(1)
	if r := in.b.rooms.find(m.Channel); r != nil {
		in.receive(r, m.Message)
	}
	if !in.phase.CompareAndSwap(inboxBusy, inboxIdle) {
		close(in.idle)
	}
}

// subscription notices that the server has ended a subscription, because the slot has moved.
func (in *inbox) subscription(s rueidis.PubSubSubscription) {
	if s.Kind == "sunsubscribe" {
		in.b.rooms.drift(s.Channel, in.link)
	}
}

func (in *inbox) receive(r *room, envelope string) {
	if envelope == "" {
		in.b.stats.invalid.Add(1)
		return
	}
	switch kind := envelope[0]; {
	case r.bus:
		from, payload, err := decodeCommand(envelope)
		if err != nil {
			in.b.stats.invalid.Add(1)
			return
		}
		in.b.receiver.Command(from, payload)
	case kind == kindJoined || kind == kindLeft:
		m, err := decodeMember(envelope[1:])
		if err != nil {
			in.b.stats.invalid.Add(1)
			return
		}
		in.b.presence.watch(r.name)
		r.mu.Lock()
		if r.gone || len(r.queue) >= maxQueue {
			r.mu.Unlock()
			return
		}
		r.post(in.b.receiver, event{member: &m, joined: kind == kindJoined})
	default:
		m, err := decodeMessage(envelope)
		if err != nil {
			in.b.stats.invalid.Add(1)
			return
		}
		in.deliver(r, &m)
	}
}

func (in *inbox) deliver(r *room, m *message) {
	r.mu.Lock()
	if r.gone {
		r.mu.Unlock()
		return
	}
	if m.stored() {
		if v := r.admit(m); v != deliver {
			r.mu.Unlock()
			if v == behind {
				in.b.catchUps.add(r)
			}
			return
		}
	} else if r.busy && len(r.queue) >= maxQueue {
		r.mu.Unlock()
		in.b.stats.dropped.Add(1)
		return
	}
	if r.busy {
		r.queue = append(r.queue, event{messages: []broker.Message{m.Message}})
		r.mu.Unlock()
		return
	}
	r.busy = true
	r.mu.Unlock()
	in.one[0] = m.Message
	if in.b.batches != nil {
		in.b.batches.DeliverSoon(r.name, in.one[:])
	} else {
		in.b.receiver.Deliver(r.name, in.one[:])
	}
	in.one[0] = broker.Message{}
	r.finish(in.b.receiver)
}
