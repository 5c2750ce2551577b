package rooms

import (
	"sync"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/internal/core/codec"
	"github.com/gohubkit/hubkit/internal/engine/fanout"
	"github.com/gohubkit/hubkit/internal/engine/frame"
	"github.com/gohubkit/hubkit/protocol"
)

// Deliver implements broker.Receiver.
func (n *Node) Deliver(name string, ms []broker.Message) {
	if r := n.index.find(name); r != nil {
		n.deliver(r, ms, false)
	}
}

// DeliverSoon implements broker.BatchReceiver.
func (n *Node) DeliverSoon(name string, ms []broker.Message) {
	if r := n.index.find(name); r != nil {
		n.deliver(r, ms, true)
	}
}

// Room implements broker.RoomFinder. The answer holds as long as the room does: it is forgotten after Unsubscribe.
func (n *Node) Room(name string) broker.RoomReceiver {
	if r := n.index.find(name); r != nil {
		return r
	}
	return nil
}

// Deliver implements broker.RoomReceiver.
func (r *Room) Deliver(ms []broker.Message) { r.node.deliver(r, ms, false) }

// DeliverSoon implements broker.RoomReceiver.
func (r *Room) DeliverSoon(ms []broker.Message) { r.node.deliver(r, ms, true) }

// Flush implements broker.BatchReceiver.
func (n *Node) Flush() { n.conf.Scheduler.Flush() }

// Gap implements broker.Receiver.
func (n *Node) Gap(name string, pos broker.Position) {
	if r := n.index.find(name); r != nil {
		n.gap(r, pos)
	}
}

// PresenceChanged implements broker.Receiver.
func (n *Node) PresenceChanged(name string, m broker.Member, joined bool) {
	if r := n.index.find(name); r != nil && r.Attendance != nil {
		r.Attendance.Note(m, joined)
	}
}

// deliver adds messages to a room's queue, to be sent at once or, if soon is set, with the next Flush.
func (n *Node) deliver(r *Room, ms []broker.Message, soon bool) {
	if n.conf.Delivering != nil {
		if sent := n.traced(r, ms); len(sent) > 0 {
			defer n.follow(r, sent)
		}
	}
	timed := n.sample.Load()
	if timed != nil && timed.room != r {
		timed = nil
	}
	tapped := r.taps.Load()
	e := encoders.Get().(*encoder) //nolint:forcetypeassert // the pool's only type
	e.room = r
	for i := range ms {
		e.message = &ms[i]
		opcode := byte(0) // the codec's
		switch {
		case n.conf.Raw && e.message.Binary:
			opcode = frame.Binary
		case n.conf.Raw:
			opcode = frame.Text
		case !sound(e.message):
			n.drop(r, e.message.Position)
			continue
		}
		tapped.tell(e.message)
		offset := uint64(0)
		if r.hasHistory() { // else other nodes have another rule for the room
			offset = e.message.Position.Offset
			r.noteEpoch(e.message.Position.Epoch, 0)
		}
		if timed != nil {
			timed = n.arrived(timed, e.message.Data)
		}
		switch x := r.except(e.message, offset); {
		case x != nil:
			r.AddExcept(soon, opcode, offset, e.message.ConflationKey, x, e.encode)
		case soon:
			r.AddSoon(opcode, offset, e.message.ConflationKey, e.encode)
		default:
			r.Add(opcode, offset, e.message.ConflationKey, e.encode)
		}
	}
	e.room, e.message = nil, nil
	encoders.Put(e)
}

// sound reports whether a message of the broker is one that clients of protocol v1 can be sent. What a hub published was
// checked there; other programs may publish anything.
func sound(m *broker.Message) bool {
	return m.JSON || (m.Binary || protocol.Valid(m.Data)) && soundMeta(m.Meta)
}

// drop drops a message that is not sound. In a room with history its place in the order is a gap.
func (n *Node) drop(r *Room, pos broker.Position) {
	n.corrupt.Add(1)
	if !pos.IsZero() {
		n.gap(r, pos)
	}
}

// gap tells the members of a room with history that messages up to a position were lost.
func (n *Node) gap(r *Room, pos broker.Position) {
	if !r.hasHistory() {
		return
	}
	n.gaps.Add(1)
	r.noteEpoch(pos.Epoch, 1)
	r.RestartWith(pos.Offset, func(dst []byte, f frame.Form) []byte { return codec.Of(f).Gap(dst, r.name, pos) })
}

// encoder writes a message of the broker as its room's members get it. It is used again and again: a function
// literal in its place would be an allocation for each message.
type encoder struct {
	room    *Room
	message *broker.Message
	encode  fanout.Encode
}

var encoders = sync.Pool{New: func() any {
	e := new(encoder)
	e.encode = e.append
	return e
}}

func (e *encoder) append(dst []byte, f frame.Form) []byte {
	return e.room.appendMessage(dst, f, e.message)
}
