package protocol_test

import (
	"bytes"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/gohubkit/hubkit/protocol"
)

var fullMeta = protocol.Meta{
	From: &protocol.Publisher{Conn: "c", User: "u", Info: []byte(`{"n":1}`)}, Time: 1700000000123,
	Tags: map[string]string{"a": "b", "\x01\"": ""}, TraceParent: trace, TraceState: "rojo=1",
}

// eventTests pairs what a server writes with the exact frame and with what a client reads.
var eventTests = []struct {
	name  string
	write func(dst []byte) []byte
	frame string
	want  protocol.Event
}{
	{"welcome", func(dst []byte) []byte {
		return protocol.AppendWelcome(dst, protocol.Welcome{
			ID: 1, Conn: "c", Node: "n", Session: "s", Ping: 25 * time.Second, Ticket: "t", Data: []byte(`{"user":"u"}`),
		})
	}, `{"op":"welcome","id":1,"conn":"c","node":"n","session":"s","ping_ms":25000,"ticket":"t","data":{"user":"u"}}`,
		protocol.Event{Op: protocol.OpWelcome, ID: 1, Conn: []byte("c"), Node: []byte("n"), Session: []byte("s"),
			Ping: 25 * time.Second, Ticket: []byte("t"), Data: []byte(`{"user":"u"}`)}},
	{"welcome with limits", func(dst []byte) []byte {
		return protocol.AppendWelcome(dst, protocol.Welcome{
			Conn: "c", Limits: protocol.Limits{Message: 65536, Rate: 100, Burst: 200, Rooms: 128}, Data: []byte(`1`),
		})
	}, `{"op":"welcome","conn":"c","limits":{"message":65536,"rate":100,"burst":200,"rooms":128},"data":1}`,
		protocol.Event{Op: protocol.OpWelcome, Conn: []byte("c"), Data: []byte(`1`),
			Limits: protocol.Limits{Message: 65536, Rate: 100, Burst: 200, Rooms: 128}}},
	{"welcome with odd limits", func(dst []byte) []byte {
		return protocol.AppendWelcome(dst, protocol.Welcome{
			Conn: "c", Limits: protocol.Limits{Rate: 0.5, Burst: 1, ByteRate: 1000, ByteBurst: 2000},
		})
	}, `{"op":"welcome","conn":"c","limits":{"rate":0.5,"burst":1,"byte_rate":1000,"byte_burst":2000}}`,
		protocol.Event{Op: protocol.OpWelcome, Conn: []byte("c"),
			Limits: protocol.Limits{Rate: 0.5, Burst: 1, ByteRate: 1000, ByteBurst: 2000}}},
	{"small welcome", func(dst []byte) []byte {
		return protocol.AppendWelcome(dst, protocol.Welcome{Conn: "c", Node: "n", Session: "s"})
	}, `{"op":"welcome","conn":"c","node":"n","session":"s"}`,
		protocol.Event{Op: protocol.OpWelcome, Conn: []byte("c"), Node: []byte("n"), Session: []byte("s")}},
	{"ok", func(dst []byte) []byte { return protocol.AppendOK(dst, protocol.OK{ID: protocol.MaxID}) },
		`{"op":"ok","id":9007199254740991}`, protocol.Event{Op: protocol.OpOK, ID: protocol.MaxID}},
	{"ok with all", func(dst []byte) []byte {
		return protocol.AppendOK(dst, protocol.OK{ID: 2, Room: "r", Epoch: "e", Offset: 5, Data: []byte("[]")})
	}, `{"op":"ok","id":2,"room":"r","epoch":"e","offset":5,"data":[]}`,
		protocol.Event{Op: protocol.OpOK, ID: 2, Room: []byte("r"), Position: pos("e", 5), Data: []byte("[]")}},
	{"ok in an empty room with history", func(dst []byte) []byte {
		return protocol.AppendOK(dst, protocol.OK{Room: "r", Epoch: "e"})
	}, `{"op":"ok","room":"r","epoch":"e","offset":0}`,
		protocol.Event{Op: protocol.OpOK, Room: []byte("r"), Position: pos("e", 0)}},
	{"error", func(dst []byte) []byte {
		return protocol.AppendError(dst, 3, "r", &protocol.Error{Code: protocol.CodeBusy, Message: "m", RetryAfter: time.Second})
	}, `{"op":"error","id":3,"room":"r","code":"busy","message":"m","retry_after_ms":1000}`,
		protocol.Event{Op: protocol.OpError, ID: 3, Room: []byte("r"), Code: []byte("busy"), Message: []byte("m"), RetryAfter: time.Second}},
	{"small error", func(dst []byte) []byte {
		return protocol.AppendError(dst, 0, "", &protocol.Error{Code: protocol.CodeInternal})
	}, `{"op":"error","code":"internal","message":""}`,
		protocol.Event{Op: protocol.OpError, Code: []byte("internal"), Message: []byte{}}},
	{"message", func(dst []byte) []byte { return protocol.AppendMessage(dst, "r", []byte(`{"a":1}`), "", 0) },
		`{"op":"message","room":"r","data":{"a":1}}`,
		protocol.Event{Op: protocol.OpMessage, Room: []byte("r"), Data: []byte(`{"a":1}`)}},
	{"message with a position", func(dst []byte) []byte {
		return protocol.AppendMessage(dst, "r", []byte("1"), "e", protocol.MaxOffset)
	}, `{"op":"message","room":"r","epoch":"e","offset":9007199254740991,"data":1}`,
		protocol.Event{Op: protocol.OpMessage, Room: []byte("r"), Position: pos("e", protocol.MaxOffset), Data: []byte("1")}},
	{"message to a connection", func(dst []byte) []byte { return protocol.AppendMessage(dst, "", nil, "", 0) },
		`{"op":"message","data":null}`, protocol.Event{Op: protocol.OpMessage, Data: []byte("null")}},
	{"empty data", func(dst []byte) []byte { return protocol.AppendMessage(dst, "r", []byte{}, "", 0) },
		`{"op":"message","room":"r","data":null}`,
		protocol.Event{Op: protocol.OpMessage, Room: []byte("r"), Data: []byte("null")}},
	{"join", func(dst []byte) []byte {
		return protocol.AppendJoin(dst, "r", protocol.Member{Conn: "c", User: "u", Info: []byte(`{"n":1}`)})
	}, `{"op":"join","room":"r","data":{"conn":"c","user":"u","info":{"n":1}}}`,
		protocol.Event{Op: protocol.OpJoin, Room: []byte("r"), Data: []byte(`{"conn":"c","user":"u","info":{"n":1}}`)}},
	{"leave", func(dst []byte) []byte { return protocol.AppendLeave(dst, "r", protocol.Member{Conn: "c"}) },
		`{"op":"leave","room":"r","data":{"conn":"c"}}`,
		protocol.Event{Op: protocol.OpLeave, Room: []byte("r"), Data: []byte(`{"conn":"c"}`)}},
	{"gap", func(dst []byte) []byte { return protocol.AppendGap(dst, "r", "e", 9) },
		`{"op":"gap","room":"r","epoch":"e","offset":9}`,
		protocol.Event{Op: protocol.OpGap, Room: []byte("r"), Position: pos("e", 9)}},
	{"skip", func(dst []byte) []byte { return protocol.AppendSkip(dst, "r", "e", 9) },
		`{"op":"skip","room":"r","epoch":"e","offset":9}`,
		protocol.Event{Op: protocol.OpSkip, Room: []byte("r"), Position: pos("e", 9)}},
	{"message with all that it can carry", func(dst []byte) []byte {
		return protocol.AppendMessageWith(dst, "r", []byte("1"), "e", 9, &fullMeta)
	}, `{"op":"message","room":"r","epoch":"e","offset":9,"from":{"conn":"c","user":"u","info":{"n":1}},"time":1700000000123,"tags":{"\u0001\"":"","a":"b"},` +
		`"traceparent":"` + trace + `","tracestate":"rojo=1","data":1}`,
		protocol.Event{Op: protocol.OpMessage, Room: []byte("r"), Position: pos("e", 9), Data: []byte("1"),
			From: []byte(`{"conn":"c","user":"u","info":{"n":1}}`), Time: 1700000000123, Tags: []byte(`{"\u0001\"":"","a":"b"}`),
			TraceParent: []byte(trace), TraceState: []byte("rojo=1")}},
	{"message that carries nothing", func(dst []byte) []byte { return protocol.AppendMessageWith(dst, "r", nil, "", 0, &protocol.Meta{}) },
		`{"op":"message","room":"r","data":null}`,
		protocol.Event{Op: protocol.OpMessage, Room: []byte("r"), Data: []byte("null")}},
	{"message without a meta", func(dst []byte) []byte { return protocol.AppendMessageWith(dst, "r", []byte("1"), "e", 1, nil) },
		`{"op":"message","room":"r","epoch":"e","offset":1,"data":1}`,
		protocol.Event{Op: protocol.OpMessage, Room: []byte("r"), Position: pos("e", 1), Data: []byte("1")}},
	{"message of somebody of whom nothing is shown", func(dst []byte) []byte {
		return protocol.AppendMessageWith(dst, "r", []byte("1"), "", 0, &protocol.Meta{From: &protocol.Publisher{}})
	}, `{"op":"message","room":"r","from":{},"data":1}`,
		protocol.Event{Op: protocol.OpMessage, Room: []byte("r"), From: []byte("{}"), Data: []byte("1")}},
	{"welcome of an identity that expires", func(dst []byte) []byte {
		return protocol.AppendWelcome(dst, protocol.Welcome{Conn: "c", Expires: time.Hour, Data: []byte("1")})
	}, `{"op":"welcome","conn":"c","expires_ms":3600000,"data":1}`,
		protocol.Event{Op: protocol.OpWelcome, Conn: []byte("c"), Expires: time.Hour, Data: []byte("1")}},
	{"ok to a token", func(dst []byte) []byte { return protocol.AppendOK(dst, protocol.OK{ID: 9, Expires: 1}) },
		`{"op":"ok","id":9,"expires_ms":1}`, protocol.Event{Op: protocol.OpOK, ID: 9, Expires: time.Millisecond}},
	{"ok to a join for a while, to read only", func(dst []byte) []byte {
		return protocol.AppendOK(dst, protocol.OK{ID: 2, Room: "r", Epoch: "e", Offset: 5, Expires: time.Minute, ReadOnly: true})
	}, `{"op":"ok","id":2,"room":"r","epoch":"e","offset":5,"expires_ms":60000,"read_only":true}`,
		protocol.Event{Op: protocol.OpOK, ID: 2, Room: []byte("r"), Position: pos("e", 5), Expires: time.Minute, ReadOnly: true}},
	{"joined", func(dst []byte) []byte {
		return protocol.AppendJoined(dst, protocol.OK{ID: 1, Room: "r", Epoch: "e", Offset: 41, Data: []byte("1")})
	}, `{"op":"joined","room":"r","epoch":"e","offset":41}`,
		protocol.Event{Op: protocol.OpJoined, Room: []byte("r"), Position: pos("e", 41)}},
	{"joined for a while, to read only", func(dst []byte) []byte {
		return protocol.AppendJoined(dst, protocol.OK{Room: "r", Expires: time.Minute, ReadOnly: true})
	}, `{"op":"joined","room":"r","expires_ms":60000,"read_only":true}`,
		protocol.Event{Op: protocol.OpJoined, Room: []byte("r"), Expires: time.Minute, ReadOnly: true}},
	{"left", func(dst []byte) []byte {
		return protocol.AppendLeft(dst, "r", &protocol.Error{Code: protocol.CodeRemoved, Message: "m"})
	}, `{"op":"left","room":"r","code":"removed","message":"m"}`,
		protocol.Event{Op: protocol.OpLeft, Room: []byte("r"), Code: []byte("removed"), Message: []byte("m")}},
	{"left for now", func(dst []byte) []byte {
		return protocol.AppendLeft(dst, "r", &protocol.Error{Code: protocol.CodeUnavailable, RetryAfter: time.Second})
	}, `{"op":"left","room":"r","code":"unavailable","retry_after_ms":1000}`,
		protocol.Event{Op: protocol.OpLeft, Room: []byte("r"), Code: []byte("unavailable"), RetryAfter: time.Second}},
	{"refresh", func(dst []byte) []byte { return protocol.AppendRefresh(dst, "", 30*time.Second) },
		`{"op":"refresh","expires_ms":30000}`, protocol.Event{Op: protocol.OpRefresh, Expires: 30 * time.Second}},
	{"refresh of a room", func(dst []byte) []byte { return protocol.AppendRefresh(dst, "r", 0) },
		`{"op":"refresh","room":"r"}`, protocol.Event{Op: protocol.OpRefresh, Room: []byte("r")}},
	{"stale", protocol.AppendStale, `{"op":"stale"}`, protocol.Event{Op: protocol.OpStale}},
	{"live", protocol.AppendLive, `{"op":"live"}`, protocol.Event{Op: protocol.OpLive}},
	{"goaway", func(dst []byte) []byte {
		return protocol.AppendGoAway(dst, protocol.Hint{RetryAfter: time.Second, Spread: 2 * time.Second, Reason: "deploy"})
	}, `{"op":"goaway","retry_after_ms":1000,"spread_ms":2000,"message":"deploy"}`,
		protocol.Event{Op: protocol.OpGoAway, RetryAfter: time.Second, Spread: 2 * time.Second, Message: []byte("deploy")}},
	{"goaway at once", func(dst []byte) []byte { return protocol.AppendGoAway(dst, protocol.Hint{}) },
		`{"op":"goaway"}`, protocol.Event{Op: protocol.OpGoAway}},
	{"escapes", func(dst []byte) []byte {
		return protocol.AppendGap(dst, "a\"\\/\b\n\r\t\x1f\x7f\u2028é😀\xff", "e", 0)
	},
		"{\"op\":\"gap\",\"room\":\"a\\\"\\\\/\\u0008\\n\\r\\t\\u001f\x7f\u2028é😀\ufffd\",\"epoch\":\"e\",\"offset\":0}",
		protocol.Event{Op: protocol.OpGap, Room: []byte("a\"\\/\b\n\r\t\x1f\x7f\u2028é😀\ufffd"), Position: pos("e", 0)}},
}

