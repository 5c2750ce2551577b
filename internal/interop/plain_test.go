package interop_test

import (
	"context"
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/internal/interop"
)

// TestPlainClient is what PROTOCOL.md promises a client that has nothing but WebSockets and JSON.
func TestPlainClient(t *testing.T) {
	overHub(t, func(t *testing.T, l *live, s *speaker) {
		received := make(chan string, 1)
		l.OnMessage(func(_ context.Context, _ *hub.Conn, m hub.Message) { received <- string(m.Data) })
		if err := l.Handle("echo", func(_ context.Context, _ *hub.Conn, data []byte) (any, error) {
			return json.RawMessage(data), nil
		}); err != nil {
			t.Fatal(err)
		}

		connect(s.ctx, t, s.Peer, l.url, interop.Request{})
		// The connection's ID is the node's name, 10 characters for its start, and a number. The session's name is the ID and 22
		// characters that nobody can guess.
		welcome := regexp.MustCompile(`^\{"op":"welcome","conn":"(n1-[a-z2-7]{10}-1)","node":"n1","session":"(n1-[a-z2-7]{10}-1)\.[\w-]{22}",` +
			`"ping_ms":25000,"limits":\{"message":65536,"rate":100,"burst":200,"rooms":128\}\}$`)
		got := s.next()
		m := welcome.FindStringSubmatch(got)
		if len(m) != 3 || m[1] != m[2] {
			t.Fatalf("got  %.200s\nwant %s", got, welcome)
		}
		s.ask(`{"op":"join","id":1,"room":"news"}`, `{"op":"ok","id":1,"room":"news"}`)

		l.publish(t, "news", `{"by": "the server"}`)
		s.hear(`{"op":"message","room":"news","data":{"by": "the server"}}`)
		s.say(`{"op":"publish","room":"news","data":[1, 2]}`)
		s.hear(`{"op":"message","room":"news","data":[1, 2]}`)

		s.ask(`{"op":"call","id":2,"method":"echo","data":{"a":1}}`, `{"op":"ok","id":2,"data":{"a":1}}`)
		s.ask(`{"op":"send","id":3,"data":"for you"}`, `{"op":"ok","id":3}`)
		if got := <-received; got != `"for you"` {
			t.Errorf("OnMessage was given %s", got)
		}
		s.ask(`{"op":"ping","id":4}`, `{"op":"ok","id":4}`)
		must(t, s.Ping("still there?"))
		expect(s.ctx, t, s.Peer, interop.Event{Kind: interop.Pong, Text: "still there?"})

		s.ask(`{"op":"leave","id":5,"room":"news"}`, `{"op":"ok","id":5,"room":"news"}`)
		l.publish(t, "news", `"not for those who left"`)
		s.alive()

		must(t, s.Close(1000, "done"))
		s.closed(1000)
		_ = l.ended(t, m[1])
	})
}

// TestErrorReplies: an error tells what was wrong, and the connection goes on.
func TestErrorReplies(t *testing.T) {
	overHub(t, func(t *testing.T, l *live, s *speaker) {
		s.plain(l)
		for _, tt := range []struct {
			frame string
			want  reply
		}{
			{`{"op":`, reply{Code: "bad_request"}},
			{`not JSON`, reply{Code: "bad_request"}},
			{``, reply{Code: "bad_request"}},
			{`[]`, reply{Code: "bad_request"}},
			{`{"op":"join","id":9,"room":`, reply{ID: 9, Code: "bad_request"}},
			{`{"op":"join","id":9,"room":7}`, reply{ID: 9, Code: "bad_request"}},
			{`{"op":"hello","id":9}`, reply{ID: 9, Code: "bad_request"}},
			{`{"op":"dance","id":9}`, reply{ID: 9, Code: "unknown_op"}},
			{`{"op":"join","id":9,"room":""}`, reply{ID: 9, Code: "bad_room"}},
			{`{"op":"leave","id":9,"room":"news"}`, reply{ID: 9, Room: "news", Code: "unknown_room"}},
			{`{"op":"call","id":9,"method":"none"}`, reply{ID: 9, Code: "unknown_method"}},
			{`{"op":"join","id":9,"room":"news","history":3}`, reply{ID: 9, Room: "news", Code: "no_history"}},
			{`{"op":"presence","id":9,"room":"news"}`, reply{ID: 9, Room: "news", Code: "unknown_room"}},
		} {
			s.say(tt.frame)
			got := s.read()
			if got.Op != "error" || got.ID != tt.want.ID || got.Room != tt.want.Room || got.Code != tt.want.Code {
				t.Errorf("%s is answered with %+v, want the error %+v", tt.frame, got, tt.want)
			}
		}
		s.alive()
	})
}

