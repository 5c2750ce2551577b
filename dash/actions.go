package dash

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/protocol"
)

const (
	// actionHeader must be "1" in each POST: pages of other origins cannot set it without asking first, and nobody answers them.
	actionHeader = "X-Hubkit-Dash"
	drainSurvey  = "hubkit.dash.drain.v1"
	// maxAction bounds the body of a POST, in bytes, and maxReason what a close frame has a place for.
	maxAction = 1 << 20
	maxReason = 123
	// maxDelay bounds retry_after_ms and spread_ms.
	maxDelay = 24 * time.Hour
	// actionWait is how long other nodes have to answer.
	actionWait = 10 * time.Second
)

// ownOrigin refuses what pages of other origins make a browser send.
var ownOrigin = http.NewCrossOriginProtection()

// body decodes the body of a POST that comes from the page itself, or from no page.
func body(r *http.Request, into any) error {
	if err := ownOrigin.Check(r); err != nil {
		return &apiError{http.StatusForbidden, "cross_origin", "the request comes from a page of another origin"}
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return &apiError{http.StatusUnsupportedMediaType, "bad_content_type", "the Content-Type must be application/json"}
	}
	if r.Header.Get(actionHeader) != "1" {
		return &apiError{http.StatusForbidden, "header_missing", "the header " + actionHeader + ": 1 is missing"}
	}
	if _, err := parameters(r); err != nil {
		return err
	}
	in := json.NewDecoder(http.MaxBytesReader(nil, r.Body, maxAction))
	in.DisallowUnknownFields()
	err := in.Decode(into)
	if err == nil {
		if _, more := in.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("data follows the object")
			if e, ok := errors.AsType[*http.MaxBytesError](more); ok {
				err = e
			}
		}
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return &apiError{http.StatusRequestEntityTooLarge, "too_large", "the body has more than 1 MiB"}
	}
	if err != nil {
		return badRequest("the body is not a valid request: %v", err)
	}
	return nil
}

// may asks whether an action is allowed, and logs it before it is done.
func (d *Dash) may(r *http.Request, a Action) error {
	if d.act == nil {
		return &apiError{http.StatusForbidden, "read_only", "this dashboard is read-only: the service has not set WithActions"}
	}
	what := []any{"addr", d.addr(r), "action", a.Kind, "user", a.User, "session", a.Session, "conn", a.Conn, "room", a.Room, "node", a.Node}
	if err := d.allowed(func() error { return d.act(r, a) }); err != nil {
		log := d.log.With(what...)
		log.Warn("dash: an action was refused", "err", err)
		return err
	}
	log := d.audit.With(what...)
	log.Info("dash: an action", "code", a.Code, "reason", a.Reason, "bytes", len(a.Data))
	return nil
}

func (d *Dash) serveDisconnect(w http.ResponseWriter, r *http.Request) error {
	var q struct {
		User       string             `json:"user"`
		Session    string             `json:"session"`
		Conn       string             `json:"conn"`
		Room       string             `json:"room"`
		Code       protocol.CloseCode `json:"code"`
		Reason     string             `json:"reason"`
		RetryAfter int64              `json:"retry_after_ms"`
		Spread     int64              `json:"spread_ms"`
	}
	if err := body(r, &q); err != nil {
		return err
	}
	target, err := targetOf("user, session, conn and room", q.User, q.Session, q.Conn, q.Room)
	if err != nil {
		return err
	}
	retryAfter, err := delay("retry_after_ms", q.RetryAfter)
	if err != nil {
		return err
	}
	spread, err := delay("spread_ms", q.Spread)
	if err != nil {
		return err
	}
	switch {
	case q.Code == 0:
		q.Code = protocol.CloseDisconnected
	case !q.Code.Sendable():
		return badRequest("code %d: a close frame must not carry it", q.Code)
	}
	if len(q.Reason) > maxReason {
		return badRequest("reason has %d bytes; at most %d are allowed", len(q.Reason), maxReason)
	}
	a := Action{
		Kind: Disconnect, User: q.User, Session: q.Session, Conn: q.Conn, Room: q.Room,
		Code: q.Code, Reason: q.Reason, RetryAfter: retryAfter, Spread: spread,
	}
	if err := d.may(r, a); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), actionWait)
	defer cancel()
	done, err := d.hub.Disconnect(ctx, target, &hub.CloseError{Code: q.Code, Reason: q.Reason, RetryAfter: retryAfter, Spread: spread})
	if none(err, len(done.Nodes), done.Silent) {
		return err
	}
	return answer(w, struct {
		Nodes  map[string]int `json:"nodes"`
		Silent []string       `json:"silent,omitempty"`
		Total  int            `json:"total"`
		Error  *errorBody     `json:"error,omitempty"`
	}{done.Nodes, done.Silent, done.Total(), partial(err)})
}

func delay(name string, ms int64) (time.Duration, error) {
	if ms < 0 || ms > maxDelay.Milliseconds() {
		return 0, badRequest("%s=%d: want 0 to %d", name, ms, maxDelay.Milliseconds())
	}
	return time.Duration(ms) * time.Millisecond, nil
}

// targetOf takes the one of four that is set. names are those that may be set.
func targetOf(names, user, session, conn, room string) (target hub.Target, err error) {
	set := 0
	for _, t := range []struct {
		name string
		by   func(string) hub.Target
	}{{user, hub.ByUser}, {session, hub.BySession}, {conn, hub.ByConn}, {room, hub.ByRoom}} {
		if t.name != "" {
			target = t.by(t.name)
			set++
		}
	}
	if set != 1 {
		return target, badRequest("set exactly one of %s, not %d of them", names, set)
	}
	return target, nil
}