func TestEvents(t *testing.T) {
	var reused protocol.Event
	for _, tt := range eventTests {
		t.Run(tt.name, func(t *testing.T) {
			frame := string(tt.write([]byte("before")))
			if frame != "before"+tt.frame {
				t.Fatalf("wrote %s\nwant before%s", frame, tt.frame)
			}
			var fresh protocol.Event
			for _, e := range []*protocol.Event{&fresh, &reused} {
				if err := e.Decode([]byte(tt.frame)); err != nil {
					t.Fatalf("Decode = %v", err)
				}
				if got := visible(*e); !reflect.DeepEqual(got, tt.want) {
					t.Errorf("got  %+v\nwant %+v", got, tt.want)
				}
			}
		})
	}
}

func visible(e protocol.Event) protocol.Event {
	return protocol.Event{
		Op: e.Op, ID: e.ID, Room: e.Room, Position: e.Position, Data: e.Data, Conn: e.Conn, Node: e.Node,
		Session: e.Session, Ping: e.Ping, Ticket: e.Ticket, Limits: e.Limits, Code: e.Code, Message: e.Message, RetryAfter: e.RetryAfter, Spread: e.Spread,
		Expires: e.Expires, ReadOnly: e.ReadOnly, From: e.From, Tags: e.Tags, Time: e.Time, TraceParent: e.TraceParent, TraceState: e.TraceState,
	}
}

