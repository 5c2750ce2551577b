package protocol_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"unsafe"

	"github.com/gohubkit/hubkit/protocol"
)

func pos(epoch string, offset uint64) protocol.Position {
	return protocol.Position{Epoch: []byte(epoch), Offset: offset}
}

const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

// tags are so many, with keys and values of so many bytes.
func tags(n, key, value int) string {
	all := make(map[string]string)
	for i := range n {
		all[strings.Repeat(string(rune('a'+i)), key)] = strings.Repeat("v", value)
	}
	return string(protocol.AppendTags(nil, all))
}

var requestTests = []struct {
	name string
	in   string
	want protocol.Request
}{
	{"hello", `{"op":"hello"}`, protocol.Request{Op: protocol.OpHello}},
	{"hello with all", `{"op":"hello","id":1,"token":"t","session":"s","resume":[{"room":"a","offset":7,"epoch":"e"}, {"room":"b"} ]}`,
		protocol.Request{Op: protocol.OpHello, ID: 1, Token: []byte("t"), Session: []byte("s"), Resume: []protocol.Resume{
			{Room: []byte("a"), Position: pos("e", 7)}, {Room: []byte("b")},
		}}},
	{"hello, nothing to resume", `{"op":"hello","resume":[ ]}`, protocol.Request{Op: protocol.OpHello}},
	{"join", `{"op":"join","id":2,"room":"a"}`, protocol.Request{Op: protocol.OpJoin, ID: 2, Room: []byte("a")}},
	{"join from a position", `{"op":"join","room":"a","offset":9007199254740991,"epoch":"e"}`,
		protocol.Request{Op: protocol.OpJoin, Room: []byte("a"), Position: pos("e", protocol.MaxOffset)}},
	{"join from the start", `{"op":"join","room":"a","epoch":"e"}`,
		protocol.Request{Op: protocol.OpJoin, Room: []byte("a"), Position: pos("e", 0)}},
	{"join, zero position", `{"op":"join","room":"a","epoch":"","offset":0}`, protocol.Request{Op: protocol.OpJoin, Room: []byte("a")}},
	{"join with history", `{"op":"join","room":"a","history":2147483647}`,
		protocol.Request{Op: protocol.OpJoin, Room: []byte("a"), History: protocol.MaxHistory}},
	{"leave", `{"op":"leave","id":3,"room":"a"}`, protocol.Request{Op: protocol.OpLeave, ID: 3, Room: []byte("a")}},
	{"publish", `{"op":"publish","id":4,"room":"a","data":{"x":[1]},"key":"k"}`,
		protocol.Request{Op: protocol.OpPublish, ID: 4, Room: []byte("a"), Data: []byte(`{"x":[1]}`), IdempotencyKey: []byte("k")}},
	{"publish null", `{"op":"publish","room":"a","data":null}`,
		protocol.Request{Op: protocol.OpPublish, Room: []byte("a"), Data: []byte("null")}},
	{"publish with all", `{"op":"publish","room":"a","data":1,"tags":{"kind":"x","ke\u0079":"\ud83d\ude00", "e":""},"traceparent":"` + trace + `","tracestate":"rojo=1,,congo=t61 ","echo":false}`,
		protocol.Request{Op: protocol.OpPublish, Room: []byte("a"), Data: []byte("1"), Tags: []byte(`{"kind":"x","ke\u0079":"\ud83d\ude00", "e":""}`),
			TraceParent: []byte(trace), TraceState: []byte("rojo=1,,congo=t61 "), NoEcho: true}},
	{"publish with none of it", `{"op":"publish","room":"a","data":1,"tags":null,"traceparent":null,"tracestate":null,"echo":true}`,
		protocol.Request{Op: protocol.OpPublish, Room: []byte("a"), Data: []byte("1")}},
	{"publish with the most tags", `{"op":"publish","room":"a","data":1,"tags":` + tags(16, 64, 256) + `}`,
		protocol.Request{Op: protocol.OpPublish, Room: []byte("a"), Data: []byte("1"), Tags: []byte(tags(16, 64, 256))}},
	{"publish with no tags", `{"op":"publish","room":"a","data":1,"tags":{}}`,
		protocol.Request{Op: protocol.OpPublish, Room: []byte("a"), Data: []byte("1"), Tags: []byte("{}")}},
	{"publish in a trace of a later version", `{"op":"publish","room":"a","data":1,"traceparent":"01` + trace[2:] + `-what"}`,
		protocol.Request{Op: protocol.OpPublish, Room: []byte("a"), Data: []byte("1"), TraceParent: []byte("01" + trace[2:] + "-what")}},
	{"call", `{"op":"call","id":5,"method":"m","data":"x"}`,
		protocol.Request{Op: protocol.OpCall, ID: 5, Method: []byte("m"), Data: []byte(`"x"`)}},
	{"call without data", `{"op":"call","id":5,"method":"m"}`, protocol.Request{Op: protocol.OpCall, ID: 5, Method: []byte("m")}},
	{"send", `{"op":"send","data":true}`, protocol.Request{Op: protocol.OpSend, Data: []byte("true")}},
	{"presence", `{"op":"presence","id":6,"room":"a"}`, protocol.Request{Op: protocol.OpPresence, ID: 6, Room: []byte("a")}},
	{"presence, the count", `{"op":"presence","id":6,"room":"a","count":true}`,
		protocol.Request{Op: protocol.OpPresence, ID: 6, Room: []byte("a"), Count: true}},
	{"presence, the next page", `{"op":"presence","id":6,"room":"a","after":"c7","limit":2,"count":false}`,
		protocol.Request{Op: protocol.OpPresence, ID: 6, Room: []byte("a"), After: []byte("c7"), Limit: 2}},
	{"token", `{"op":"token","id":9,"token":"t"}`, protocol.Request{Op: protocol.OpToken, ID: 9, Token: []byte("t")}},
	{"token of a room", `{"op":"token","id":9,"token":"","room":"a"}`,
		protocol.Request{Op: protocol.OpToken, ID: 9, Token: []byte{}, Room: []byte("a")}},
	{"history", `{"op":"history","id":10,"room":"a"}`, protocol.Request{Op: protocol.OpHistory, ID: 10, Room: []byte("a")}},
	{"history before a position", `{"op":"history","id":10,"room":"a","epoch":"e","offset":7,"limit":1000,"reverse":true}`,
		protocol.Request{Op: protocol.OpHistory, ID: 10, Room: []byte("a"), Position: pos("e", 7), Limit: 1000, Reverse: true}},
	{"history, more than a page", `{"op":"history","id":10,"room":"a","limit":99999999999999999999,"reverse":false}`,
		protocol.Request{Op: protocol.OpHistory, ID: 10, Room: []byte("a"), Limit: protocol.MaxPage}},
	{"hello with a room that the server joined", `{"op":"hello","resume":[{"room":"a","joined":true,"epoch":"e"},{"room":"b","joined":false}]}`,
		protocol.Request{Op: protocol.OpHello, Resume: []protocol.Resume{
			{Room: []byte("a"), Position: pos("e", 0), Joined: true}, {Room: []byte("b")},
		}}},
	{"ping", `{"op":"ping","id":9007199254740991}`, protocol.Request{Op: protocol.OpPing, ID: protocol.MaxID}},

	{"id zero", `{"op":"ping","id":0}`, protocol.Request{Op: protocol.OpPing}},
	{"op last", `{"data":1,"id":7,"op":"send"}`, protocol.Request{Op: protocol.OpSend, ID: 7, Data: []byte("1")}},
	{"space", " {\t\"op\" :\n\"send\" , \"data\" : [ 1 ] \r}\n", protocol.Request{Op: protocol.OpSend, Data: []byte("[ 1 ]")}},
	{"unknown fields", `{"v":2,"op":"ping","x":{"id":9},"":[]}`, protocol.Request{Op: protocol.OpPing}},
	{"fields of other ops", `{"op":"ping","room":5,"resume":false,"history":-1}`, protocol.Request{Op: protocol.OpPing}},
	{"names are exact", `{"op":"ping","ID":5,"Op":"join"}`, protocol.Request{Op: protocol.OpPing}},
	{"last of two wins", `{"op":"join","room":5,"id":1,"room":"b","id":2}`, protocol.Request{Op: protocol.OpJoin, ID: 2, Room: []byte("b")}},
	{"null is absent", `{"op":"join","room":"a","id":null,"epoch":null,"offset":null,"history":null}`,
		protocol.Request{Op: protocol.OpJoin, Room: []byte("a")}},
	{"empty room", `{"op":"join","room":""}`, protocol.Request{Op: protocol.OpJoin, Room: []byte("")}},
	{"UTF-8", `{"op":"join","room":"büro/東京"}`, protocol.Request{Op: protocol.OpJoin, Room: []byte("büro/東京")}},
	{"escapes", `{"\u006fp":"\u006aoin","room":"a\"\\\/\b\f\n\r\té\ud83d\ude00z","epoch":"\u0065"}`,
		protocol.Request{Op: protocol.OpJoin, Room: []byte("a\"\\/\b\f\n\r\té😀z"), Position: pos("e", 0)}},
	{"lone surrogates", `{"op":"join","room":"\ud800x\udc00\ud800\u0041\ud800\ud800"}`,
		protocol.Request{Op: protocol.OpJoin, Room: []byte("\ufffdx\ufffd\ufffdA\ufffd\ufffd")}},
	{"longest key", `{"op":"publish","room":"a","data":1,"key":"` + strings.Repeat("k", 128) + `"}`,
		protocol.Request{Op: protocol.OpPublish, Room: []byte("a"), Data: []byte("1"), IdempotencyKey: []byte(strings.Repeat("k", 128))}},
	{"deepest data", `{"op":"send","data":` + nest("[", "", "]", 64) + `}`,
		protocol.Request{Op: protocol.OpSend, Data: []byte(nest("[", "", "]", 64))}},
}

