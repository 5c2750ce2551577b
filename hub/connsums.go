package hub

import (
	"github.com/gohubkit/hubkit/internal/core/codec"
	"github.com/gohubkit/hubkit/internal/histogram"
)

// ConnSums sums up all connections of a node at one time.
type ConnSums struct {
	// Handshaking connections have passed the gate, and their request is not answered yet. Open and Closing ones are
	// registered. A Closing one is sent a close frame, or will be after its last answers.
	Handshaking, Open, Closing int
	// Kinds counts the Open and Closing connections by transport and codec. It has every ConnKind that a client can
	// have.
	Kinds map[ConnKind]int
	// Replaying is how many connections get at least one room from its history, because their backlog had no place for
	// its messages.
	Replaying int
	// BacklogMessages and BacklogBytes have a value for each registered connection: its backlog.
	BacklogMessages, BacklogBytes Histogram
}

// ConnKind is a connection's transport, "websocket" or "sse", and its codec, "json", "cbor" or "raw", as in ConnInfo.
type ConnKind struct{ Transport, Codec string }

// The bounds of a ConnSums' histograms. Most connections have nothing waiting, and are in the first bucket.
var (
	backlogMessages = []int64{0, 1, 4, 16, 64, 256, 1024, 4096}
	backlogBytes    = []int64{0, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20, 4 << 20}
)

// sumPart is how many places of the registry one look reads under its lock.
const sumPart = 1024

// SumConns looks at each connection of this node. It takes about 0.1 µs a connection, locks each no longer than it
// takes to read two numbers, and does not block. Call it when metrics are collected, not for every message.
func (h *Hub) SumConns() ConnSums {
	out := ConnSums{Handshaking: int(h.stats.handshaking.Load())}
	inMessages, inBytes := histogram.New(backlogMessages...), histogram.New(backlogBytes...)
	jsons, cbors, raws, streams := 0, 0, 0, 0
	look := func(c *Conn) bool {
		switch c.state.at() {
		case closed:
			return true
		case closing:
			out.Closing++
		default:
			out.Open++
		}
		switch {
		case c.kind == events:
			streams++
		case c.kind == raw:
			raws++
		case c.writer.Form() == codec.FormCBOR:
			cbors++
		default:
			jsons++
		}
		messages, bytes, replays := c.writer.Load()
		if replays {
			out.Replaying++
		}
		inMessages.Observe(int64(messages))
		inBytes.Observe(int64(bytes))
		return true
	}
	for at, slots := 0, h.conns.Slots(); at < slots; at += sumPart {
		h.conns.Some(at, min(sumPart, slots-at), look)
	}
	out.Kinds = map[ConnKind]int{
		{"websocket", "json"}: jsons, {"websocket", "cbor"}: cbors, {"websocket", "raw"}: raws, {"sse", "json"}: streams,
	}
	out.BacklogMessages, out.BacklogBytes = scaled(inMessages.Snapshot(), 1), scaled(inBytes.Snapshot(), 1)
	return out
}
