// Package nodes is how the nodes of a broker tell each other things ([Exchange.Tell]) and ask each other questions ([Ask]).
//
// A message has a kind, and each kind has a body of its own. What is told is told at most once and not answered. What is
// asked is asked of every node that is alive, this one too, and every node answers once: with a value, with an error, or
// that it does not know the kind. A node that does not answer in time is named.
//
// Nodes of several versions work together. A body may get new fields, which older nodes ignore; anything else is a new
// kind.
package nodes

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gohubkit/hubkit/broker"
)

// Config is what an Exchange needs of the hub.
type Config struct {
	// Node is this node's name.
	Node string
	// Bus joins the nodes. It is nil if this node is alone.
	Bus broker.Bus
	// Context ends when the hub is closed.
	Context context.Context
	// Run starts a goroutine that the hub waits for when it is closed. It survives the function's panic.
	Run func(f func())
	// Load is what other nodes are told of this one.
	Load func() broker.NodeInfo
	Log  *slog.Logger
}

// Exchange tells and asks the other nodes, and takes in what they tell and ask. Its methods may be called from several
// goroutines.
type Exchange struct {
	conf Config
	// What is told and asked, by kind. Both are complete before the first message.
	tells  map[string]tell
	asks   map[string]ask
	orders map[string]bool

	ignored atomic.Int64

	mu   sync.Mutex
	last uint64 // number of a question
	open map[uint64]*question
}

// tell decodes what was told and acts on it.
type tell func(from string, payload []byte) error

// ask decodes a question and returns what answers it.
type ask func(from string, payload []byte) (call, error)

type call func(context.Context) (json.RawMessage, error)

// New makes an Exchange that knows no kind.
func New(conf Config) *Exchange {
	return &Exchange{
		conf:   conf,
		tells:  make(map[string]tell),
		asks:   make(map[string]ask),
		orders: make(map[string]bool),
		// A node that was restarted takes no answer to a question of its predecessor's. Half of the numbers that JSON's
		// readers agree on are left to count.
		last: rand.Uint64N(1 << 52),
		open: make(map[uint64]*question),
	}
}

// HandleTell sets what is called when a node, this one too, has told something of a kind. It is called before the broker
// starts. f is called in the broker's goroutine, in the order of what one node tells, and must not block.
func HandleTell[Q any](x *Exchange, kind string, f func(from string, q Q)) {
	x.tells[kind] = func(from string, payload []byte) error {
		var q Q
		if err := json.Unmarshal(payload, &q); err != nil {
			return err
		}
		f(from, q)
		return nil
	}
}

// HandleAsk sets what answers questions of a kind. It is called before the broker starts. f is called in a goroutine of its
// own, and its context ends when the asker waits no longer, after 10 s at most. An error is answered by its text.
func HandleAsk[Q, A any](x *Exchange, kind string, f func(ctx context.Context, from string, q Q) (A, error)) {
	handle(x, kind, func(from string, q Q) func(context.Context) (A, error) {
		return func(ctx context.Context) (A, error) { return f(ctx, from, q) }
	})
}

// HandleOrder sets what answers questions of a kind that ask for something to be done. It is called before the broker starts.
// f is called in the broker's goroutine, in the order of what one node asks and tells, and must not block: it begins. What it
// returns does the rest, as the function of HandleAsk. An order is sent even if no other node is known: one may have come a
// moment ago.
func HandleOrder[Q, A any](x *Exchange, kind string, f func(from string, q Q) func(context.Context) (A, error)) {
	x.orders[kind] = true
	handle(x, kind, f)
}

func handle[Q, A any](x *Exchange, kind string, f func(from string, q Q) func(context.Context) (A, error)) {
	x.asks[kind] = func(from string, payload []byte) (call, error) {
		var q Q
		if err := json.Unmarshal(payload, &q); err != nil {
			return nil, err
		}
		rest := f(from, q)
		return func(ctx context.Context) (json.RawMessage, error) {
			a, err := rest(ctx)
			if err != nil {
				return nil, err
			}
			return json.Marshal(a)
		}, nil
	}
}