func TestRequestDecode(t *testing.T) {
	for _, tt := range requestTests {
		t.Run(tt.name, func(t *testing.T) {
			var q protocol.Request
			if err := q.Decode([]byte(tt.in)); err != nil {
				t.Fatalf("Decode = %v", err)
			}
			if got := public(q); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got  %+v\nwant %+v", got, tt.want)
			}
		})
	}
}

// public is q as a user sees it, with an empty Resume made nil.
func public(q protocol.Request) protocol.Request {
	out := protocol.Request{
		Op: q.Op, ID: q.ID, Room: q.Room, Position: q.Position, History: q.History, IdempotencyKey: q.IdempotencyKey,
		Method: q.Method, Token: q.Token, Session: q.Session, Data: q.Data,
		Limit: q.Limit, Reverse: q.Reverse, Count: q.Count, After: q.After,
		Tags: q.Tags, TraceParent: q.TraceParent, TraceState: q.TraceState, NoEcho: q.NoEcho,
	}
	if len(q.Resume) > 0 {
		out.Resume = q.Resume
	}
	return out
}

// publishing is a publish with a field more.
func publishing(field string) string { return `{"op":"publish","room":"a","data":1,` + field + `}` }

func TestRequestDecodeErrors(t *testing.T) {
	const bad, unknown = protocol.CodeBadRequest, protocol.CodeUnknownOp
	for _, tt := range []struct {
		name string
		in   string
		code protocol.ErrorCode
		op   protocol.Op
		id   uint64
		msg  string
	}{
		{"empty", "", bad, 0, 0, "the frame is not a JSON object"},
		{"array", `[{"op":"ping"}]`, bad, 0, 0, "the frame is not a JSON object"},
		{"null", "null", bad, 0, 0, "the frame is not a JSON object"},
		{"cut", `{"op":"ping","id":7,"roo`, bad, protocol.OpPing, 7, "invalid JSON at byte 24"},
		{"cut after comma", `{"op":"ping",`, bad, protocol.OpPing, 0, "invalid JSON at byte 13"},
		{"no key", `{"id":1,5:6}`, bad, 0, 1, "invalid JSON at byte 8"},
		{"no colon", `{"id" 1}`, bad, 0, 0, "invalid JSON at byte 6"},
		{"no comma", `{"id":1 "op":2}`, bad, 0, 1, "invalid JSON at byte 8"},
		{"two frames", `{"id":1}{"id":2}`, bad, 0, 1, "invalid JSON at byte 8"},
		{"broken data", `{"op":"send","id":1,"data":[1,}`, bad, protocol.OpSend, 1, "invalid JSON at byte 30"},
		{"too deep", `{"id":1,"op":"send","data":` + nest("[", "", "]", 65) + `}`, bad, protocol.OpSend, 1, "nested deeper than 64 levels at byte 91"},
		{"too deep in an unknown field", `{"id":1,"x":` + nest("[", "", "]", 65) + `}`, bad, 0, 1, "nested deeper than 64 levels at byte 76"},
		{"invalid UTF-8", "{\"op\":\"join\",\"id\":1,\"room\":\"a\xff\"}", bad, protocol.OpJoin, 1, "invalid UTF-8"},
		{"invalid UTF-8 in an unknown field", "{\"op\":\"ping\",\"x\":\"\xc0\x80\"}", bad, protocol.OpPing, 0, "invalid UTF-8"},

		{"no op", `{"id":1}`, bad, 0, 1, "op is missing"},
		{"op null", `{"id":1,"op":null}`, bad, 0, 1, "op is missing"},
		{"op a number", `{"op":5,"id":1}`, bad, 0, 1, "op must be a string"},
		{"unknown op", `{"op":"subscribe","id":1}`, unknown, 0, 1, `op "subscribe" is not known`},
		{"op of the server", `{"op":"welcome","id":1}`, unknown, 0, 1, `op "welcome" is not known`},
		{"op in capitals", `{"op":"Ping"}`, unknown, 0, 0, `op "Ping" is not known`},
		{"empty op", `{"op":""}`, unknown, 0, 0, `op "" is not known`},
		{"long op", `{"op":"` + strings.Repeat("é", 40) + `"}`, unknown, 0, 0, `op "` + strings.Repeat("é", 16) + `…" is not known`},
		{"long op, cut in a rune", `{"op":"x` + strings.Repeat("é", 40) + `"}`, unknown, 0, 0, `op "x` + strings.Repeat("é", 15) + `…" is not known`},

		{"id a string", `{"op":"ping","id":"1"}`, bad, protocol.OpPing, 0, "id must be an integer from 0 to 9007199254740991"},
		{"id negative", `{"op":"ping","id":-1}`, bad, protocol.OpPing, 0, "id must be an integer from 0 to 9007199254740991"},
		{"id with fraction", `{"op":"ping","id":1.0}`, bad, protocol.OpPing, 0, "id must be an integer from 0 to 9007199254740991"},
		{"id with exponent", `{"op":"ping","id":1e3}`, bad, protocol.OpPing, 0, "id must be an integer from 0 to 9007199254740991"},
		{"id 2^53", `{"op":"ping","id":9007199254740992}`, bad, protocol.OpPing, 0, "id must be an integer from 0 to 9007199254740991"},
		{"id 2^64+1", `{"op":"ping","id":18446744073709551617}`, bad, protocol.OpPing, 0, "id must be an integer from 0 to 9007199254740991"},
		{"room a number", `{"op":"join","room":5,"id":1}`, bad, protocol.OpJoin, 1, "room must be a string"},
		{"room missing", `{"op":"join","id":1}`, bad, protocol.OpJoin, 1, "room is missing"},
		{"room null", `{"op":"leave","id":1,"room":null}`, bad, protocol.OpLeave, 1, "room is missing"},
		{"offset without epoch", `{"op":"join","room":"a","offset":5}`, bad, protocol.OpJoin, 0, "offset without epoch"},
		{"offset 2^53", `{"op":"join","room":"a","epoch":"e","offset":9007199254740992}`, bad, protocol.OpJoin, 0, "offset must be an integer from 0 to 9007199254740991"},
		{"history negative", `{"op":"join","room":"a","history":-1}`, bad, protocol.OpJoin, 0, "history must be an integer from 0 to 2147483647"},
		{"publish without data", `{"op":"publish","room":"a"}`, bad, protocol.OpPublish, 0, "data is missing"},
		{"publish without room", `{"op":"publish","data":1}`, bad, protocol.OpPublish, 0, "room is missing"},
		{"empty key", `{"op":"publish","room":"a","data":1,"key":""}`, bad, protocol.OpPublish, 0, "key must have 1 to 128 bytes"},
		{"long key", `{"op":"publish","room":"a","data":1,"key":"` + strings.Repeat("k", 129) + `"}`, bad, protocol.OpPublish, 0, "key must have 1 to 128 bytes"},
		{"tags an array", publishing(`"tags":[]`), bad, protocol.OpPublish, 0, "tags must be an object"},
		{"tag a number", publishing(`"tags":{"a":"b","c":1}`), bad, protocol.OpPublish, 0, "the value of a tag must be a string"},
		{"tag null", publishing(`"tags":{"a":null}`), bad, protocol.OpPublish, 0, "the value of a tag must be a string"},
		{"17 tags", publishing(`"tags":` + tags(17, 1, 1)), bad, protocol.OpPublish, 0, "a tag is wrong: there are more than 16"},
		{"tag without a key", publishing(`"tags":{"":"x"}`), bad, protocol.OpPublish, 0, "a tag is wrong: its key must have 1 to 64 bytes"},
		{"long key of a tag", publishing(`"tags":` + tags(1, 65, 0)), bad, protocol.OpPublish, 0, "a tag is wrong: its key must have 1 to 64 bytes"},
		{"long key of a tag, escaped", publishing(`"tags":{"` + strings.Repeat(`\u00e9`, 33) + `":""}`), bad, protocol.OpPublish, 0, "a tag is wrong: its key must have 1 to 64 bytes"},
		{"long value of a tag", publishing(`"tags":` + tags(1, 1, 257)), bad, protocol.OpPublish, 0, "a tag is wrong: its value must have at most 256 bytes"},
		{"control character in a key", publishing(`"tags":{"a\u0000":""}`), bad, protocol.OpPublish, 0, "a tag is wrong: its key must be UTF-8 without control characters"},
		{"traceparent a number", publishing(`"traceparent":1`), bad, protocol.OpPublish, 0, "traceparent must be a string"},
		{"traceparent of nothing", publishing(`"traceparent":""`), bad, protocol.OpPublish, 0, "traceparent is not one of W3C Trace Context"},
		{"tracestate alone", publishing(`"tracestate":"a=b"`), bad, protocol.OpPublish, 0, "traceparent is not one of W3C Trace Context"},
		{"tracestate without a value", publishing(`"traceparent":"` + trace + `","tracestate":"a"`), bad, protocol.OpPublish, 0,
			"tracestate is not one of W3C Trace Context, or has more than 512 bytes"},
		{"echo a number", publishing(`"echo":0`), bad, protocol.OpPublish, 0, "echo must be true or false"},
		{"send without data", `{"op":"send"}`, bad, protocol.OpSend, 0, "data is missing"},
		{"call without id", `{"op":"call","method":"m"}`, bad, protocol.OpCall, 0, "id is missing"},
		{"call with id zero", `{"op":"call","method":"m","id":0}`, bad, protocol.OpCall, 0, "id is missing"},
		{"call without method", `{"op":"call","id":1}`, bad, protocol.OpCall, 1, "method is missing"},
		{"empty method", `{"op":"call","id":1,"method":""}`, bad, protocol.OpCall, 1, "method is empty"},
		{"presence without id", `{"op":"presence","room":"a"}`, bad, protocol.OpPresence, 0, "id is missing"},
		{"count a number", `{"op":"presence","id":1,"room":"a","count":1}`, bad, protocol.OpPresence, 1, "count must be true or false"},
		{"after a number", `{"op":"presence","id":1,"room":"a","after":1}`, bad, protocol.OpPresence, 1, "after must be a string"},
		{"history without id", `{"op":"history","room":"a"}`, bad, protocol.OpHistory, 0, "id is missing"},
		{"history without room", `{"op":"history","id":1}`, bad, protocol.OpHistory, 1, "room is missing"},
		{"history, offset without epoch", `{"op":"history","id":1,"room":"a","offset":1}`, bad, protocol.OpHistory, 1, "offset without epoch"},
		{"limit negative", `{"op":"history","id":1,"room":"a","limit":-1}`, bad, protocol.OpHistory, 1, "limit must be an integer of at least 0"},
		{"reverse null and a string", `{"op":"history","id":1,"room":"a","reverse":null,"reverse":"yes"}`, bad, protocol.OpHistory, 1, "reverse must be true or false"},
		{"token without id", `{"op":"token","token":"t"}`, bad, protocol.OpToken, 0, "id is missing"},
		{"token without token", `{"op":"token","id":1}`, bad, protocol.OpToken, 1, "token is missing"},
		{"token of an empty room", `{"op":"token","id":1,"token":"t","room":""}`, bad, protocol.OpToken, 1, "room is empty"},
		{"joined a string", `{"op":"hello","resume":[{"room":"a","joined":"x"}]}`, bad, protocol.OpHello, 0, "in resume: joined must be true or false"},
		{"token a number", `{"op":"hello","token":1}`, bad, protocol.OpHello, 0, "token must be a string"},
		{"resume an object", `{"op":"hello","resume":{}}`, bad, protocol.OpHello, 0, "resume must be an array"},
		{"resume of strings", `{"op":"hello","resume":["a"]}`, bad, protocol.OpHello, 0, "resume must hold objects"},
		{"resume without room", `{"op":"hello","resume":[{}]}`, bad, protocol.OpHello, 0, "in resume: room is missing"},
		{"resume with a wrong room", `{"op":"hello","resume":[{"room":1}]}`, bad, protocol.OpHello, 0, "in resume: room must be a string"},
		{"resume without epoch", `{"op":"hello","resume":[{"room":"a","offset":1}]}`, bad, protocol.OpHello, 0, "in resume: offset without epoch"},
		{"resume of 129", `{"op":"hello","resume":[` + strings.Repeat(`{"room":"a"},`, 128) + `{"room":"a"}]}`, bad, protocol.OpHello, 0, "resume has more than 128 rooms"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var q protocol.Request
			err := q.Decode([]byte(tt.in))
			var e *protocol.Error
			if !errors.As(err, &e) || e.Code != tt.code || e.Message != tt.msg {
				t.Errorf("got  %v\nwant %s: %s", err, tt.code, tt.msg)
			}
			if q.Op != tt.op || q.ID != tt.id {
				t.Errorf("op %s and id %d, want %s and %d", q.Op, q.ID, tt.op, tt.id)
			}
		})
	}
}