func TestEventDecode(t *testing.T) {
	for _, tt := range []struct {
		name string
		in   string
		want protocol.Event
		msg  string // of the error, if one is wanted
	}{
		{"op of a later version", `{"op":"trace","id":"x"}`, protocol.Event{}, ""},
		{"op of a client", `{"op":"publish","room":5}`, protocol.Event{}, ""},
		{"unknown and foreign fields", `{"x":{},"op":"stale","room":5}`, protocol.Event{Op: protocol.OpStale}, ""},
		{"absurd delay", `{"op":"goaway","retry_after_ms":99999999999999999999999,"spread_ms":86400001}`,
			protocol.Event{Op: protocol.OpGoAway, RetryAfter: protocol.MaxDelay, Spread: protocol.MaxDelay}, ""},
		{"an identity that is valid for weeks", `{"op":"welcome","expires_ms":2592000000}`,
			protocol.Event{Op: protocol.OpWelcome, Expires: protocol.MaxDelay}, ""},
		{"a right to write too", `{"op":"joined","room":"r","read_only":false}`, protocol.Event{Op: protocol.OpJoined, Room: []byte("r")}, ""},
		{"read_only a string", `{"op":"joined","read_only":"true"}`, protocol.Event{}, "read_only must be true or false"},
		{"expires_ms negative", `{"op":"refresh","expires_ms":-1}`, protocol.Event{}, "expires_ms must be an integer of at least 0"},
		{"limits of a later version", `{"op":"welcome","limits":{"x":{"rate":[1]},"burst":99999999999999999999,"rooms" : 7 , "rate":1e2}}`,
			protocol.Event{Op: protocol.OpWelcome, Limits: protocol.Limits{Rate: 100, Burst: math.MaxInt32, Rooms: 7}}, ""},
		{"no limits", `{"op":"welcome","limits":{}}`, protocol.Event{Op: protocol.OpWelcome}, ""},
		{"null for limits", `{"op":"welcome","limits":null}`, protocol.Event{Op: protocol.OpWelcome}, ""},
		{"limits a number", `{"op":"welcome","limits":1}`, protocol.Event{}, "limits must be an object"},
		{"negative limit", `{"op":"welcome","limits":{"rooms":-1}}`, protocol.Event{}, "rooms must be an integer of at least 0"},
		{"negative rate", `{"op":"welcome","limits":{"rate":-1}}`, protocol.Event{}, "rate must be a number of at least 0"},
		{"data as deep as a presence list makes it", `{"op":"ok","data":` + nest("[", "", "]", 67) + `}`,
			protocol.Event{Op: protocol.OpOK, Data: []byte(nest("[", "", "]", 67))}, ""},
		{"deeper data", `{"op":"ok","data":` + nest("[", "", "]", 68) + `}`, protocol.Event{}, "nested deeper than 67 levels at byte 85"},
		{"tags of a later version, and more of them", `{"op":"message","tags":` + tags(30, 70, 300) + `}`,
			protocol.Event{Op: protocol.OpMessage, Tags: []byte(tags(30, 70, 300))}, ""},
		{"from a string", `{"op":"message","from":"ada"}`, protocol.Event{}, "from must be an object"},
		{"time negative", `{"op":"message","time":-1}`, protocol.Event{}, "time must be an integer of at least 0"},
		{"tags of numbers", `{"op":"message","tags":{"a":1}}`, protocol.Event{}, "the value of a tag must be a string"},
		{"not an object", `[]`, protocol.Event{}, "the frame is not a JSON object"},
		{"no op", `{"room":"r"}`, protocol.Event{}, "op is missing"},
		{"cut", `{"op":"ok"`, protocol.Event{}, "invalid JSON at byte 10"},
		{"negative delay", `{"op":"goaway","spread_ms":-1}`, protocol.Event{}, "spread_ms must be an integer of at least 0"},
		{"room a number", `{"op":"message","room":1}`, protocol.Event{}, "room must be a string"},
		{"invalid UTF-8", "{\"op\":\"message\",\"data\":\"\xff\"}", protocol.Event{}, "invalid UTF-8"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var e protocol.Event
			err := e.Decode([]byte(tt.in))
			if tt.msg != "" {
				var pe *protocol.Error
				if !errors.As(err, &pe) || pe.Code != protocol.CodeBadRequest || pe.Message != tt.msg {
					t.Errorf("Decode = %v, want bad_request: %s", err, tt.msg)
				}
				return
			}
			if got := visible(e); err != nil || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %+v, %v\nwant %+v", got, err, tt.want)
			}
		})
	}
}

