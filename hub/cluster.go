package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/protocol"
)

// reportEvery is how often a node tells the others of its load.
const reportEvery = 5 * time.Second

// startReporter tells the broker what to tell other nodes of this one, now and from time to time.
func (h *Hub) startReporter() *repeater {
	if h.bus == nil {
		return nil
	}
	report := func() { h.bus.Announce(h.load()) }
	report()
	return repeat(reportEvery, report)
}

// load is what other nodes are told of this one.
func (h *Hub) load() broker.NodeInfo {
	return broker.NodeInfo{
		Conns:     h.conns.Len(),
		Rooms:     h.rooms.len(),
		Capacity:  h.conf.admission.MaxConns,
		AdmitRate: h.conf.admission.Rate,
		Draining:  !h.life.serving(),
	}
}

// Nodes lists the nodes alive, this one too, with what each last told of its load. Without a broker that joins
// nodes it is this one.
func (h *Hub) Nodes(ctx context.Context) ([]broker.Node, error) {
	if h.bus == nil {
		return []broker.Node{{ID: h.node, NodeInfo: h.load(), Seen: time.Now()}}, nil
	}
	return h.bus.Nodes(ctx)
}

// SurveyFunc answers a survey on one node. data is what the survey sent; the result is encoded by json.Marshal.
type SurveyFunc func(ctx context.Context, data []byte) (any, error)

// surveyTimeout bounds what a node spends on its answer.
const surveyTimeout = 10 * time.Second

// HandleSurvey sets what this node answers to surveys of a name; a second one of the name replaces the first, and a nil f
// removes it. It returns an error for an empty name. f is called in a goroutine of its own.
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

// ErrNoAnswer is in the Answer of a node that said nothing before the survey's context ended.
var ErrNoAnswer = errors.New("hub: no answer")

// Survey asks every node and returns when all have answered or ctx ends, with one Answer for each node
// alive at the start. data is JSON or nil.
func (h *Hub) Survey(ctx context.Context, name string, data []byte) ([]Answer, error) {
	if data != nil && !protocol.Valid(data) {
		return nil, ErrData
	}
	if h.life.isClosed() {
		return nil, ErrClosed
	}
	cmd := command{Do: doSurvey, Name: name, Data: data}
	if h.bus == nil {
		return []Answer{h.surveyAlone(ctx, name, data)}, nil
	}
	nodes, err := h.bus.Nodes(ctx)
	if err != nil {
		return nil, err
	}
	s := h.surveys.begin(nodes, &cmd)
	defer h.surveys.end(cmd.Survey)
	if err := h.bus.Broadcast(ctx, cmd.encode()); err != nil {
		return nil, err
	}
	select {
	case <-s.done:
	case <-ctx.Done():
	}
	h.surveys.mu.Lock()
	defer h.surveys.mu.Unlock()
	answers := make([]Answer, len(nodes))
	for i, n := range nodes {
		answers[i] = Answer{Node: n.ID, Err: ErrNoAnswer}
		if a, ok := s.answers[n.ID]; ok {
			answers[i] = a
		}
	}
	return answers, nil
}

// surveyAlone asks this node, in a goroutine as everywhere.
func (h *Hub) surveyAlone(ctx context.Context, name string, data []byte) Answer {
	answers := make(chan Answer, 1)
	h.life.run(func() {
		a := Answer{Node: h.node, Err: crash.cause}
		defer func() { answers <- a }()
		a.Data, a.Err = h.survey(ctx, name, data)
	})
	select {
	case a := <-answers:
		return a
	case <-ctx.Done():
		return Answer{Node: h.node, Err: ErrNoAnswer}
	}
}

// survey is this node's answer.
func (h *Hub) survey(ctx context.Context, name string, data []byte) (out []byte, err error) {
	f := h.handlers.set.Load().surveys[name]
	if f == nil {
		return nil, fmt.Errorf("hub: nothing answers surveys of %q", name)
	}
	failed := h.guard("survey "+name, nil, func() error {
		v, err := f(ctx, data)
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

func (h *Hub) answerSurvey(from string, asked command) {
	ctx, cancel := context.WithTimeout(h.ctx, surveyTimeout)
	defer cancel()
	answer := command{Do: doAnswer, Survey: asked.Survey, Error: crash.cause.text}
	defer func() {
		if err := h.bus.Send(ctx, from, answer.encode()); err != nil && !errors.Is(err, broker.ErrClosed) {
			h.log.Warn("survey not answered", "survey", asked.Name, "from", from, "err", err)
		}
	}()
	out, err := h.survey(ctx, asked.Name, asked.Data)
	answer.Data, answer.Error = out, ""
	if err != nil {
		answer.Error = err.Error()
	}
}

// surveys are those of this node that are under way.
type surveys struct {
	mu   sync.Mutex
	last uint64
	open map[uint64]*openSurvey
}

type openSurvey struct {
	waiting map[string]bool
	answers map[string]Answer
	done    chan struct{}
}

func (s *surveys) begin(nodes []broker.Node, cmd *command) *openSurvey {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	cmd.Survey = s.last
	o := &openSurvey{waiting: make(map[string]bool), answers: make(map[string]Answer), done: make(chan struct{})}
	for _, n := range nodes {
		o.waiting[n.ID] = true
	}
	if s.open == nil {
		s.open = make(map[uint64]*openSurvey)
	}
	s.open[cmd.Survey] = o
	if len(nodes) == 0 {
		close(o.done) // Redis has lost its data, and nobody has announced itself again yet
	}
	return o
}

func (s *surveys) end(id uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, id)
}

// settle takes an answer.
func (s *surveys) settle(from string, cmd command) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.open[cmd.Survey]
	if o == nil || !o.waiting[from] {
		return // too late, or twice
	}
	delete(o.waiting, from)
	a := Answer{Node: from, Data: cmd.Data}
	if cmd.Error != "" {
		a = Answer{Node: from, Err: errors.New(cmd.Error)}
	}
	o.answers[from] = a
	if len(o.waiting) == 0 {
		close(o.done)
	}
}