func TestRequestAliasesTheFrame(t *testing.T) {
	frame := []byte(`{"op":"publish","room":"plain","key":"esc\u0061ped","data":[1]}`)
	var q protocol.Request
	if err := q.Decode(frame); err != nil {
		t.Fatal(err)
	}
	within := func(b []byte) bool {
		p, start := uintptr(unsafe.Pointer(&b[0])), uintptr(unsafe.Pointer(&frame[0]))
		return p >= start && p < start+uintptr(len(frame))
	}
	if !within(q.Room) || !within(q.Data) {
		t.Error("room or data were copied")
	}
	if within(q.IdempotencyKey) {
		t.Error("an escaped key points into the frame")
	}
	// A slice that is appended to must not run over its neighbors.
	_ = append(q.Room, "XXXX"...)
	_ = append(q.IdempotencyKey, "XXXX"...)
	_ = append(q.Data, "XXXX"...)
	if err := q.Decode(frame); err != nil {
		t.Errorf("appending to a field changed the frame: %v", err)
	}
}

func TestRequestIsReusable(t *testing.T) {
	var q protocol.Request
	for range 2 {
		for _, tt := range requestTests {
			if err := q.Decode([]byte(tt.in)); err != nil {
				t.Fatalf("%s: %v", tt.name, err)
			}
			if got := public(q); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("%s: got %+v\nwant %+v", tt.name, got, tt.want)
			}
			if err := q.Decode([]byte(`{"op":"call","resume":[`)); err == nil {
				t.Fatal("no error")
			}
		}
	}
}
