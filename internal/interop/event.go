package interop

import (
	"fmt"
	"sync"
)

// Kind says what happened to a peer.
type Kind string

// What can happen to a peer.
const (
	Open     Kind = "open"
	Rejected Kind = "rejected"
	Text     Kind = "text"
	Binary   Kind = "binary"
	Pong     Kind = "pong"
	Close    Kind = "close"
	Error    Kind = "error"
)

// Event is one thing that happened to a peer. Only the fields that its kind has are set.
type Event struct {
	Kind Kind `json:"event"`

	Text        string            `json:"text"`        // of Text and Pong
	Data        []byte            `json:"data"`        // of Binary
	Code        int               `json:"code"`        // of Close; 1006 where no close frame came
	Reason      string            `json:"reason"`      // of Close
	Subprotocol string            `json:"subprotocol"` // of Open; empty where none was agreed on
	Extensions  string            `json:"extensions"`  // of Open, as the implementation puts it
	Status      int               `json:"status"`      // of Rejected: the HTTP status
	Headers     map[string]string `json:"headers"`     // of Rejected; names are in lower case
	Message     string            `json:"message"`     // of Error
}

func (e Event) String() string {
	switch e.Kind {
	case Text, Pong:
		return fmt.Sprintf("%s %q", e.Kind, e.Text)
	case Binary:
		return fmt.Sprintf("%s %x", e.Kind, e.Data)
	case Close:
		return fmt.Sprintf("%s %d %q", e.Kind, e.Code, e.Reason)
	case Rejected:
		return fmt.Sprintf("%s %d %v", e.Kind, e.Status, e.Headers)
	case Error:
		return fmt.Sprintf("%s: %s", e.Kind, e.Message)
	default:
		return string(e.Kind)
	}
}

// queue hands events from the process to the test. It has no bound, so that the process never waits.
type queue struct {
	mu     sync.Mutex
	events []Event
	more   chan struct{} // holds a token when events may not be empty
}

func newQueue() *queue { return &queue{more: make(chan struct{}, 1)} }

func (q *queue) put(e Event) {
	q.mu.Lock()
	q.events = append(q.events, e)
	q.mu.Unlock()
	select {
	case q.more <- struct{}{}:
	default:
	}
}

func (q *queue) take() (Event, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.events) == 0 {
		return Event{}, false
	}
	e := q.events[0]
	q.events = q.events[1:]
	return e, true
}
