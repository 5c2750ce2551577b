package nodes

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

var (
	// ErrNoAnswer is in the Answer of a node that said nothing in time.
	ErrNoAnswer = errors.New("nodes: no answer")
	// ErrUnknown is in the Answer of a node that does not know the kind of question.
	ErrUnknown = errors.New("nodes: unknown kind")
	// ErrTooLarge is in the Answer of a node whose answer is too large, or does not fit beside the others'. Ask returns it
	// if the question is too large.
	ErrTooLarge = errors.New("nodes: too large")

	errCrashed = errors.New("nodes: the answer did not come about")
)

const (
	// MaxBody is how many bytes a question or an answer may have, as JSON.
	MaxBody = 1 << 20
	// maxAnswers is how many bytes all answers to a question may have.
	maxAnswers = 32 * MaxBody
	// answerTimeout bounds what a node spends on an answer, and sendTimeout what sending it may take.
	answerTimeout = 10 * time.Second
	sendTimeout   = 4 * time.Second
	// selfPatience is how long this node's own answer waits for a broker that is slow to ask the others.
	selfPatience = 100 * time.Millisecond
	// grace is how much longer than its asker a node works on an answer. The asker's own clock decides.
	grace = time.Second
	// MaxWait is how long an asker waits at most. No answer comes later.
	MaxWait = answerTimeout + sendTimeout + grace
)

// Answer is what one node answered.
type Answer[A any] struct {
	Node string
	// Value is the zero A if there is an Err.
	Value A
	// Err is what went wrong on that node; or it is ErrNoAnswer, ErrUnknown or ErrTooLarge.
	Err error
}

// Silent returns the nodes of which nothing is known: they did not answer, or did not understand.
func Silent[A any](answers []Answer[A]) (nodes []string) {
	for _, a := range answers {
		if errors.Is(a.Err, ErrNoAnswer) || errors.Is(a.Err, ErrUnknown) {
			nodes = append(nodes, a.Node)
		}
	}
	return nodes
}

// Ask asks every node something, this one too. It returns when all have answered, when ctx ends, or after MaxWait, with one
// Answer for each node that was alive at the start, by name. body is encoded as a JSON object of up to MaxBody bytes.
//
// This node does not need the broker to answer. If the others could not be asked, the error says why, and the answer of this
// node is returned beside it.
func Ask[A any](ctx context.Context, x *Exchange, kind string, body any) ([]Answer[A], error) {
	return askFor[A](ctx, x, "", kind, body)
}

// AskNode is Ask, but asks one node alone. It returns one Answer; that of a node that is not alive is ErrNoAnswer.
func AskNode[A any](ctx context.Context, x *Exchange, node, kind string, body any) ([]Answer[A], error) {
	return askFor[A](ctx, x, node, kind, body)
}

// askFor asks one node, or all if only is empty.
func askFor[A any](ctx context.Context, x *Exchange, only, kind string, body any) ([]Answer[A], error) {
	raw, err := x.ask(ctx, only, kind, body)
	answers := make([]Answer[A], len(raw))
	for i, r := range raw {
		a := Answer[A]{Node: r.Node, Err: r.Err}
		if a.Err == nil {
			var v A
			if a.Err = json.Unmarshal(r.Value, &v); a.Err == nil {
				a.Value = v
			} else {
				x.ignore(a.Node, kind, a.Err)
			}
		}
		answers[i] = a
	}
	return answers, err
}

// question is one under way. It is guarded by the Exchange's mu.
type question struct {
	waiting map[string]bool // by node
	said    []Answer[json.RawMessage]
	bytes   int
	asked   bool          // waiting is complete
	done    chan struct{} // closed when nobody is waited for
}

func (x *Exchange) ask(ctx context.Context, only, kind string, body any) ([]Answer[json.RawMessage], error) {
	ctx, cancel := context.WithTimeout(ctx, MaxWait)
	defer cancel()
	self := only == "" || only == x.conf.Node
	q := &question{waiting: make(map[string]bool), done: make(chan struct{})}
	if self {
		q.waiting[x.conf.Node] = true
	}
	h := head{Kind: kind, Number: x.begin(q)}
	defer x.end(h.Number)
	payload, err := encode(h, body)
	if err == nil && len(payload) > MaxBody {
		err = fmt.Errorf("%w: a question of %d bytes, at most %d are allowed", ErrTooLarge, len(payload), MaxBody)
	}
	if err != nil {
		return nil, err
	}
	asked := make(chan struct{})
	if self {
		x.askSelf(ctx, h, payload, asked)
	}
	err = x.askOthers(ctx, q, only, h, body)
	close(asked)
	select {
	case <-q.done:
	case <-ctx.Done():
	}
	return x.collect(q), err
}

