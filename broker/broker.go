package broker

import (
	"context"
	"time"
)

// Broker carries messages between nodes. All methods may be called from several goroutines. If ctx has ended, a method
// returns ctx's error and does nothing. An argument that could never be right returns ErrRoomName or ErrInvalid.
type Broker interface {
	// Start gives the broker its receiver and makes it ready to publish. The owner of the node calls it once,
	// before any other method. ctx bounds the start only. node must be unique among the nodes alive. The broker soon
	// removes members that an earlier run of this node left behind.
	Start(ctx context.Context, node string, r Receiver) error

	// Subscribe registers this node's interest in rooms. Once it has returned nil, every message
	// published afterwards, on any node, reaches the receiver. Interest outlives broken
	// connections. Subscribing to a room already subscribed does nothing. The broker may keep the names without
	// copying them. A name that is a piece of a larger string then keeps all of that string alive.
	Subscribe(ctx context.Context, rooms ...string) error

	// Unsubscribe ends the interest in rooms, however often they were subscribed. Messages under way may
	// still be delivered. Messages published after it has returned are not.
	Unsubscribe(ctx context.Context, rooms ...string) error

	// Publish hands a message to every subscribed node. It blocks no longer than ctx. After an error
	// that matches ErrUnavailable, the message was not accepted, or whether it was is unknown. With an
	// idempotency key it is safe to try again.
	Publish(ctx context.Context, room string, p Publication) (Result, error)

	// Close ends everything that Start began. It returns when nothing is left running, or when ctx ends.
	// Later calls of any method return ErrClosed. Before Start it returns nil.
	Close(ctx context.Context) error
}

// Publication is a message that Publish takes.
type Publication struct {
	// Data is the payload. The broker keeps it; the caller must not change it afterwards.
	Data []byte
	// Binary marks a payload that is not text. It travels with the message.
	Binary bool
	// JSON marks a payload that was checked to be one JSON value by protocol.Valid. It travels with the message, so
	// that receivers need not check again.
	JSON bool
	// ConflationKey names the value that the message updates. A conflating consumer keeps only the newest message of a key.
	ConflationKey string
	// IdempotencyKey makes a retry harmless. It counts for the same Publisher and room, within IdempotencyTTL. A second
	// publication with the same key is neither stored nor delivered. It returns the first one's Result, with
	// Duplicate set. A broker bounds how many keys it remembers, and forgets the oldest first. The keys of one
	// Publisher do not push out another's newest 256.
	IdempotencyKey string
	// Publisher is the owner of IdempotencyKey. Equal keys of different publishers are different keys. The empty
	// Publisher is the service itself.
	Publisher string
	// IdempotencyTTL is how long the key is remembered. Zero means DefaultIdempotencyTTL.
	IdempotencyTTL time.Duration
	// Meta travels with the message. It is nil if the message has none. The broker keeps it; the caller must not change
	// it afterwards.
	Meta *Meta
	// Retention bounds the room's history. The zero Retention means a room without history. If the room has a
	// history, a message with the zero Retention is delivered without a position and not stored.
	Retention Retention
}

// DefaultIdempotencyTTL is how long an idempotency key is remembered by default: 5 minutes.
const DefaultIdempotencyTTL = 5 * time.Minute

// Retention bounds a room's history by number of messages, age and bytes. Size and TTL must be positive. All three
// fields are zero for a room without history.
type Retention struct {
	Size int
	TTL  time.Duration
	// Bytes bounds the memory of the messages: payloads, keys, Metas, and what the broker adds to each. Zero means
	// DefaultHistoryBytes. A message larger than Bytes is delivered and not kept. Later readers see a gap in its place.
	Bytes int64
}

// DefaultHistoryBytes is the size of a room's history by default, at most: 16 MiB.
const DefaultHistoryBytes = 16 << 20

// MaxBytes returns Bytes, or DefaultHistoryBytes if Bytes is zero.
func (r Retention) MaxBytes() int64 {
	if r.Bytes == 0 {
		return DefaultHistoryBytes
	}
	return r.Bytes
}

// Enabled reports whether the room has history: Size and TTL are positive.
func (r Retention) Enabled() bool { return r.Size > 0 && r.TTL > 0 }

// Result is the outcome of a publication.
type Result struct {
	// Position is that of the stored message. It is zero in a room without history.
	Position Position
	// Duplicate is set if the idempotency key was used before.
	Duplicate bool
}

// Message is a message that a Receiver is given. All receivers share Data and Meta and must not change them.
type Message struct {
	Data          []byte
	Binary        bool
	JSON          bool // Data was checked when it was published
	ConflationKey string
	Position      Position
	Meta          *Meta // nil if the message carries nothing beside its Data
}

// Receiver is the node's side of a broker. The package documentation says which goroutines call it.
type Receiver interface {
	// Deliver receives messages of a room in their order. One goroutine at a time calls it for a room. It must not
	// block, and must not keep the slice ms. It may keep the messages' Data, which the broker does not reuse.
	Deliver(room string, ms []Message)

	// Gap reports that messages of the room were lost for good. The next message delivered follows pos. The broker calls
	// it in turn with Deliver. It must not block.
	Gap(room string, pos Position)

	// PresenceChanged reports a member that joined or left a subscribed room, on any node. It must not block.
	PresenceChanged(room string, m Member, joined bool)

	// Command receives a payload that a node sent with Bus; from is that node's name, and may be this node's. A
	// goroutine of the broker calls it. It must not block.
	Command(from string, payload []byte)

	// StateChanged reports that the broker was lost or is back. Before the first call the state is Live.
	StateChanged(s State)
}

// BatchReceiver is a Receiver that can send messages on together. It learns that the broker has more messages at hand. A
// broker need not use it.
type BatchReceiver interface {
	Receiver

	// DeliverSoon is Deliver, but the receiver may put off its work until Flush. The broker reuses the messages' Data
	// after it returns, so the receiver copies what it keeps. Metas are not reused. The broker calls Flush as soon as it
	// has no more messages at hand, without waiting for anything.
	DeliverSoon(room string, ms []Message)

	// Flush does the work that DeliverSoon put off. The broker may call it at any time, from several goroutines.
	Flush()
}

// RoomFinder is a Receiver that gives the broker its rooms, which saves a search by name for every message. A broker need
// not use it.
type RoomFinder interface {
	BatchReceiver

	// Room returns the receiver of one room's messages. The broker calls it in place of the Receiver's Deliver and
	// DeliverSoon. A broker asks in every Subscribe, and uses the newest answer until Unsubscribe has returned. If Room
	// returns nil, the broker calls the Receiver.
	Room(name string) RoomReceiver
}

// RoomReceiver is a room of a RoomFinder. Its methods are those of BatchReceiver for that room, with the same rules.
type RoomReceiver interface {
	Deliver(ms []Message)
	DeliverSoon(ms []Message)
}

// State tells whether a node receives the messages of the other nodes.
type State int

const (
	// Live means that everything published on other nodes arrives.
	Live State = iota
	// Stale means that the connection to the other nodes is broken. Their messages are late. In rooms without
	// history they are lost.
	Stale
)

// String returns "live" or "stale".
func (s State) String() string {
	if s == Live {
		return "live"
	}
	return "stale"
}
