package client_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/gohubkit/hubkit/client"
	"github.com/gohubkit/hubkit/protocol"
)

// sharedCase is what every client has to do: docs/clients.md says how to read it.
type sharedCase struct {
	Name    string
	Needs   []string
	Options struct {
		Token   string
		Backoff bool
	}
	For   []object
	Steps []object
}

type object = map[string]any

// supported are the needs of cases that this client meets: all of them.
var supported = []string{"left", "joined", "refresh", "history", "meta", "bin"}

// TestSharedCases runs the cases of protocol/cases, which the browser client runs too.
func TestSharedCases(t *testing.T) {
	files, err := filepath.Glob("../protocol/cases/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	ran := 0
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var file struct {
			About string
			Cases []sharedCase
		}
		d := json.NewDecoder(bytes.NewReader(text))
		d.DisallowUnknownFields()
		if err := d.Decode(&file); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, c := range file.Cases {
			for _, need := range c.Needs {
				if !slices.Contains(supported, need) {
					t.Errorf("%s: no run of %q, which needs %q", name, c.Name, need)
				}
			}
			if c.For == nil {
				c.For = []object{{}}
			}
			for _, bound := range c.For {
				ran++
				t.Run(c.Name, func(t *testing.T) {
					t.Parallel()
					newCaseRun(t, &c, bound).all(c.Steps)
				})
			}
		}
	}
	t.Logf("%d cases", ran)
}

// caseRun is one run of a case.
type caseRun struct {
	t       *testing.T
	bound   object
	server  *server
	client  *client.Client
	subs    map[string]*client.Subscription
	states  chan client.State
	events  chan object
	results map[string]chan object
	asks    sync.WaitGroup
	peer    *peer
	open    bool // the client is welcomed and not lost
}

func newCaseRun(t *testing.T, c *sharedCase, bound object) *caseRun {
	r := &caseRun{
		t: t, bound: object{}, server: newServer(t),
		subs: make(map[string]*client.Subscription), results: make(map[string]chan object),
		states: make(chan client.State, 100), events: make(chan object, 100),
	}
	maps.Copy(r.bound, bound)
	heard := func(m client.Message) { r.events <- object{"message": message(m)} }
	opts := []client.Option{
		client.OnState(func(s client.State) { r.states <- s }),
		client.OnMessage(heard),
		client.OnRoomMessage(heard),
		client.OnServerJoin(func(s *client.Subscription) { r.events <- object{"joined": object{"room": s.Room()}} }),
	}
	if !c.Options.Backoff {
		opts = append(opts, quick(t))
	}
	if token := c.Options.Token; token != "" {
		opts = append(opts, client.WithToken(func(context.Context) (string, error) { return token, nil }))
	}
	var err error
	if r.client, err = client.New(r.server.url, opts...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.asks.Wait) // the context of the test has ended then
	return r
}

func (r *caseRun) all(steps []object) {
	for n, step := range steps {
		for what, arg := range step {
			if what == "min" || what == "max" {
				continue
			}
			r.t.Logf("step %d: %s %s", n+1, what, text(arg))
			r.step(what, arg, step)
		}
	}
	if r.open {
		r.fence()
	}
}

// fence finds out that nothing else has come, neither a frame nor an event.
func (r *caseRun) fence() {
	r.t.Helper()
	r.ask("fence", func(ctx context.Context) (any, error) { return r.client.Call(ctx, "fence", nil) })
	r.step("expect", object{"op": "call", "id": "$fence", "method": "fence"}, nil)
	r.step("push", object{"op": "message", "data": "fence"}, nil)
	r.step("event", object{"message": object{"data": "fence"}}, nil)
}

func (r *caseRun) step(what string, arg any, step object) {
	r.t.Helper()
	o, _ := arg.(object)
	room, _ := o["room"].(string)
	as, _ := o["as"].(string)
	data := json.RawMessage(text(o["data"]))
	switch what {
	case "subscribe":
		r.subscribe(room, o)
	case "leave":
		r.subs[arg.(string)].Stop()
	case "publish":
		r.publish(as, room, data, o)
	case "call":
		if _, ok := o["data"]; !ok {
			data = nil
		}
		r.ask(as, func(ctx context.Context) (any, error) { return r.client.Call(ctx, o["method"].(string), data) })
	case "send":
		r.ask(as, func(ctx context.Context) (any, error) { return nil, r.client.Send(ctx, data) })
	case "presence":
		r.ask(as, func(ctx context.Context) (any, error) {
			p, err := r.client.Presence(ctx, room)
			return presence(p), err
		})
	case "history":
		r.ask(as, func(ctx context.Context) (any, error) { return r.history(ctx, room, o) })
	case "dial":
		r.dial(o)
	case "expect":
		r.expect(o)
	case "push":
		r.open = r.open || o["op"] == "welcome"
		r.peer.send([]byte(text(r.fill(o))))
	case "text":
		r.peer.send([]byte(arg.(string)))
	case "close":
		code, reason := r.fill(o["code"]).(float64), r.fill(o["reason"]).(string)
		payload := websocket.FormatCloseMessage(int(code), reason)
		if err := r.peer.ws.WriteControl(websocket.CloseMessage, payload, time.Now().Add(patience)); err != nil {
			r.t.Fatal(err)
		}
		r.open = false
	case "cut":
		r.peer.cut()
		r.open = false
	case "event":
		r.same(receive(r.t, r.events), arg)
	case "state":
		r.state(arg.(string), step)
	case "result":
		want := object{"ok": o["ok"]}
		if code := o["error"]; code != nil {
			want = object{"error": code}
		}
		r.same(receive(r.t, r.results[o["of"].(string)]), want)
	default:
		r.t.Fatalf("unknown step %q", what)
	}
}