func TestEventErrAndHint(t *testing.T) {
	var e protocol.Event
	frame := []byte(`{"op":"error","code":"busy","message":"later","retry_after_ms":1}`)
	if err := e.Decode(frame); err != nil {
		t.Fatal(err)
	}
	err := e.Err()
	clear(frame)
	want := protocol.Error{Code: protocol.CodeBusy, Message: "later", RetryAfter: time.Millisecond}
	if got, ok := errors.AsType[*protocol.Error](err); !ok || *got != want {
		t.Errorf("Err() = %#v, want %#v", err, want)
	}
	if h := e.Hint(); h != (protocol.Hint{}) {
		t.Errorf("an error frame has the hint %+v", h)
	}
	if err := e.Decode([]byte(`{"op":"left","room":"r","code":"removed","message":"m"}`)); err != nil {
		t.Fatal(err)
	}
	if got, ok := errors.AsType[*protocol.Error](e.Err()); !ok || *got != (protocol.Error{Code: protocol.CodeRemoved, Message: "m"}) {
		t.Errorf("Err() of left = %#v", got)
	}

	frame = []byte(`{"op":"goaway","message":"deploy","spread_ms":1}`)
	if err := e.Decode(frame); err != nil {
		t.Fatal(err)
	}
	h := e.Hint()
	clear(frame)
	if want := (protocol.Hint{Spread: time.Millisecond, Reason: "deploy"}); h != want {
		t.Errorf("Hint() = %+v, want %+v", h, want)
	}
	if err := e.Err(); err != nil {
		t.Errorf("a goaway frame has the error %v", err)
	}
}

