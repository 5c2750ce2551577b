package client

import (
	"encoding/json"
	"time"
)

// Status is what became of the connection.
type Status int

const (
	// Connecting: a try to connect begins.
	Connecting Status = iota
	// Connected: the server has welcomed the client; subscriptions are being resumed. The
	// connection counts as live until Stale is reported.
	Connected
	// Stale: the server does not hear the other nodes; what is published there is late or, in rooms
	// without history, lost.
	Stale
	// Live: the server hears the other nodes again.
	Live
	// Disconnected: the try failed or the connection was lost; Err says why and Wait when the next
	// try begins.
	Disconnected
	// Closed: Run is about to return Err. It is the last call of all.
	Closed
	// Dropped: a message above the read limit was dropped that no subscription and no request waits for. Err matches
	// ErrTooLarge and says what to set. The connection goes on.
	Dropped
)

var statusNames = [...]string{
	Connecting:   "connecting",
	Connected:    "connected",
	Stale:        "stale",
	Live:         "live",
	Disconnected: "disconnected",
	Closed:       "closed",
	Dropped:      "dropped",
}

// String returns the status in lower case.
func (s Status) String() string {
	if s >= 0 && int(s) < len(statusNames) {
		return statusNames[s]
	}
	return "unknown"
}

// State is a change of the connection.
type State struct {
	Status Status
	// Conn and Node of Connected: the IDs of the connection and of the node it is on.
	Conn, Node string
	// Data of Connected: what the application sends along with its welcome; nil where nothing.
	Data json.RawMessage
	// Err of Disconnected, Closed and Dropped. A [*LoopError] of Disconnected says that the client goes in circles.
	Err error
	// Wait of Disconnected: the time until the next try.
	Wait time.Duration
}
