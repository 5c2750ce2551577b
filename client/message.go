package client

import (
	"encoding/json"

	"github.com/gohubkit/hubkit/protocol"
)

// Position is a place in a room's history. Offsets count from 1 without a hole while the epoch is the same. Positions of
// different epochs cannot be compared. The zero Position means no position.
type Position struct {
	Epoch  string `json:"epoch,omitempty"`
	Offset uint64 `json:"offset,omitempty"`
}

// IsZero reports whether p is no position.
func (p Position) IsZero() bool { return p == Position{} }

// Message is a message that was published to a room, or sent to this connection.
type Message struct {
	// Room is empty if the message was sent to this connection.
	Room string
	// Data is one JSON value, or bytes of any kind if Binary is set. It belongs to the callback, which may keep it.
	Data   json.RawMessage
	Binary bool
	// Position is zero in rooms without history.
	Position Position
	// Meta is what the message carries beside its data. It is nil if the message carries only data.
	Meta *Meta
}

// Meta is what a message may carry beside its data: publisher, time, tags and trace context. The room decides how much of
// the publisher it shows.
type Meta = protocol.Meta

// Publisher is who published a message.
type Publisher = protocol.Publisher

// TypedMessage is a Message whose data was decoded.
type TypedMessage[T any] struct {
	Message
	Value T
}

// Gap says that the client has lost the messages after From, up to and including To. From is zero if the subscription
// had no position. The epochs differ if the room's history was lost.
type Gap struct {
	Room     string
	From, To Position
}

// Member is a connection that is present in a room.
type Member = protocol.Member

// Presence is the answer to a question for the members of a room.
type Presence = protocol.Presence
