package hub_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/hub"
)

// protocolServer has a room of every kind, and a method.
func protocolServer(t *testing.T, tr transport, opts ...hub.Option) *server {
	s := tr.start(t, append([]hub.Option{
		hub.WithOpenRooms("*"),
		hub.WithRooms("past:*", hub.History(100, time.Hour)),
		hub.WithRooms("here:*", hub.Presence()),
	}, opts...)...)
	s.Handle("echo", func(_ context.Context, _ *hub.Conn, data []byte) (any, error) { return json.RawMessage(data), nil })
	s.Handle("nothing", func(context.Context, *hub.Conn, []byte) (any, error) { return nil, nil })
	return s
}

// TestReplies compares what the server answers byte for byte with what PROTOCOL.md says.
func TestReplies(t *testing.T) {
	type step struct{ send, want string }
	ask := func(steps ...step) []step { return steps }
	tests := []struct {
		name  string
		steps []step
	}{
		{"ping", ask(step{`{"op":"ping","id":7}`, `{"op":"ok","id":7}`})},
		{"fields in any order, with space", ask(step{" {\"id\" :\t7,\r\n\"x\":[{}] , \"op\":\"ping\" } ", `{"op":"ok","id":7}`})},
		{"join and leave", ask(
			step{`{"op":"join","id":1,"room":"a"}`, `{"op":"ok","id":1,"room":"a"}`},
			step{`{"op":"join","id":2,"room":"a"}`, `{"op":"ok","id":2,"room":"a"}`},
			step{`{"op":"leave","id":3,"room":"a"}`, `{"op":"ok","id":3,"room":"a"}`},
			step{`{"op":"leave","id":4,"room":"a"}`, `{"op":"error","id":4,"room":"a","code":"unknown_room","message":"not joined"}`},
		)},
		{"join without id is told of", ask(step{`{"op":"join","room":"a"}`, `{"op":"ok","room":"a"}`})},
		{"names of rooms are escaped", ask(step{`{"op":"join","id":1,"room":"\u00e9\"\\"}`, `{"op":"ok","id":1,"room":"é\"\\"}`})},
		{"join a room with history", ask(
			step{`{"op":"join","id":1,"room":"past:a"}`, `{"op":"ok","id":1,"room":"past:a","epoch":"$E","offset":0}`},
		)},
		{"publish without having joined", ask(step{`{"op":"publish","id":1,"room":"a","data":1}`, `{"op":"ok","id":1,"room":"a"}`})},
		{"publish with history", ask(
			step{`{"op":"publish","id":1,"room":"past:a","data":1}`, `{"op":"ok","id":1,"room":"past:a","epoch":"$E","offset":1}`},
			step{`{"op":"publish","id":2,"room":"past:a","data":2,"key":"k"}`, `{"op":"ok","id":2,"room":"past:a","epoch":"$E","offset":2}`},
			step{`{"op":"publish","id":3,"room":"past:a","data":3,"key":"k"}`, `{"op":"ok","id":3,"room":"past:a","epoch":"$E","offset":2}`},
			step{`{"op":"publish","id":4,"room":"past:a","data":null}`, `{"op":"ok","id":4,"room":"past:a","epoch":"$E","offset":3}`},
		)},
		{"call", ask(
			step{`{"op":"call","id":5,"method":"echo","data":{"b": [1 ,2]}}`, `{"op":"ok","id":5,"data":{"b": [1 ,2]}}`},
			step{`{"op":"call","id":6,"method":"echo","data":null}`, `{"op":"ok","id":6,"data":null}`},
			step{`{"op":"call","id":7,"method":"echo"}`, `{"op":"ok","id":7}`},
			step{`{"op":"call","id":8,"method":"nothing","data":1}`, `{"op":"ok","id":8}`},
		)},
		{"send", ask(step{`{"op":"send","id":9,"data":true}`, `{"op":"ok","id":9}`})},
		{"presence", ask(
			step{`{"op":"join","id":1,"room":"here:a"}`, `{"op":"ok","id":1,"room":"here:a"}`},
			step{`{"op":"leave","id":2,"room":"here:a"}`, `{"op":"ok","id":2,"room":"here:a"}`},
		)},
	}
	overEach(t, func(t *testing.T, tr transport) {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				s := protocolServer(t, tr)
				c := s.dial(t)
				for _, st := range tt.steps {
					got := c.nextAfter(st.send, `{"op":"join","room":"here:a"`)
					page, err := s.History(t.Context(), "past:a", broker.Position{}, 0)
					if err != nil {
						t.Fatal(err)
					}
					want := strings.ReplaceAll(st.want, "$E", page.Top.Epoch)
					if got != want {
						t.Fatalf("%s\ngot  %s\nwant %s", st.send, got, want)
					}
				}
			})
		}
	})
}

