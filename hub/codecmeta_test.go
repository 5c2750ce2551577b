package hub_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/protocol"
)

// TestCodecMeta: all that a message may carry reaches clients of both codecs: live, in catch-up, in a resumed session and in an
// answer from the history. What it carries is of a client or of the service, and its payload JSON or bytes.
func TestCodecMeta(t *testing.T) {
	ada := hub.Identity{User: "ada", Info: []byte(`{"info":"data","n":1.5}`)}
	whole := []hub.RoomOption{hub.DefaultHistory(), hub.ShowPublisher(hub.PublisherFull), hub.ShowTime()}
	for _, sub := range []transport{poller, inCBOR} {
		for _, pub := range []transport{poller, inCBOR} {
			t.Run(pub.name+" to "+sub.name, func(t *testing.T) {
				s := sub.start(t, hub.WithOpenRooms("*"), asIdentity(ada), hub.WithRooms("r", whole...))
				member := s.dial(t)
				first := member.ask(`{"op":"join","room":"r","id":1}`)
				s.cbor = pub.cbor
				publisher := s.dial(t)
				s.cbor = sub.cbor

				before := time.Now().UnixMilli()
				carries := `"tags":{"info":"not JSON","data":"{","from":"7","é":"\u0001"},"traceparent":"` + traceParent + `","tracestate":"a=1"`
				for n, payload := range []string{`"data":{"info":"x"}`, `"bin":"/wA="`} {
					frame := fmt.Sprintf(`{"op":"publish","room":"r","id":%d,%s,%s}`, n+1, carries, payload)
					if r := publisher.ask(frame); r.Op != "ok" {
						t.Fatalf("%s: %+v", frame, r)
					}
				}
				want := carried{
					From: &protocol.Publisher{Conn: publisher.id, User: "ada", Info: ada.Info}, TraceParent: traceParent, TraceState: "a=1",
					Tags: map[string]string{"info": "not JSON", "data": "{", "from": "7", "é": "\x01"},
				}
				told := broker.Publisher{Conn: "post", User: "bob", Info: []byte(`"i"`)}
				if _, err := s.Publish(t.Context(), "r", []byte{0xff, 0}, hub.Binary(), hub.PublishedBy(told), hub.Tags(want.Tags), hub.Trace(traceParent, "a=1")); err != nil {
					t.Fatal(err)
				}
				late, back := s.dial(t), s.connect(t, nil, subprotocols[s.cbor])
				late.write(`{"op":"join","room":"r","id":1,"history":3}`)
				if r := late.read(); r.Op != "ok" {
					t.Fatalf("join: %+v", r)
				}
				back.helloWith(fmt.Sprintf(`{"op":"hello","resume":[{"room":"r","epoch":%q,"offset":0}]}`, first.Epoch))
				back.welcomed()
				if r := back.read(); r.Op != "ok" {
					t.Fatalf("resume: %+v", r)
				}
				late.write(`{"op":"history","room":"r","id":2}`)

				check := func(where string, n int, frame []byte) {
					t.Helper()
					var got carried
					var payload struct {
						Bin []byte `json:"bin"`
					}
					if err := json.Unmarshal(frame, &got); err != nil {
						t.Fatalf("%s: %s: %v", where, frame, err)
					}
					_ = json.Unmarshal(frame, &payload)
					if got.Time < before || got.Time > time.Now().UnixMilli() {
						t.Errorf("%s, message %d: time %d, published after %d", where, n, got.Time, before)
					}
					if n == 0 && string(got.Data) != `{"info":"x"}` || n > 0 && string(payload.Bin) != "\xff\x00" {
						t.Errorf("%s, message %d: %s", where, n, frame)
					}
					w := want
					if n == 2 {
						w.From = (*protocol.Publisher)(&told)
					}
					if got.Time, got.Data = 0, nil; !reflect.DeepEqual(got, w) {
						t.Errorf("%s, message %d: %+v, want %+v", where, n, got, w)
					}
				}
				for where, c := range map[string]*client{"live": member, "in catch-up": late, "resumed": back} {
					for n := range 3 {
						check(where, n, []byte(c.next()))
					}
				}
				var page struct {
					Messages []json.RawMessage `json:"messages"`
				}
				if r := late.read(); json.Unmarshal(r.Data, &page) != nil || len(page.Messages) != 3 {
					t.Fatalf("history: %s", r.Data)
				}
				for n, m := range page.Messages {
					check("in the history", n, m)
				}
			})
		}
	}
}