// TestText: what is published arrives as it was written, whatever it is written in, and however long.
func TestText(t *testing.T) {
	overHub(t, func(_ *testing.T, l *live, s *speaker) {
		s.plain(l)
		s.ask(`{"op":"join","id":1,"room":"größe 🎈"}`, `{"op":"ok","id":1,"room":"größe 🎈"}`)
		for _, data := range []string{
			`"Ünïcödé, 日本語, 🎈👩‍🚀, \u202ertl, é"`,
			`"\u0000\ud83c\udf88\n\"\\"`,
			`{"größe":[null,true,-1.50e+3, ""]}`,
			`"` + strings.Repeat("x", 60<<10) + `"`,
			`"` + strings.Repeat("🎈", 15<<10) + `"`,
		} {
			s.say(`{"op":"publish","room":"größe 🎈","data":` + data + `}`)
			s.hear(`{"op":"message","room":"größe 🎈","data":` + data + `}`)
		}
	})
}

// TestMeeting puts clients of two makes into a room that has presence.
func TestMeeting(t *testing.T) {
	l := serveHub(t)
	impls := interop.Implementations()
	a, b := speak(t, impls[0]), speak(t, impls[1])
	a.plain(l)
	b.plain(l)
	const room = `"room":"here:1"`
	a.ask(`{"op":"join","id":1,`+room+`}`, `{"op":"ok","id":1,`+room+`}`)
	heardOwn := a.skips(`{"op":"join",` + room + `,"data":{"conn":"` + a.id + `"}}`)
	b.ask(`{"op":"join","id":1,`+room+`}`, `{"op":"ok","id":1,`+room+`}`)
	heardOwn(`{"op":"join",` + room + `,"data":{"conn":"` + b.id + `"}}`)

	both := `{"conn":"` + a.id + `"},{"conn":"` + b.id + `"}`
	heardOwn = b.skips(`{"op":"join",` + room + `,"data":{"conn":"` + b.id + `"}}`)
	b.say(`{"op":"presence","id":2,` + room + `}`)
	heardOwn(`{"op":"ok","id":2,` + room + `,"data":{"count":2,"members":[` + both + `]}}`)

	a.say(`{"op":"publish",` + room + `,"data":"hello"}`)
	for _, s := range []*speaker{a, b} {
		s.hear(`{"op":"message",` + room + `,"data":"hello"}`)
	}

	b.ask(`{"op":"leave","id":3,`+room+`}`, `{"op":"ok","id":3,`+room+`}`)
	a.hear(`{"op":"leave",` + room + `,"data":{"conn":"` + b.id + `"}}`)
	b.say(`{"op":"join",` + room + `}`)
	a.hear(`{"op":"join",` + room + `,"data":{"conn":"` + b.id + `"}}`)
	must(t, b.Terminate())
	a.hear(`{"op":"leave",` + room + `,"data":{"conn":"` + b.id + `"}}`)
}

// skips returns hear for one frame before which another may come: whether a member hears of its own coming
// is not defined.
func (s *speaker) skips(maybe string) (hear func(string)) {
	return func(want string) {
		s.t.Helper()
		got := s.next()
		if got == maybe {
			got = s.next()
		}
		if got != want {
			s.t.Fatalf("got  %s\nwant %s", got, want)
		}
	}
}