// nextAfter sends a frame and returns the next that does not begin like skip.
func (c *client) nextAfter(send, skip string) string {
	c.t.Helper()
	c.write(send)
	for {
		if got := c.next(); !strings.HasPrefix(got, skip) {
			return got
		}
	}
}

// TestNoAnswerWithoutID: what has no id is answered only by an error.
func TestNoAnswerWithoutID(t *testing.T) {
	s := protocolServer(t, poller)
	c := s.dial(t)
	c.write(`{"op":"publish","room":"a","data":1}`)
	c.write(`{"op":"send","data":1}`)
	c.write(`{"op":"ping","id":0}`)
	c.write(`{"op":"join","room":"a"}`)
	c.expect(`{"op":"ok","room":"a"}`)
	c.write(`{"op":"leave","room":"a"}`)
	c.write(`{"op":"leave","room":"a"}`)
	c.expect(`{"op":"error","room":"a","code":"unknown_room","message":"not joined"}`)
}

func TestMessages(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		s := protocolServer(t, tr)
		a, b := s.dial(t), s.dial(t)
		for _, c := range []*client{a, b} {
			c.write(`{"op":"join","id":1,"room":"past:a"}`)
			c.write(`{"op":"join","id":2,"room":"a"}`)
			if r := c.read(); r.Op != "ok" || r.ID != 1 {
				t.Fatalf("got %+v", r)
			}
			c.expect(`{"op":"ok","id":2,"room":"a"}`)
		}
		a.write(`{"op":"publish","room":"a","data":{"x": "<é>"}}`)
		for _, c := range []*client{a, b} {
			c.expect(`{"op":"message","room":"a","data":{"x": "<é>"}}`)
		}
		res, err := s.Publish(t.Context(), "past:a", []byte(`"hi"`))
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []*client{a, b} {
			c.expect(`{"op":"message","room":"past:a","epoch":"` + res.Position.Epoch + `","offset":1,"data":"hi"}`)
		}
		a.write(`{"op":"leave","id":3,"room":"a"}`)
		a.expect(`{"op":"ok","id":3,"room":"a"}`)
		if _, err := s.PublishJSON(t.Context(), "a", map[string]int{"n": 1}); err != nil {
			t.Fatal(err)
		}
		b.expect(`{"op":"message","room":"a","data":{"n":1}}`)
		a.alive() // and got nothing before
	})
}

// TestIdempotencyKey: a retried publish is stored and delivered once.
func TestIdempotencyKey(t *testing.T) {
	for _, room := range []string{"a", "past:a"} {
		t.Run(room, func(t *testing.T) {
			s := protocolServer(t, poller)
			reader, writer := s.dial(t), s.dial(t)
			reader.ask(`{"op":"join","room":"` + room + `"}`)
			first := writer.ask(`{"op":"publish","id":1,"room":"` + room + `","data":1,"key":"k"}`)
			second := writer.ask(`{"op":"publish","id":2,"room":"` + room + `","data":1,"key":"k"}`)
			if first.Op != "ok" || second.Op != "ok" || first.Epoch != second.Epoch || first.Offset != second.Offset {
				t.Errorf("first %+v, second %+v", first, second)
			}
			for _, duplicate := range []bool{false, true} { // the service's own key of that name
				res, err := s.Publish(t.Context(), room, []byte("2"), hub.IdempotencyKey("k", time.Minute))
				if err != nil || res.Duplicate != duplicate {
					t.Errorf("Publish: %+v, %v; want duplicate %v", res, err, duplicate)
				}
			}
			for _, want := range []string{"1", "2"} {
				if r := reader.read(); string(r.Data) != want {
					t.Errorf("got %+v, want %s", r, want)
				}
			}
		})
	}
}
