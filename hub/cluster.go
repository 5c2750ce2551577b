package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/internal/core/nodes"
	"github.com/gohubkit/hubkit/protocol"
)

// reportEvery is how often a node tells the others of its load.
const reportEvery = 5 * time.Second

// startReporter tells the broker what to tell other nodes of this one, now and from time to time.
func (h *Hub) startReporter() *repeater {
	if h.nodes.Alone() {
		return nil
	}
	h.nodes.Announce()
	return repeat(h, reportEvery, h.nodes.Announce)
}

// load is what other nodes are told of this one.
func (h *Hub) load() broker.NodeInfo {
	return broker.NodeInfo{
		Conns:     h.conns.Len(),
		Rooms:     h.rooms.Stats().Rooms,
		Capacity:  h.conf.admission.MaxConns,
		AdmitRate: h.conf.admission.Rate,
		Draining:  !h.life.Serving(),
	}
}

// Nodes lists the nodes alive, this one too, with what each last told of its load. Without a broker that joins
// nodes it is this one.
func (h *Hub) Nodes(ctx context.Context) ([]broker.Node, error) {
	return h.nodes.Nodes(ctx)
}

// SurveyFunc answers a survey on one node. data is what the survey sent; the result is encoded by json.Marshal.
type SurveyFunc func(ctx context.Context, data []byte) (any, error)

// HandleSurvey sets what this node answers to surveys of a name; a second one of the name replaces the first, and a nil f
// removes it. It returns an error for an empty name. f is called in a goroutine of its own. Its context ends about when the
// asker waits no longer, after 10 s at most. An answer of more than 1 MiB is an error.
func (h *Hub) HandleSurvey(name string, f SurveyFunc) error {
	if name == "" {
		return errors.New("hub: HandleSurvey: the name is empty")
	}
	h.handlers.change(func(s *callbacks) { s.surveys = with(s.surveys, name, f, f == nil) })
	return nil
}

// Answer is what one node said to a survey.
type Answer struct {
	Node string
	// Data is JSON; nil where there is an Err.
	Data json.RawMessage
	// Err is what went wrong on that node, or that it did not answer in time.
	Err error
}

// ErrNoAnswer is in the Answer of a node that said nothing before the survey's end.
var ErrNoAnswer = errors.New("hub: no answer")

// Survey asks every node what its handler of this name says; HandleSurvey sets that. It blocks until all have answered or ctx
// ends, and at most 15 s. It returns one Answer for each node alive at the start, in the order of their names. data is
// JSON or nil, of at most 512 KiB.
//
// If the other nodes could not be asked, the error says why, and this node's answer is returned all the same. The error
// also matches ErrData or ErrClosed, without answers.
func (h *Hub) Survey(ctx context.Context, name string, data []byte) ([]Answer, error) {
	if data != nil && !protocol.Valid(data) {
		return nil, ErrData
	}
	if h.life.Closed() {
		return nil, ErrClosed
	}
	said, err := nodes.Ask[json.RawMessage](ctx, h.nodes, askSurvey, surveyQuestion{Name: name, Data: data})
	answers := make([]Answer, len(said))
	for i, a := range said {
		answers[i] = Answer{Node: a.Node, Data: a.Value, Err: a.Err}
		if errors.Is(a.Err, nodes.ErrNoAnswer) {
			answers[i].Err = ErrNoAnswer
		}
	}
	return answers, err
}

// survey is this node's answer.
func (h commands) survey(ctx context.Context, q surveyQuestion) (out []byte, err error) {
	f := h.handlers.set.Load().surveys[q.Name]
	if f == nil {
		return nil, fmt.Errorf("hub: nothing answers surveys of %q", q.Name)
	}
	failed := h.guard("survey "+q.Name, nil, func() error {
		v, err := f(ctx, q.Data)
		if err != nil {
			return err
		}
		out, err = json.Marshal(v)
		return err
	})
	if failed != nil {
		return nil, failed.cause
	}
	return out, nil
}
