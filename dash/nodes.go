package dash

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/gohubkit/hubkit/hub"
)

const (
	// nodesSurvey is what the dashboards of all nodes ask each other.
	nodesSurvey = "hubkit.dash.nodes.v1"
	// nodesFor is how long an answer holds, and nodesWait how long nodes have to answer.
	nodesFor  = time.Second
	nodesWait = 2 * time.Second
)

// node is what a node says of itself.
type node struct {
	hub.NodeInfo
	// Drains is set if a dashboard can drain the node.
	Drains bool   `json:"drains"`
	Stats  *stats `json:"stats"`
}

// nodePage is what api/nodes answers.
type nodePage struct {
	// Time is when the nodes had answered, in milliseconds since 1970.
	Time   int64      `json:"time_ms"`
	Nodes  []node     `json:"nodes"`
	Silent []string   `json:"silent"`
	Error  *errorBody `json:"error,omitempty"`
}

// answerNode is what this node says to dashboards.
func (d *Dash) answerNode(context.Context, []byte) (any, error) { return d.self(), nil }

func (d *Dash) self() node {
	return node{NodeInfo: d.hub.Info(), Drains: d.drain != nil, Stats: d.stats()}
}

func (d *Dash) serveNodes(w http.ResponseWriter, r *http.Request) error {
	if _, err := parameters(r); err != nil {
		return err
	}
	page, err := d.nodes.get(r.Context(), nodesFor, d.askNodes)
	if err != nil {
		return err
	}
	return answer(w, page)
}

// askNodes asks all nodes.
func (d *Dash) askNodes(ctx context.Context) (*nodePage, error) {
	ctx, cancel := context.WithTimeout(ctx, nodesWait)
	defer cancel()
	answers, err := d.hub.Survey(ctx, nodesSurvey, nil)
	if errors.Is(err, hub.ErrClosed) {
		return nil, err
	}
	page := &nodePage{Time: time.Now().UnixMilli(), Nodes: []node{}, Silent: []string{}, Error: partial(err)}
	for _, a := range answers {
		var n node
		switch {
		case a.Err == nil && json.Unmarshal(a.Data, &n) == nil:
			page.Nodes = append(page.Nodes, n)
		case a.Node == d.hub.Node(): // it is here, however slow it is
			page.Nodes = append(page.Nodes, d.self())
		default:
			page.Silent = append(page.Silent, a.Node)
		}
	}
	return page, nil
}

// nodesCache has the answer of a moment ago, and lets those who ask at once wait for one question.
type nodesCache struct {
	mu    sync.Mutex
	asked *nodesAsked
}

// nodesAsked is a question under way, or its answer.
type nodesAsked struct {
	done chan struct{} // closed when the rest is set
	page *nodePage
	err  error
	at   time.Time
}

// get returns an answer that is not older than age. The question is not given up if the one who asked it goes, since others may wait.
func (c *nodesCache) get(ctx context.Context, age time.Duration, ask func(context.Context) (*nodePage, error)) (*nodePage, error) {
	c.mu.Lock()
	a := c.asked
	if a == nil || a.over(age) {
		a = &nodesAsked{done: make(chan struct{})}
		c.asked = a
		c.mu.Unlock()
		func() {
			a.err = errors.New("dash: asking all nodes has panicked")
			defer func() {
				a.at = time.Now()
				close(a.done)
			}()
			a.page, a.err = ask(context.WithoutCancel(ctx))
		}()
		return a.page, a.err
	}
	c.mu.Unlock()
	select {
	case <-a.done:
		return a.page, a.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// over reports whether the answer is too old, or was an error.
func (a *nodesAsked) over(age time.Duration) bool {
	select {
	case <-a.done:
		return a.err != nil || time.Since(a.at) >= age
	default:
		return false
	}
}
