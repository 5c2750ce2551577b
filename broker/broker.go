package broker

import (
	"context"
	"time"
)

// Broker carries messages between nodes. All methods may be called from several goroutines. A method
// whose ctx has ended returns its error and does nothing; arguments that could never be right are
// refused with ErrRoomName or ErrInvalid.
type Broker interface {
	// Start gives the broker its receiver and makes it ready to publish. It is called once, before
	// any other method, by the owner of the node; ctx bounds the start only. node is unique
	// among the nodes alive. Members that an earlier run of this node left behind are removed soon.
	Start(ctx context.Context, node string, r Receiver) error

	// Subscribe registers this node's interest in rooms. Once it has returned nil, every message
	// published afterwards, on any node, reaches the receiver. Interest outlives broken
	// connections. Subscribing to a room already subscribed does nothing. The broker may keep the names as they are: a
	// name that is a piece of a larger string keeps all of that alive.
	Subscribe(ctx context.Context, rooms ...string) error

	// Unsubscribe ends the interest, however often the room was subscribed. Messages under way may
	// still be delivered; what is published after it returned is not.
	Unsubscribe(ctx context.Context, rooms ...string) error

	// Publish hands a message to every subscribed node. It blocks no longer than ctx. An error
	// that matches ErrUnavailable means the message was not accepted, or that it cannot be known
	// whether it was; with an idempotency key it is safe to try again.
	Publish(ctx context.Context, room string, p Publication) (Result, error)

	// Close ends all that Start began and returns when nothing is left running or ctx ends.
	// Later calls of any method return ErrClosed. Before Start there is nothing to end, and Close
	// returns nil.
	Close(ctx context.Context) error
}

// Publication is a message on its way in.
type Publication struct {
	// Data is the payload. The broker keeps it; the caller must not change it afterwards.
	Data []byte
	// Binary marks a payload that is not text. It travels with the message.
	Binary bool
	// JSON says that Data was checked: it is one JSON value as protocol.Valid has it. It travels with the message, so
	// that receivers need not check again.
	JSON bool
	// ConflationKey names what the message is the latest value of, for readers that conflate.
	ConflationKey string
	// IdempotencyKey makes a retry harmless: within IdempotencyTTL a second publication of the same Publisher to the
	// same room with the same key is not stored and not delivered, and returns the first one's Result
	// with Duplicate set. A broker bounds how many keys it remembers, and forgets the oldest first; those of one
	// Publisher do not push out another's newest 256.
	IdempotencyKey string
	// Publisher is whose key it is: the keys of different publishers never meet, whatever they are called. The empty
	// one is the service itself.
	Publisher string
	// IdempotencyTTL is how long the key is remembered; zero means DefaultIdempotencyTTL.
	IdempotencyTTL time.Duration
	// Meta travels with the message; nil if there is nothing of it. The broker keeps it; the caller must not change it
	// afterwards.
	Meta *Meta
	// Retention says what the room keeps. The zero value is a room without history; in a room that
	// has one such a message is delivered without a position and not stored.
	Retention Retention
}

// DefaultIdempotencyTTL is how long an idempotency key is remembered unless the publication says
// otherwise.
const DefaultIdempotencyTTL = 5 * time.Minute

// Retention bounds a room's history by number of messages, age and bytes. Size and TTL must be positive, or all three
// zero for a room without history.
type Retention struct {
	Size int
	TTL  time.Duration
	// Bytes bounds what the messages take: payloads, keys, Metas, and what the broker adds to each. Zero means
	// DefaultHistoryBytes. A message that is larger alone is delivered and not kept, which is a gap for later readers.
	Bytes int64
}

// DefaultHistoryBytes is what a room's history may take unless its Retention says otherwise: 16 MiB.
const DefaultHistoryBytes = 16 << 20

// MaxBytes returns Bytes, or its default.
func (r Retention) MaxBytes() int64 {
	if r.Bytes == 0 {
		return DefaultHistoryBytes
	}
	return r.Bytes
}

// Enabled reports whether the room has history.
func (r Retention) Enabled() bool { return r.Size > 0 && r.TTL > 0 }

// Result is what became of a publication.
type Result struct {
	// Position of the stored message; zero in a room without history.
	Position Position
	// Duplicate is set where the idempotency key had been seen.
	Duplicate bool
}

// Message is a message on its way out. Data and Meta are shared by all who receive it and never changed.
type Message struct {
	Data          []byte
	Binary        bool
	JSON          bool // Data was checked when it was published
	ConflationKey string
	Position      Position
	Meta          *Meta // nil if the message carries nothing beside its Data
}

// Receiver is the node's side of a broker. See the package documentation for who calls it and how.
type Receiver interface {
	// Deliver hands over messages of a room in their order. It is called for one room by one goroutine at a time, and
	// must not block. The slice is the broker's again when Deliver returns; the messages' Data is not reused.
	Deliver(room string, ms []Message)

	// Gap says that messages of the room were lost for good. The next one delivered follows pos. It is called in turn
	// with Deliver and must not block.
	Gap(room string, pos Position)

	// PresenceChanged reports a member that came to or left a subscribed room, on any node. It must not block.
	PresenceChanged(room string, m Member, joined bool)

	// Command hands over what another node, or this one, sent with Bus; from is the sender's name. A goroutine of the
	// broker calls it, and it must not block.
	Command(from string, payload []byte)

	// StateChanged reports that the broker was lost or is back. The first state, before any
	// call, is Live.
	StateChanged(s State)
}

// BatchReceiver is implemented by a Receiver to which it is worth knowing that more messages are at hand: what
// it sends on can then go out together. A broker may use it or not.
type BatchReceiver interface {
	Receiver

	// DeliverSoon is Deliver, but lets the receiver put off what it does with the messages, and their Data is the
	// broker's again when it returns: what the receiver keeps of it, it copies. Metas are not reused. The broker calls Flush as soon
	// as it has no more at hand, without waiting for anything.
	DeliverSoon(room string, ms []Message)

	// Flush ends what DeliverSoon began. It may be called at any time, from several goroutines.
	Flush()
}

// RoomFinder is implemented by a Receiver that can be spared the search for a room with every message. A broker may use it
// or not.
type RoomFinder interface {
	BatchReceiver

	// Room returns what takes a room's messages in place of Deliver and DeliverSoon. A broker asks in every Subscribe, and
	// uses the newest answer until Unsubscribe has returned. If it is nil, the broker calls the Receiver.
	Room(name string) RoomReceiver
}

// RoomReceiver is a room of a RoomFinder. Its methods are those of BatchReceiver for that room, and are called as they are.
type RoomReceiver interface {
	Deliver(ms []Message)
	DeliverSoon(ms []Message)
}

// State tells whether a node hears the others.
type State int

const (
	// Live: everything published elsewhere arrives.
	Live State = iota
	// Stale: the connection to the others is broken; what they publish is late or, in rooms
	// without history, lost.
	Stale
)

// String returns "live" or "stale".
func (s State) String() string {
	if s == Live {
		return "live"
	}
	return "stale"
}
