package dash

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"

	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/internal/logbound"
)

// Dash serves the dashboard of a hub. Mount it at any path that ends with "/". Its methods may be called from several goroutines.
type Dash struct {
	hub       *hub.Hub
	authorize func(*http.Request) error
	act       func(*http.Request, Action) error        // nil: read-only
	reveal    func(r *http.Request, room string) error // nil: no payloads
	revealIn  func(r *http.Request, conn string) error // nil: no payloads of a connection's frames
	drain     func()                                   // nil: this node cannot be drained
	audit     *slog.Logger                             // as the service gave it: no action is left out
	log       *slog.Logger                             // audit, bounded: for what a sender can cause as often as it likes

	draining sync.Once
	nodes    nodesCache
	live     live
	limits   limitsCache
	tails    tails
}

// New makes the dashboard of a hub. This node then also answers the dashboards of other nodes. One Dash is enough for a hub.
// If there are several, the last one answers. A Dash need not be closed. The error names every faulty option and matches
// hub.ErrOption.
func New(h *hub.Hub, opts ...Option) (*Dash, error) {
	d := &Dash{hub: h, audit: slog.Default()}
	var errs []error
	if h == nil {
		errs = append(errs, errors.New("the hub is nil"))
	}
	for _, o := range opts {
		if o == nil {
			errs = append(errs, errors.New("an option is nil"))
		} else if err := o(d); err != nil {
			errs = append(errs, err)
		}
	}
	if d.authorize == nil {
		errs = append(errs, errors.New("WithAuthorizer is missing: set the function that decides who sees the dashboard"))
	}
	if len(errs) == 0 {
		d.log = slog.New(logbound.New(logbound.Safe(d.audit.Handler(), func() {})))
		errs = append(errs, h.HandleSurvey(nodesSurvey, d.answerNode), h.HandleSurvey(drainSurvey, d.answerDrain))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("%w: dash: %w", hub.ErrOption, err)
	}
	return d, nil
}

// call answers a request of the API. What it returns as an error is answered as one.
type call func(d *Dash, w http.ResponseWriter, r *http.Request) error

// calls are the API, by method and name.
var calls = map[string]map[string]call{
	"about":      {http.MethodGet: (*Dash).serveAbout},
	"nodes":      {http.MethodGet: (*Dash).serveNodes},
	"conns":      {http.MethodGet: (*Dash).serveConns},
	"rooms":      {http.MethodGet: (*Dash).serveRooms},
	"tail":       {http.MethodGet: (*Dash).serveTail},
	"disconnect": {http.MethodPost: (*Dash).serveDisconnect},
	"remove":     {http.MethodPost: (*Dash).serveRemove},
	"send":       {http.MethodPost: (*Dash).serveSend},
	"publish":    {http.MethodPost: (*Dash).servePublish},
	"drain":      {http.MethodPost: (*Dash).serveDrain},
}

// pages answer requests for the page's files.
var pages = map[string]call{http.MethodGet: (*Dash).servePage, http.MethodHead: (*Dash).servePage}

// feed takes the page's WebSocket, at "live" beside the page.
var feed = map[string]call{http.MethodGet: (*Dash).serveLive}

// ServeHTTP implements http.Handler. It looks at the end of the path only, so you need not strip a prefix.
func (d *Dash) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Content-Security-Policy", policy)
	header.Set("X-Frame-Options", "DENY")
	header.Set("Referrer-Policy", "no-referrer")
	if err := d.allowed(func() error { return d.authorize(r) }); err != nil {
		d.answerError(w, r, err)
		return
	}
	dir, name := r.URL.Path, ""
	if i := strings.LastIndexByte(r.URL.Path, '/'); i >= 0 {
		dir, name = r.URL.Path[:i], r.URL.Path[i+1:]
	}
	methods := calls[name]
	if !strings.HasSuffix(dir, "/api") {
		if methods = pages; name == "live" {
			methods = feed
		}
	}
	f := methods[r.Method]
	switch {
	case methods == nil:
		d.answerError(w, r, &apiError{http.StatusNotFound, "not_found", "there is no page or call of this name"})
		return
	case f == nil:
		for m := range methods {
			header.Add("Allow", m)
		}
		d.answerError(w, r, &apiError{http.StatusMethodNotAllowed, "method_not_allowed", "the method is not allowed; use one of the header Allow"})
		return
	}
	if err := f(d, w, r); err != nil {
		d.answerError(w, r, err)
	}
}

type about struct {
	Node string `json:"node"`
	// Actions and Payloads say what this Dash has functions for. They decide for each request.
	Actions  bool `json:"actions"`
	Payloads bool `json:"payloads"`
}

// serveAbout tells the page what it can offer.
func (d *Dash) serveAbout(w http.ResponseWriter, _ *http.Request) error {
	return answer(w, about{Node: d.hub.Node(), Actions: d.act != nil, Payloads: d.reveal != nil})
}