func (d *Dash) serveRemove(w http.ResponseWriter, r *http.Request) error {
	var q struct {
		User    string `json:"user"`
		Session string `json:"session"`
		Conn    string `json:"conn"`
		Room    string `json:"room"` // that they are taken out of
		Reason  string `json:"reason"`
	}
	if err := body(r, &q); err != nil {
		return err
	}
	target, err := targetOf("user, session and conn", q.User, q.Session, q.Conn, "")
	if err != nil {
		return err
	}
	if len(q.Reason) > maxReason {
		return badRequest("reason has %d bytes; at most %d are allowed", len(q.Reason), maxReason)
	}
	if err := broker.CheckRoom(q.Room); err != nil {
		return badRequest("room: %v", err)
	}
	if err := d.may(r, Action{Kind: Remove, User: q.User, Session: q.Session, Conn: q.Conn, Room: q.Room, Reason: q.Reason}); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), actionWait)
	defer cancel()
	if err := d.hub.RemoveFromRoom(ctx, target, q.Room, q.Reason); err != nil {
		return err
	}
	return answer(w, struct{}{})
}

func (d *Dash) serveSend(w http.ResponseWriter, r *http.Request) error {
	var q struct {
		User    string          `json:"user"`
		Session string          `json:"session"`
		Conn    string          `json:"conn"`
		Room    string          `json:"room"`
		Data    json.RawMessage `json:"data"`
	}
	if err := body(r, &q); err != nil {
		return err
	}
	target, err := targetOf("user, session, conn and room", q.User, q.Session, q.Conn, q.Room)
	if err != nil {
		return err
	}
	if len(q.Data) == 0 {
		return badRequest("data is missing")
	}
	if err := d.may(r, Action{Kind: Send, User: q.User, Session: q.Session, Conn: q.Conn, Room: q.Room, Data: q.Data}); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), actionWait)
	defer cancel()
	if err := d.hub.SendTo(ctx, target, q.Data); err != nil {
		return &elsewhere{err}
	}
	return answer(w, struct{}{})
}

func (d *Dash) servePublish(w http.ResponseWriter, r *http.Request) error {
	var q struct {
		Room string          `json:"room"`
		Data json.RawMessage `json:"data"`
	}
	if err := body(r, &q); err != nil {
		return err
	}
	if err := broker.CheckRoom(q.Room); err != nil {
		return badRequest("room: %v", err)
	}
	if len(q.Data) == 0 {
		return badRequest("data is missing")
	}
	if err := d.may(r, Action{Kind: Publish, Room: q.Room, Data: q.Data}); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), actionWait)
	defer cancel()
	stored, err := d.hub.Publish(ctx, q.Room, q.Data)
	if err != nil {
		return err
	}
	return answer(w, stored.Position)
}

// drainOrder asks a node to drain; only the one that it names does.
type drainOrder struct {
	Node string `json:"node"`
}

// drainAnswer is what a node says to a drainOrder.
type drainAnswer struct {
	Node     string `json:"node"`
	Draining bool   `json:"draining"`
	// Cannot is set by the node that is meant and has no function for it.
	Cannot bool `json:"cannot,omitempty"`
}

func (d *Dash) serveDrain(w http.ResponseWriter, r *http.Request) error {
	var q drainOrder
	if err := body(r, &q); err != nil {
		return err
	}
	if q.Node == "" {
		return badRequest("set node")
	}
	if err := d.may(r, Action{Kind: Drain, Node: q.Node}); err != nil {
		return err
	}
	said, err := d.orderDrain(r.Context(), q)
	switch {
	case err != nil:
		return err
	case said.Cannot:
		return &apiError{http.StatusConflict, "cannot_drain", "the service has not set WithDrain on that node"}
	}
	return answer(w, said)
}

// orderDrain returns what the node that is meant has said.
func (d *Dash) orderDrain(ctx context.Context, q drainOrder) (said drainAnswer, err error) {
	text, err := json.Marshal(q)
	if err != nil {
		return said, err
	}
	if q.Node == d.hub.Node() { // also if the others cannot be asked
		return d.drainNow(q), nil
	}
	ctx, cancel := context.WithTimeout(ctx, actionWait)
	defer cancel()
	answers, err := d.hub.Survey(ctx, drainSurvey, text)
	for _, a := range answers {
		if a.Node != q.Node {
			continue
		}
		if a.Err != nil {
			return said, fmt.Errorf("%w: node %s: %w", hub.ErrNoAnswer, q.Node, a.Err)
		}
		err = json.Unmarshal(a.Data, &said)
		return said, err
	}
	if err != nil {
		return said, err
	}
	return said, &apiError{http.StatusNotFound, "no_such_node", "no node has this name"}
}

// answerDrain carries an order out on the node that it names.
func (d *Dash) answerDrain(_ context.Context, text []byte) (any, error) {
	var q drainOrder
	if err := json.Unmarshal(text, &q); err != nil {
		return nil, err
	}
	if q.Node != d.hub.Node() {
		return drainAnswer{Node: d.hub.Node()}, nil
	}
	return d.drainNow(q), nil
}

func (d *Dash) drainNow(q drainOrder) drainAnswer {
	if d.drain == nil {
		return drainAnswer{Node: q.Node, Cannot: true}
	}
	d.draining.Do(func() {
		d.log.Info("dash: draining this node", "node", q.Node)
		go func() {
			defer func() {
				if v := recover(); v != nil {
					d.log.Error("dash: the function of WithDrain has panicked", "panic", v, "stack", string(debug.Stack()))
				}
			}()
			d.drain()
		}()
	})
	return drainAnswer{Node: q.Node, Draining: true}
}