// askSelf has this node answer, once the others are asked: an answer that ends ctx does not cut that short. A broker that
// hangs keeps it for selfPatience.
func (x *Exchange) askSelf(ctx context.Context, h head, payload []byte, asked <-chan struct{}) {
	a := Answer[json.RawMessage]{Node: x.conf.Node}
	f, err := x.prepare(a.Node, h, payload)
	if err != nil {
		a.Err = err
		x.accept(h.Number, a)
		return
	}
	x.conf.Run(func() {
		select {
		case <-asked:
		case <-time.After(selfPatience):
		case <-ctx.Done():
		}
		ctx, cancel := context.WithTimeout(ctx, answerTimeout)
		defer cancel()
		defer context.AfterFunc(x.conf.Context, cancel)()
		a.Err = errCrashed
		defer func() { x.accept(h.Number, a) }()
		a.Value, a.Err = f(ctx)
	})
}

// askOthers asks the other nodes that are alive, or only one. If it fails, they are not waited for.
func (x *Exchange) askOthers(ctx context.Context, q *question, only string, h head, body any) error {
	var others []string
	var err error
	if x.conf.Bus != nil && only != x.conf.Node {
		others, err = x.others(ctx)
	}
	if only != "" {
		if only != x.conf.Node && !slices.Contains(others, only) {
			x.unasked(q, only)
		}
		others = slices.DeleteFunc(others, func(node string) bool { return node != only })
	}
	x.mu.Lock()
	for _, node := range others {
		q.waiting[node] = true
	}
	x.mu.Unlock()
	switch {
	case only != "" && len(others) > 0:
		err = x.sendQuestion(ctx, only, h, body)
	case only == "" && (len(others) > 0 || err == nil && x.conf.Bus != nil && x.orders[h.Kind]):
		err = x.sendQuestion(ctx, "", h, body)
	}
	if err != nil {
		x.unasked(q, others...)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	q.asked = true
	q.check()
	return err
}

// unasked notes that nodes will not answer, unless they have.
func (x *Exchange) unasked(q *question, nodes ...string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, node := range nodes {
		if q.waiting[node] || !slices.ContainsFunc(q.said, func(a Answer[json.RawMessage]) bool { return a.Node == node }) {
			delete(q.waiting, node)
			q.said = append(q.said, Answer[json.RawMessage]{Node: node, Err: ErrNoAnswer})
		}
	}
}

func (x *Exchange) others(ctx context.Context) (names []string, err error) {
	nodes, err := x.conf.Bus.Nodes(ctx)
	for _, n := range nodes {
		if n.ID != x.conf.Node {
			names = append(names, n.ID)
		}
	}
	return names, err
}

// sendQuestion sends a question to a node, or to all if to is empty.
func (x *Exchange) sendQuestion(ctx context.Context, to string, h head, body any) error {
	if deadline, ok := ctx.Deadline(); ok {
		h.Within = max(1, time.Until(deadline).Milliseconds())
	}
	payload, err := encode(h, body)
	if err != nil {
		return err
	}
	if to != "" {
		return x.conf.Bus.Send(ctx, to, payload)
	}
	return x.conf.Bus.Broadcast(ctx, payload)
}

// check is called with the Exchange's mu held.
func (q *question) check() {
	if q.asked && len(q.waiting) == 0 {
		close(q.done)
	}
}

func (x *Exchange) begin(q *question) uint64 {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.last++
	x.open[x.last] = q
	return x.last
}

func (x *Exchange) end(number uint64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	delete(x.open, number)
}

// accept takes an answer, unless it is too late, or nobody has asked that node, or it has answered.
func (x *Exchange) accept(number uint64, a Answer[json.RawMessage]) {
	x.mu.Lock()
	defer x.mu.Unlock()
	q := x.open[number]
	if q == nil || !q.waiting[a.Node] {
		return
	}
	delete(q.waiting, a.Node)
	if size := len(a.Value); size > MaxBody || size > maxAnswers-q.bytes {
		a.Value, a.Err = nil, ErrTooLarge
	}
	q.bytes += len(a.Value)
	q.said = append(q.said, a)
	q.check()
}

// collect returns what was answered until now, and who has not.
func (x *Exchange) collect(q *question) []Answer[json.RawMessage] {
	x.mu.Lock()
	defer x.mu.Unlock()
	said := slices.Clone(q.said)
	for node := range q.waiting {
		said = append(said, Answer[json.RawMessage]{Node: node, Err: ErrNoAnswer})
	}
	slices.SortFunc(said, func(a, b Answer[json.RawMessage]) int { return cmp.Compare(a.Node, b.Node) })
	return said
}
