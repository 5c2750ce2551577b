package hub_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/protocol"
)

const traceParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

// carried is what a frame carries beside its data.
type carried struct {
	From        *protocol.Publisher `json:"from"`
	Time        int64               `json:"time"`
	Tags        map[string]string   `json:"tags"`
	TraceParent string              `json:"traceparent"`
	TraceState  string              `json:"tracestate"`
	Data        json.RawMessage     `json:"data"`
}

func (c *client) carried() (m carried) {
	c.t.Helper()
	if p := c.next(); json.Unmarshal([]byte(p), &m) != nil || m.Data == nil {
		c.t.Fatalf("got %s, want a message", p)
	}
	return m
}

// TestShowPublisher: members, newcomers, readers of the history and the service are shown what the room's rule says, of clients
// and of the service.
func TestShowPublisher(t *testing.T) {
	ada := hub.Identity{User: "ada", Info: []byte(`{"name":"Ada"}`)}
	for _, tt := range []struct {
		view hub.PublisherView
		want func(conn string) *protocol.Publisher
	}{
		{hub.PublisherNone, func(string) *protocol.Publisher { return nil }},
		{hub.PublisherID, func(conn string) *protocol.Publisher { return &protocol.Publisher{Conn: conn} }},
		{hub.PublisherUser, func(conn string) *protocol.Publisher { return &protocol.Publisher{Conn: conn, User: "ada"} }},
		{hub.PublisherFull, func(conn string) *protocol.Publisher {
			return &protocol.Publisher{Conn: conn, User: "ada", Info: ada.Info}
		}},
	} {
		s := start(t, hub.WithOpenRooms("*"), asIdentity(ada), hub.WithRooms("r", hub.DefaultHistory(), hub.ShowPublisher(tt.view)))
		pub, sub := s.dial(t), s.dial(t)
		sub.ask(`{"op":"join","room":"r","id":1}`)
		pub.ask(`{"op":"publish","room":"r","id":1,"data":1}`)
		told := broker.Publisher{Conn: "post", User: "ada", Info: ada.Info}
		if _, err := s.Publish(t.Context(), "r", []byte("2"), hub.PublishedBy(told)); err != nil {
			t.Fatal(err)
		}
		s.publish(t, "r", 3)
		late := s.dial(t)
		late.ask(`{"op":"join","room":"r","id":1,"history":3}`)
		for _, c := range []*client{sub, late} {
			for i, want := range []*protocol.Publisher{tt.want(pub.id), tt.want("post"), nil} {
				if got := c.carried(); !reflect.DeepEqual(got.From, want) || got.Time != 0 {
					t.Errorf("view %d, message %d: from %+v at %d, want %+v", tt.view, i+1, got.From, got.Time, want)
				}
			}
		}
		page, err := protocol.ParseHistory(late.ask(`{"op":"history","room":"r","id":2}`).Data)
		if err != nil || len(page.Messages) != 3 {
			t.Fatalf("%+v, %v", page, err)
		}
		for i, want := range []*protocol.Publisher{tt.want(pub.id), tt.want("post"), nil} {
			var got *protocol.Publisher
			if m := page.Messages[i].Meta; m != nil {
				got = m.From
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("view %d, message %d in the history: from %+v, want %+v", tt.view, i+1, got, want)
			}
		}
		stored, err := s.History(t.Context(), "r", broker.Position{}, 0)
		if err != nil {
			t.Fatal(err)
		}
		if m := stored.Messages[1].Meta; m == nil || !reflect.DeepEqual(*m.Publisher, told) {
			t.Errorf("view %d: the service is told %+v, want %+v", tt.view, m, told)
		}
		if m := stored.Messages[2].Meta; m != nil {
			t.Errorf("view %d: a message of the service carries %+v", tt.view, m)
		}
		if m := stored.Messages[0].Meta; (m == nil) != (tt.view == hub.PublisherNone) {
			t.Errorf("view %d: a message of a client carries %+v", tt.view, m)
		}
	}
}

func asIdentity(id hub.Identity) hub.Option {
	return hub.WithAuthenticator(func(*http.Request) (hub.Identity, error) { return id, nil })
}

// TestShowTime: messages say when they were published if the room's rule or the publication asks for it.
func TestShowTime(t *testing.T) {
	s := start(t, hub.WithOpenRooms("*"), hub.WithRooms("timed", hub.ShowTime()))
	c := s.dial(t)
	c.ask(`{"op":"join","room":"timed","id":1}`)
	c.ask(`{"op":"join","room":"other","id":2}`)
	for _, tt := range []struct {
		room string
		opts []hub.PublishOption
		want bool
	}{
		{"timed", nil, true},
		{"timed", []hub.PublishOption{hub.Tags(map[string]string{"a": "b"})}, true},
		{"other", nil, false},
		{"other", []hub.PublishOption{hub.Timestamp()}, true},
	} {
		before := time.Now().UnixMilli()
		if _, err := s.Publish(t.Context(), tt.room, []byte("1"), tt.opts...); err != nil {
			t.Fatal(err)
		}
		got := c.carried()
		if in := got.Time >= before && got.Time <= time.Now().UnixMilli(); in != tt.want || !tt.want && got.Time != 0 {
			t.Errorf("%+v: time %d, published at %d", tt, got.Time, before)
		}
	}
	c.write(`{"op":"publish","room":"timed","data":2}`)
	if got := c.carried(); got.Time == 0 {
		t.Error("a client's publication has no time")
	}
}