func (r *caseRun) subscribe(room string, o object) {
	r.t.Helper()
	var opts []client.SubOption
	if n, ok := o["history"].(float64); ok {
		opts = append(opts, client.Newest(int(n)))
	}
	if p := positionOf(o); !p.IsZero() {
		opts = append(opts, client.Since(p))
	}
	opts = append(opts,
		client.OnGap(func(g client.Gap) {
			r.events <- object{"gap": object{"room": g.Room, "from": g.From, "to": g.To}}
		}),
		client.OnPresence(func(joined bool, m client.Member) {
			kind := "leave"
			if joined {
				kind = "join"
			}
			r.events <- object{"presence": object{"room": room, "type": kind, "member": member(m)}}
		}),
		client.OnMembersChanged(func(count int, spread time.Duration) {
			r.events <- object{"presence": object{"room": room, "type": "changed", "count": count, "spread_ms": spread.Milliseconds()}}
		}),
		client.OnError(func(err error) {
			kind := "error"
			if _, ok := errors.AsType[*client.LeftError](err); ok {
				kind = "left"
			}
			r.events <- object{kind: object{"room": room, "code": code(err)}}
		}),
	)
	r.subs[room] = subscribe(r.t, r.client, room, func(m client.Message) { r.events <- object{"message": message(m)} }, opts...)
}

func (r *caseRun) publish(as, room string, data []byte, o object) {
	r.t.Helper()
	var opts []client.PublishOption
	if key := o["key"].(string); !strings.HasPrefix(key, "$") {
		opts = append(opts, client.IdempotencyKey(key))
	}
	if tags, ok := o["tags"].(object); ok {
		all := make(map[string]string)
		for k, v := range tags {
			all[k] = v.(string)
		}
		opts = append(opts, client.Tags(all))
	}
	if parent, ok := o["traceparent"].(string); ok {
		state, _ := o["tracestate"].(string)
		opts = append(opts, client.Trace(parent, state))
	}
	if o["echo"] == false {
		opts = append(opts, client.NoEcho())
	}
	if bin, ok := o["bin"].(string); ok {
		var err error
		if data, err = base64.StdEncoding.DecodeString(bin); err != nil {
			r.t.Fatal(err)
		}
		opts = append(opts, client.Binary())
	}
	p, err := r.client.PublishAsync(room, data, opts...)
	if err != nil {
		r.t.Fatal(err)
	}
	r.ask(as, func(ctx context.Context) (any, error) {
		pos, err := p.Wait(ctx)
		if pos.IsZero() {
			return nil, err
		}
		return pos, err
	})
}

func (r *caseRun) history(ctx context.Context, room string, o object) (any, error) {
	q := client.HistoryQuery{From: positionOf(o)}
	if n, ok := o["limit"].(float64); ok {
		q.Limit = int(n)
	}
	q.Reverse, _ = o["reverse"].(bool)
	p, err := r.client.History(ctx, room, q)
	messages := []object{}
	for _, m := range p.Messages {
		messages = append(messages, message(m))
	}
	return object{"messages": messages, "more": p.More, "newest": p.Newest}, err
}

// positionOf is the position that a step names, if it names one.
func positionOf(o object) (p client.Position) {
	if epoch, ok := o["epoch"].(string); ok {
		p = client.Position{Epoch: epoch, Offset: uint64(o["offset"].(float64))}
	}
	return p
}

// ask keeps the outcome of f for a step "result".
func (r *caseRun) ask(as string, f func(context.Context) (any, error)) {
	c := make(chan object, 1)
	r.results[as] = c
	r.asks.Go(func() {
		v, err := f(r.t.Context())
		switch raw, ok := v.([]byte); {
		case err != nil:
			c <- object{"error": code(err)}
		case ok && raw != nil:
			c <- object{"ok": json.RawMessage(raw)}
		case ok:
			c <- object{"ok": nil}
		default:
			c <- object{"ok": v}
		}
	})
}

func (r *caseRun) dial(o object) {
	r.t.Helper()
	if r.peer == nil { // what is subscribed before the first connection is in its hello
		run(r.t, r.client)
	}
	r.peer, r.open = r.server.accept(), false
	if ticket, ok := o["ticket"]; ok {
		if got, want := r.peer.query.Get(protocol.ResumeParam), text(ticket); got != strings.Trim(strings.Replace(want, "null", "", 1), `"`) {
			r.t.Fatalf("ticket %q, want %s", got, want)
		}
	}
}

func (r *caseRun) expect(want object) {
	r.t.Helper()
	_ = r.peer.ws.SetReadDeadline(time.Now().Add(patience))
	_, frame, err := r.peer.ws.ReadMessage()
	if err != nil {
		r.t.Fatalf("waiting for %s: %v", text(want), err)
	}
	var got object
	if err := json.Unmarshal(frame, &got); err != nil {
		r.t.Fatal(err)
	}
	for k, v := range want {
		if name, ok := variable(v); ok && r.bound[name] == nil {
			r.bound[name] = got[k]
		}
	}
	r.same(normal(got), normal(r.fill(want)))
}

func (r *caseRun) state(status string, step object) {
	r.t.Helper()
	names := map[client.Status]string{
		client.Connecting: "connecting", client.Connected: "open", client.Stale: "stale", client.Live: "open",
		client.Disconnected: "waiting", client.Closed: "closed",
	}
	for {
		s := receive(r.t, r.states)
		if names[s.Status] != status {
			continue
		}
		if least, ok := r.fill(step["min"]).(float64); ok {
			most := r.fill(step["max"]).(float64)
			if ms := float64(s.Wait) / 1e6; ms < least || ms > most {
				r.t.Fatalf("waits %v, want %v to %v ms", s.Wait, least, most)
			}
		}
		return
	}
}