// Tell tells every node something, this one too. It is at most once: nil says that the broker has taken it. body is encoded
// as a JSON object. If this node is alone, its handler has returned when Tell does.
func (x *Exchange) Tell(ctx context.Context, kind string, body any) error {
	payload, err := encode(head{Kind: kind}, body)
	if err != nil {
		return err
	}
	if x.conf.Bus == nil {
		x.Receive(x.conf.Node, payload)
		return nil
	}
	return x.conf.Bus.Broadcast(ctx, payload)
}

// Receive takes in what a node has sent. It does not block, and keeps nothing of payload.
func (x *Exchange) Receive(from string, payload []byte) {
	var h head
	if err := json.Unmarshal(payload, &h); err != nil {
		x.ignore(from, "", err)
		return
	}
	switch known := h.Version <= version; {
	case known && h.Kind == kindAnswer:
		x.receiveAnswer(from, h.Number, payload)
	case h.Number != 0:
		if from != x.conf.Node { // else it was answered without the bus
			x.receiveQuestion(from, h, payload, known)
		}
	case known && x.tells[h.Kind] != nil:
		if err := x.tells[h.Kind](from, payload); err != nil {
			x.ignore(from, h.Kind, err)
		}
	default:
		x.ignore(from, h.Kind, ErrUnknown)
	}
}

func (x *Exchange) ignore(from, kind string, err error) {
	x.ignored.Add(1)
	x.conf.Log.Warn("command not understood", "from", from, "kind", clip(kind), "err", err)
}

// Ignored is how many messages were no messages, or of a kind or version that is not known here.
func (x *Exchange) Ignored() int64 { return x.ignored.Load() }

// Alone reports whether this node has no bus to others.
func (x *Exchange) Alone() bool { return x.conf.Bus == nil }

// Announce has the broker tell the others of this node's load. It does not block.
func (x *Exchange) Announce() {
	if x.conf.Bus != nil {
		x.conf.Bus.Announce(x.conf.Load())
	}
}

// Nodes lists the nodes alive, with what each last told of its load. A node that is alone lists itself.
func (x *Exchange) Nodes(ctx context.Context) ([]broker.Node, error) {
	if x.conf.Bus == nil {
		return []broker.Node{{ID: x.conf.Node, NodeInfo: x.conf.Load(), Seen: time.Now()}}, nil
	}
	return x.conf.Bus.Nodes(ctx)
}

// head is what all messages have. The names on the wire are those of the first version, in which surveys were all that
// could be asked. A body must have no field of these names.
type head struct {
	Kind string `json:"do"`
	// Number is that of a question, and of the answer to it.
	Number uint64 `json:"survey,omitempty"`
	// Version is that of the message; absent in the first one.
	Version int `json:"version,omitempty"`
	// Within is how many milliseconds the asker waits.
	Within int64 `json:"within_ms,omitempty"`
}

const (
	// version is the last that this node understands.
	version = 1
	// kindAnswer is the kind of every answer.
	kindAnswer = "answer"
)

// answer is the body of an answer.
type answer struct {
	Data    []byte `json:"data,omitempty"` // in base64: JSON inside JSON would be rewritten
	Error   string `json:"error,omitempty"`
	Unknown bool   `json:"unknown,omitempty"` // the kind, or the version
}

// encode makes a message: one object with the fields of both.
func encode(h head, body any) ([]byte, error) {
	payload, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	b, err := json.Marshal(body)
	switch {
	case err != nil:
		return nil, fmt.Errorf("nodes: %s: %w", h.Kind, err)
	case b[0] != '{':
		return nil, fmt.Errorf("nodes: %s: the body %T is no object", h.Kind, body)
	case len(b) > len("{}"):
		payload = append(append(payload[:len(payload)-1], ','), b[1:]...)
	}
	return payload, nil
}

// clip shortens a text of another node's for a log record or an error.
func clip(s string) string {
	const most = 1000
	if len(s) <= most {
		return s
	}
	return string([]rune(s[:most])) + "…"
}
