package client

import (
	"encoding/json"

	"github.com/gohubkit/hubkit/protocol"
)

// Position is a place in a room's history. Offsets count from 1 without a hole as long as the epoch is
// the same; positions of different epochs cannot be compared. The zero Position is none.
type Position struct {
	Epoch  string `json:"epoch,omitempty"`
	Offset uint64 `json:"offset,omitempty"`
}

// IsZero reports whether p is no position.
func (p Position) IsZero() bool { return p == Position{} }

// Message is what was published to a room or sent to this connection.
type Message struct {
	// Room is empty where the message was sent to this connection.
	Room string
	// Data is one JSON value. It belongs to the callback, which may keep it.
	Data json.RawMessage
	// Position is zero in rooms without history.
	Position Position
	// Meta is what the message carries beside its data; nil if that is nothing.
	Meta *Meta
}

// Meta is what a message may carry: who published it, as far as the room shows that, when, tags and a trace.
type Meta = protocol.Meta

// Publisher is who published a message.
type Publisher = protocol.Publisher

// TypedMessage is a Message whose data was decoded.
type TypedMessage[T any] struct {
	Message
	Value T
}

// Gap says that messages after From, up to and including To, are lost for this client. From is zero
// where the subscription had no position, and the epochs differ where the room's history was lost.
type Gap struct {
	Room     string
	From, To Position
}

// Member is one connection present in a room.
type Member = protocol.Member

// Presence is who is in a room.
type Presence = protocol.Presence