func FuzzEvent(f *testing.F) {
	for _, tt := range eventTests {
		f.Add([]byte(tt.frame))
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		var e protocol.Event
		if err := e.Decode(frame); err != nil {
			return
		}
		o := readObject(frame)
		if o.raw == nil || !utf8.Valid(frame) {
			t.Fatalf("accepted %q", frame)
		}
		if e.Op == protocol.OpUnknown {
			return
		}
		if op := string(o.text("op")); op != e.Op.String() {
			t.Fatalf("%q read as %s", frame, e.Op)
		}
		if e.Room != nil && !bytes.Equal(e.Room, o.text("room")) {
			t.Fatalf("%q: room %q", frame, e.Room)
		}
		if e.Data != nil && (string(e.Data) != string(o.raw["data"]) || depth(e.Data) > protocol.MaxDepth+3) {
			t.Fatalf("%q: data %q", frame, e.Data)
		}
		if !e.Position.IsZero() && !reflect.DeepEqual(e.Position, o.position()) {
			t.Fatalf("%q: position %+v", frame, e.Position)
		}
		if e.ID != 0 && e.ID != o.integer("id", protocol.MaxID) {
			t.Fatalf("%q: id %d", frame, e.ID)
		}
	})
}

// What a server writes of any strings, a client reads as those strings.
func FuzzRoundTrip(f *testing.F) {
	f.Add("room", "epoch", uint64(7), "text")
	f.Add("a\"\\\x00", "\xff\u2028", uint64(0), "é\xed\xa0\x80")
	f.Fuzz(func(t *testing.T, room, epoch string, offset uint64, text string) {
		offset &= protocol.MaxOffset
		clean := func(s string) string { return string([]rune(s)) }
		var e protocol.Event
		read := func(frame []byte) {
			t.Helper()
			if err := e.Decode(frame); err != nil {
				t.Fatalf("%q: %v", frame, err)
			}
			if string(e.Room) != clean(room) {
				t.Fatalf("%q: room %q", frame, e.Room)
			}
		}
		position := func() {
			t.Helper()
			want := protocol.Position{}
			if epoch != "" {
				want = pos(clean(epoch), offset)
			}
			if !reflect.DeepEqual(e.Position, want) {
				t.Fatalf("position %+v, want %+v", e.Position, want)
			}
		}
		data := protocol.AppendPresence(nil, protocol.Presence{Count: 1, Members: []protocol.Member{{Conn: text}}})
		read(protocol.AppendMessage(nil, room, data, epoch, offset))
		position()
		if p, err := protocol.ParsePresence(e.Data); err != nil || p.Members[0].Conn != clean(text) {
			t.Fatalf("presence %+v, %v", p, err)
		}
		read(protocol.AppendGap(nil, room, epoch, offset))
		position()
		read(protocol.AppendOK(nil, protocol.OK{Room: room, Epoch: epoch, Offset: offset, Data: data}))
		position()
		read(protocol.AppendJoined(nil, protocol.OK{Room: room, Epoch: epoch, Offset: offset}))
		position()
		page := protocol.AppendHistory(nil, protocol.History{Messages: []protocol.HistoryMessage{{Offset: offset, Data: data}}})
		read(protocol.AppendOK(nil, protocol.OK{Room: room, Data: page}))
		if h, err := protocol.ParseHistory(e.Data); err != nil || h.Messages[0].Offset != offset || string(h.Messages[0].Data) != string(data) {
			t.Fatalf("history %+v, %v", h, err)
		}
		read(protocol.AppendLeft(nil, room, &protocol.Error{Code: protocol.CodeRemoved, Message: text}))
		read(protocol.AppendRefresh(nil, room, time.Second))
		read(protocol.AppendError(nil, 1, room, &protocol.Error{Code: "x", Message: strings.Repeat(text, 2)}))
		if got := string(e.Message); got != clean(strings.Repeat(text, 2)) && utf8.ValidString(text) {
			t.Fatalf("message %q", got)
		}
		read(protocol.AppendJoin(nil, room, protocol.Member{Conn: "c", User: text}))
		if m, err := protocol.ParseMember(e.Data); err != nil || m.User != clean(text) {
			t.Fatalf("member %+v, %v", m, err)
		}
	})
}
