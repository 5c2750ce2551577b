package redis

import (
	"strings"

	"github.com/gohubkit/hubkit/broker"
)

// inbox hands what one connection brings to the receiver, from the goroutine that reads it.
type inbox struct {
	b    *Broker
	link *link
	one  [1]broker.Message // the slice of a call with one message
}

// flush is called when the connection has brought no more for now.
func (in *inbox) flush() {
	if in.b.batches != nil {
		in.b.batches.Flush()
	}
}

// message takes a message of a channel. The envelope is good during the call only: whoever keeps a message makes it
// its own.
func (in *inbox) message(channel, envelope []byte) {
	if r := in.b.rooms.find(channel); r != nil {
		in.receive(r, envelope)
	}
}

func (in *inbox) receive(r *room, envelope []byte) {
	if len(envelope) == 0 {
		in.b.stats.invalid.Add(1)
		return
	}
	switch kind := envelope[0]; {
	case r.bus && kind == kindOwner:
		in.b.heardOf(envelope)
	case r.bus:
		from, payload, err := decodeCommand(string(envelope))
		if err != nil {
			in.b.stats.invalid.Add(1)
			return
		}
		in.b.receiver.Command(from, payload)
	case kind == kindOwner:
		in.ownerOf(r, envelope)
	case kind == kindLost:
		in.b.presence.soon(r.name)
	case kind == kindJoined || kind == kindLeft:
		m, err := decodeMember(string(envelope[1:]))
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
		m, err := decodeMessage(text(envelope))
		if err != nil {
			in.b.stats.invalid.Add(1)
			return
		}
		m.ConflationKey = strings.Clone(m.ConflationKey)
		in.deliver(r, &m)
	}
}

// ownerOf takes what is said in a room's channel of an owner of members.
func (in *inbox) ownerOf(r *room, envelope []byte) {
	if len(envelope) < 3 {
		in.b.stats.invalid.Add(1)
		return
	}
	owner, what := string(envelope[2:]), envelope[1]
	switch {
	case what != ownerHere && what != ownerGone:
		in.b.stats.invalid.Add(1)
	case owner != in.b.owner:
		in.b.presence.heard(r.name, owner, what == ownerHere)
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
		m.own()
		r.queue = append(r.queue, event{messages: []broker.Message{m.Message}})
		r.mu.Unlock()
		return
	}
	r.busy = true
	to := r.to
	r.mu.Unlock()
	switch {
	case to != nil:
		in.one[0] = m.Message
		to.DeliverSoon(in.one[:])
	case in.b.batches != nil:
		in.one[0] = m.Message
		in.b.batches.DeliverSoon(r.name, in.one[:])
	default:
		m.own()
		in.one[0] = m.Message
		in.b.receiver.Deliver(r.name, in.one[:])
	}
	in.one[0] = broker.Message{}
	r.finish(in.b.receiver)
}
