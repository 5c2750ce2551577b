package client

import (
	"encoding/json"
	"time"
)

// Status is the state of the connection.
type Status int

const (
	// Connecting: a connection attempt begins.
	Connecting Status = iota
	// Connected: the server has welcomed the client, and subscriptions are being resumed. The connection counts as live
	// until Stale is reported.
	Connected
	// Stale: the server does not receive from the other nodes. Messages published there are late. In rooms without
	// history they are lost.
	Stale
	// Live: the server receives from the other nodes again.
	Live
	// Disconnected: the attempt failed, or the connection was lost. Err says why, and Wait how long it is until the next
	// attempt.
	Disconnected
	// Closed: Run is about to return Err. No callback follows.
	Closed
	// Dropped: the client has dropped a message above the read limit that belongs to no subscription and no request. Err
	// matches ErrTooLarge and names the option to set. The connection stays open.
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

// MarshalText returns what String does.
func (s Status) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// State is a change of the connection.
type State struct {
	Status Status
	// Conn and Node of Connected: the IDs of the connection and of the node it is on.
	Conn, Node string
	// Data of Connected: what the application sends with its welcome; nil if there is none.
	Data json.RawMessage
	// Err of Disconnected, Closed and Dropped. With Disconnected it may be a [*LoopError]: connections end for the same
	// reason again and again.
	Err error
	// Wait of Disconnected: the time until the next attempt.
	Wait time.Duration
}
