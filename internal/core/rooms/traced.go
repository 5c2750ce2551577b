package rooms

import "github.com/gohubkit/hubkit/broker"

// maxFollowed bounds the traced messages that are on their way to the members at a time: whoever publishes says what is
// traced.
const maxFollowed = 128

// traced tells Delivering of the sampled messages among ms, and returns what is to be called when they are sent.
func (n *Node) traced(r *Room, ms []broker.Message) (sent []func(error)) {
	for i := range ms {
		m := ms[i].Meta
		if m == nil || !m.Trace.Sampled() || r.Len() == 0 {
			continue
		}
		if n.followed.Add(1) > maxFollowed {
			n.followed.Add(-1)
			break
		}
		if f := n.conf.Delivering(r.name, m); f != nil {
			sent = append(sent, f)
		} else {
			n.followed.Add(-1)
		}
	}
	return sent
}

// follow calls what traced has returned when the members have been sent what is in the room's queue.
func (n *Node) follow(r *Room, sent []func(error)) {
	n.conf.Run(func() {
		err := r.Sent(n.conf.Context)
		for _, f := range sent {
			f(err)
			n.followed.Add(-1)
		}
	})
}
