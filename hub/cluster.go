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

// reportEvery is how often a node reports its load to the others.
const reportEvery = 5 * time.Second

// startReporter gives the broker this node's load for the other nodes, now and every reportEvery.
func (h *Hub) startReporter() *repeater {
	if h.nodes.Alone() {
		return nil
	}
	h.nodes.Announce()
	return repeat(h, reportEvery, h.nodes.Announce)
}

// load is what other nodes learn of this one.
func (h *Hub) load() broker.NodeInfo {
	return broker.NodeInfo{
		Conns:     h.conns.Len(),
		Rooms:     h.rooms.Stats().Rooms,
		Capacity:  h.conf.admission.MaxConns,
		AdmitRate: h.conf.admission.Rate,
		Draining:  !h.life.Serving(),
	}
}

// Nodes lists the nodes that are alive, this one included, with the load that each last reported. If the broker does
// not connect nodes, the list has this node alone. Nodes blocks while it asks the broker, until ctx ends.
func (h *Hub) Nodes(ctx context.Context) ([]broker.Node, error) {
	return h.nodes.Nodes(ctx)
}

// SurveyFunc answers a survey on one node. data is what the survey sent. The result is encoded by json.Marshal.
type SurveyFunc func(ctx context.Context, data []byte) (any, error)

// HandleSurvey sets the function that answers surveys of a name on this node. A second function of the same name
// replaces the first, and a nil f removes it. An empty name is an error.
//
// The hub calls f in a goroutine of its own. The context of f ends about when the asking node stops waiting, at most
// after 10 s. If an answer is larger than 1 MiB, the asking node gets an error instead.
func (h *Hub) HandleSurvey(name string, f SurveyFunc) error {
	if name == "" {
		return errors.New("hub: HandleSurvey: the name is empty")
	}
	h.handlers.change(func(s *callbacks) { s.surveys = with(s.surveys, name, f, f == nil) })
	return nil
}

// Answer is one node's answer to a survey.
type Answer struct {
	Node string
	// Data is JSON; nil if Err is set.
	Data json.RawMessage
	// Err says what failed on that node, or matches ErrNoAnswer if it did not answer in time.
	Err error
}

// ErrNoAnswer is in the Answer of a node that did not answer before the survey ended.
var ErrNoAnswer = errors.New("hub: the node did not answer in time")

// Survey asks the handler of this name on every node; see HandleSurvey. It blocks until all nodes have answered or ctx
// ends, at most 15 s. It returns one Answer for each node that was alive at the start, in the order of their names.
// data is JSON or nil, at most 512 KiB.
//
// If the other nodes could not be asked, the error says why, and the result still has this node's answer. The error
// matches ErrData or ErrClosed, without answers, if nothing was asked.
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
		return nil, fmt.Errorf("hub: no handler for surveys of %q: set one with HandleSurvey", q.Name)
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