// TestTagsAndTrace: what clients and the service publish carries them, OnPublish sees them and may set others, and what no
// message may carry is refused.
func TestTagsAndTrace(t *testing.T) {
	s := start(t, hub.WithRooms("past", hub.DefaultHistory()))
	s.OnJoin(func(context.Context, *hub.Conn, string) error { return nil })
	seen := make(chan hub.Publication, 9)
	s.OnPublish(func(_ context.Context, _ *hub.Conn, p *hub.Publication) error {
		seen <- *p
		switch p.Tags["do"] {
		case "add":
			p.Tags["added"] = "x"
			p.Trace.State = "hub=1"
		case "clear":
			p.Tags, p.Trace = nil, broker.Trace{}
		case "too many":
			p.Tags[""] = "no key"
		case "no trace":
			p.Trace.Parent = "x"
		}
		return nil
	})
	c := s.dial(t)
	c.ask(`{"op":"join","room":"past","id":1}`)
	publish := func(fields string) { c.write(`{"op":"publish","room":"past","data":1` + fields + `}`) }

	publish(`,"tags":{"do":"nothing","é":"\u0001"},"traceparent":"` + traceParent + `","tracestate":"a=1"`)
	want := carried{Tags: map[string]string{"do": "nothing", "é": "\x01"}, TraceParent: traceParent, TraceState: "a=1", Data: []byte("1")}
	if got := c.carried(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if p := <-seen; !reflect.DeepEqual(p.Tags, want.Tags) || p.Trace != (broker.Trace{Parent: traceParent, State: "a=1"}) || p.NoEcho {
		t.Errorf("OnPublish saw %+v", p)
	}
	publish(`,"tags":{"do":"add"},"traceparent":"` + traceParent + `"`)
	if got := c.carried(); got.Tags["added"] != "x" || got.TraceState != "hub=1" {
		t.Errorf("OnPublish has added something, got %+v", got)
	}
	publish(`,"tags":{"do":"clear"},"traceparent":"` + traceParent + `"`)
	if got := c.carried(); got.Tags != nil || got.TraceParent != "" {
		t.Errorf("OnPublish has cleared it, got %+v", got)
	}
	for _, do := range []string{"too many", "no trace"} {
		publish(`,"id":7,"tags":{"do":"` + do + `"}`)
		if r := c.read(); r.Op != "error" || r.ID != 7 || r.Code != "internal" {
			t.Errorf("%s: %+v, want internal", do, r)
		}
	}
	for _, fields := range []string{
		`,"tags":{"":"x"}`, `,"tags":["x"]`, `,"tags":{"a":1}`, `,"tags":{"a":"` + strings.Repeat("x", 257) + `"}`,
		`,"traceparent":"00-0-0-0"`, `,"tracestate":"a=1"`, `,"traceparent":"` + traceParent + `","tracestate":"A"`, `,"echo":"no"`,
	} {
		publish(`,"id":8` + fields)
		if r := c.read(); r.Op != "error" || r.ID != 8 || r.Code != "bad_request" {
			t.Errorf("%s: %+v, want bad_request", fields, r)
		}
	}
	all := map[string]string{"k": "v"}
	_, err := s.Publish(t.Context(), "past", []byte("1"), hub.Tags(all), hub.Trace(traceParent, ""))
	all["k"] = "changed"
	if got := c.carried(); err != nil || got.Tags["k"] != "v" || got.TraceParent != traceParent {
		t.Errorf("of the service: %+v, %v", got, err)
	}
	page, err := s.History(t.Context(), "past", broker.Position{}, 0)
	if err != nil || len(page.Messages) != 4 || page.Messages[0].Meta.Tags["do"] != "nothing" || page.Messages[2].Meta != nil {
		t.Errorf("stored %+v, %v", page.Messages, err)
	}
	c.alive()
}

func TestMetaOptionFaults(t *testing.T) {
	s := start(t)
	for name, o := range map[string]hub.PublishOption{
		"Tags":          hub.Tags(map[string]string{"": ""}),
		"traceparent":   hub.Trace("x", ""),
		"tracestate":    hub.Trace(traceParent, "X"),
		"PublishedBy":   hub.PublishedBy(broker.Publisher{Info: []byte("{")}),
		"ExceptConn":    hub.ExceptConn(""),
		"ExceptSession": hub.ExceptSession(nil),
	} {
		if _, err := s.Publish(t.Context(), "r", []byte("1"), o); !errors.Is(err, hub.ErrOption) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v, want ErrOption", name, err)
		}
	}
	for name, opts := range map[string][]hub.Option{
		"ShowPublisher": {hub.WithRooms("r", hub.ShowPublisher(9))},
		"ShowTime":      {hub.WithRaw(), hub.WithRooms("r", hub.ShowTime())},
	} {
		if _, err := hub.New(opts...); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestBrokenMetaOfOthers: a program that is no hub may put what is no JSON into Redis. It costs that message.
func TestBrokenMetaOfOthers(t *testing.T) {
	b := newAskedBroker(t)
	s := start(t, hub.WithBroker(b), hub.WithOpenRooms("*"), hub.WithRooms("r", hub.ShowPublisher(hub.PublisherFull)))
	c := s.dial(t)
	c.ask(`{"op":"join","room":"r","id":1}`)
	for data, info := range map[string]string{"1": `{"op":`, "2": `"ok"`} {
		p := broker.Publication{Data: []byte(data), Meta: &broker.Meta{Publisher: &broker.Publisher{Info: []byte(info)}}}
		if _, err := b.Publish(t.Context(), "r", p); err != nil {
			t.Fatal(err)
		}
	}
	c.expect(`{"op":"message","room":"r","from":{"info":"ok"},"data":2}`)
	if n := s.Stats().Corrupt; n != 1 {
		t.Errorf("%d corrupt, want 1", n)
	}
}
