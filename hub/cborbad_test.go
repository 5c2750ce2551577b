package hub_test

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/internal/cbor"
	"github.com/gohubkit/hubkit/protocol"
	"github.com/gorilla/websocket"
)

// cborCase is a frame that is refused, and what its sender is told.
type cborCase struct {
	name, frame string // JSON of the same meaning, or bytes in hexadecimal
	code        protocol.ErrorCode
	id          uint64
	says        string // of the message, a part
}

// bytes is the frame in CBOR.
func (tt *cborCase) bytes(t *testing.T) []byte {
	t.Helper()
	if strings.HasPrefix(tt.frame, "{") || strings.HasPrefix(tt.frame, "[") || tt.frame == "null" {
		return cbor.FromJSON(nil, []byte(tt.frame))
	}
	p, err := hex.DecodeString(tt.frame)
	if err != nil {
		t.Fatalf("%s: %v", tt.name, err)
	}
	return p
}

// manyTags are n tags whose keys and values have so many bytes.
func manyTags(n, key, value int) string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf("%q:%q", strings.Repeat(string(rune('a'+i)), key), strings.Repeat("v", value)))
	}
	return "{" + strings.Join(all, ",") + "}"
}

// badCBOR are the cases of protocol.TestRequestDecodeErrors that CBOR can say, and those that only CBOR can.
func badCBOR() []cborCase {
	const bad, unknown = protocol.CodeBadRequest, protocol.CodeUnknownOp
	const integer = "must be an integer from 0 to 9007199254740991"
	const traceparent = `"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"`
	const ping, room = "626f706470696e67", "64726f6f6d6161" // "op":"ping" and "room":"a"
	const publish5 = "a4" + "626f70677075626c697368" + "62696405" + room
	publishing := func(field string) string { return `{"op":"publish","room":"a","data":1,` + field + `}` }
	return []cborCase{
		{"empty", "", bad, 0, "the frame is not a map"},
		{"array", `[{"op":"ping"}]`, bad, 0, "the frame is not a map"},
		{"null", "null", bad, 0, "the frame is not a map"},
		{"cut", "a3" + ping + "62696407" + "64726f", bad, 7, "ends too early"},
		{"cut in a length", "a2" + ping + "6178" + "79", bad, 0, "ends too early"},
		{"a length beyond the frame", "a2" + ping + "6178" + "7bffffffffffffffff", bad, 0, "ends too early"},
		{"a map of very many", "bbffffffffffffffff", bad, 0, "ends too early"},
		{"indefinite length", "bf" + ping + "ff", bad, 0, "indefinite length"},
		{"a reserved head", "a1626f701c", bad, 0, "reserved head"},
		{"no key", "a2" + "62696401" + "0506", bad, 1, "a key is not text"},
		{"a key twice", "a2" + "62696401" + "62696402", bad, 1, "a key comes twice"},
		{"two frames", "a1" + "62696401" + "a1" + "62696402", bad, 1, "bytes follow the map"},
		{"broken data", publish5 + "6464617461" + "625b31", bad, 5, "data is not JSON"},
		{"data of other fields", publish5 + "6464617461" + "6a312c226f70223a226122", bad, 5, "data is not JSON"},
		{"data null", publish5 + "6464617461" + "f6", bad, 5, "data is null"},
		{"data a map", publish5 + "6464617461" + "a0", bad, 5, "data is not a string"},
		{"bin", publish5 + "6362696e" + "6161", bad, 5, "bin is for JSON"},
		{"too deep", `{"id":1,"op":"send","data":` + strings.Repeat("[", 65) + strings.Repeat("]", 65) + `}`, bad, 1, "data is not JSON"},
		{"too deep in an unknown field", "a3" + "62696401" + ping + "6178" + strings.Repeat("81", 8) + "00", bad, 1, "too deeply nested"},
		{"invalid UTF-8", "a3" + "62696401" + "626f70646a6f696e" + "64726f6f6d" + "6261ff", bad, 1, "text is not UTF-8"},
		{"invalid UTF-8 in an unknown field", "a2" + ping + "6178" + "62c080", bad, 0, "text is not UTF-8"},
		{"a tag of CBOR", "a2" + ping + "626964" + "c101", bad, 0, "no meaning here"},
		{"undefined", "a1" + "626f70" + "f7", bad, 0, "no meaning here"},
		{"bytes for text", "a1" + "626f70" + "4470696e67", bad, 0, "no meaning here"},
		{"bytes for a call", `{"op":"call","id":5,"method":"m","bin":"/w=="}`, bad, 5, "data must be JSON"},

		{"no op", `{"id":1}`, bad, 1, "op is missing"},
		{"op null", `{"id":1,"op":null}`, bad, 1, "op is missing"},
		{"op a number", `{"op":5,"id":1}`, bad, 1, "op must be a string"},
		{"unknown op", `{"op":"subscribe","id":1}`, unknown, 1, `op "subscribe" is not known`},
		{"op of the server", `{"op":"welcome","id":1}`, unknown, 1, `op "welcome" is not known`},
		{"empty op", `{"op":""}`, unknown, 0, `op "" is not known`},
		{"long op", `{"op":"` + strings.Repeat("é", 40) + `"}`, unknown, 0, `op "` + strings.Repeat("é", 16) + `…" is not known`},

		{"id a string", `{"op":"ping","id":"1"}`, bad, 0, "id " + integer},
		{"id negative", "a2" + ping + "626964" + "20", bad, 0, "id " + integer},
		{"id with fraction", `{"op":"ping","id":1.5}`, bad, 0, "id " + integer},
		{"id a float", "a2" + ping + "626964" + "f93c00", bad, 0, "id " + integer},
		{"id not a number", "a2" + ping + "626964" + "fb7ff8000000000000", bad, 0, "id " + integer},
		{"id 2^53", `{"op":"ping","id":9007199254740992}`, bad, 0, "id " + integer},
		{"id 2^64-1", `{"op":"ping","id":18446744073709551615}`, bad, 0, "id " + integer},
		{"room a number", `{"op":"join","room":5,"id":1}`, bad, 1, "room must be a string"},
		{"room missing", `{"op":"join","id":1}`, bad, 1, "room is missing"},
		{"room null", `{"op":"leave","id":1,"room":null}`, bad, 1, "room is missing"},
		{"offset without epoch", `{"op":"join","room":"a","offset":5}`, bad, 0, "offset without epoch"},
		{"offset 2^53", `{"op":"join","room":"a","epoch":"e","offset":9007199254740992}`, bad, 0, "offset " + integer},
		{"history negative", `{"op":"join","room":"a","history":-1}`, bad, 0, "history must be an integer from 0 to 2147483647"},
		{"publish without data", `{"op":"publish","room":"a"}`, bad, 0, "data is missing"},
		{"publish without room", `{"op":"publish","data":1}`, bad, 0, "room is missing"},
		{"empty key", publishing(`"key":""`), bad, 0, "key must have 1 to 128 bytes"},
		{"long key", publishing(`"key":"` + strings.Repeat("k", 129) + `"`), bad, 0, "key must have 1 to 128 bytes"},
		{"tags an array", publishing(`"tags":[]`), bad, 0, "tags must be"},
		{"tag a number", publishing(`"tags":{"a":"b","c":1}`), bad, 0, "the value of a tag must be a string"},
		{"tag null", publishing(`"tags":{"a":null}`), bad, 0, "the value of a tag must be a string"},
		{"17 tags", publishing(`"tags":` + manyTags(17, 1, 1)), bad, 0, "there are more than 16"},
		{"tag without a key", publishing(`"tags":{"":"x"}`), bad, 0, "its key must have 1 to 64 bytes"},
		{"long key of a tag", publishing(`"tags":` + manyTags(1, 65, 0)), bad, 0, "its key must have 1 to 64 bytes"},
		{"long value of a tag", publishing(`"tags":` + manyTags(1, 1, 257)), bad, 0, "its value must have at most 256 bytes"},
		{"control character in a key", publishing(`"tags":{"a\u0000":""}`), bad, 0, "without control characters"},
		{"traceparent a number", publishing(`"traceparent":1`), bad, 0, "traceparent must be a string"},
		{"traceparent of nothing", publishing(`"traceparent":""`), bad, 0, "traceparent is not one of W3C Trace Context"},
		{"tracestate alone", publishing(`"tracestate":"a=b"`), bad, 0, "traceparent is not one of W3C Trace Context"},
		{"tracestate without a value", publishing(traceparent + `,"tracestate":"a"`), bad, 0, "tracestate is not one of W3C Trace Context"},
		{"echo a number", publishing(`"echo":0`), bad, 0, "echo must be true or false"},
		{"send without data", `{"op":"send"}`, bad, 0, "data is missing"},
		{"call without id", `{"op":"call","method":"m"}`, bad, 0, "id is missing"},
		{"call with id zero", `{"op":"call","method":"m","id":0}`, bad, 0, "id is missing"},
		{"call without method", `{"op":"call","id":1}`, bad, 1, "method is missing"},
		{"empty method", `{"op":"call","id":1,"method":""}`, bad, 1, "method is empty"},
		{"presence without id", `{"op":"presence","room":"a"}`, bad, 0, "id is missing"},
		{"count a number", `{"op":"presence","id":1,"room":"a","count":1}`, bad, 1, "count must be true or false"},
		{"after a number", `{"op":"presence","id":1,"room":"a","after":1}`, bad, 1, "after must be a string"},
		{"history without id", `{"op":"history","room":"a"}`, bad, 0, "id is missing"},
		{"history without room", `{"op":"history","id":1}`, bad, 1, "room is missing"},
		{"history, offset without epoch", `{"op":"history","id":1,"room":"a","offset":1}`, bad, 1, "offset without epoch"},
		{"limit negative", `{"op":"history","id":1,"room":"a","limit":-1}`, bad, 1, "limit must be an integer of at least 0"},
		{"reverse a string", `{"op":"history","id":1,"room":"a","reverse":"yes"}`, bad, 1, "reverse must be true or false"},
		{"token without id", `{"op":"token","token":"t"}`, bad, 0, "id is missing"},
		{"token without token", `{"op":"token","id":1}`, bad, 1, "token is missing"},
		{"token of an empty room", `{"op":"token","id":1,"token":"t","room":""}`, bad, 1, "room is empty"},
		{"joined a string", `{"op":"hello","resume":[{"room":"a","joined":"x"}]}`, bad, 0, "in resume: joined must be true or false"},
		{"token a number", `{"op":"hello","token":1}`, bad, 0, "token must be a string"},
		{"resume an object", `{"op":"hello","resume":{}}`, bad, 0, "resume must be an array"},
		{"resume of strings", `{"op":"hello","resume":["a"]}`, bad, 0, "resume must hold maps"},
		{"resume without room", `{"op":"hello","resume":[{}]}`, bad, 0, "in resume: room is missing"},
		{"resume with a wrong room", `{"op":"hello","resume":[{"room":1}]}`, bad, 0, "in resume: room must be a string"},
		{"resume without epoch", `{"op":"hello","resume":[{"room":"a","offset":1}]}`, bad, 0, "in resume: offset without epoch"},
		{"resume of 129", `{"op":"hello","resume":[` + strings.Repeat(`{"room":"a"},`, 128) + `{"room":"a"}]}`, bad, 0, "resume has more than 128 rooms"},
	}
}

func (c *client) writeBinary(p []byte) {
	c.t.Helper()
	if err := c.ws.WriteMessage(websocket.BinaryMessage, p); err != nil {
		c.t.Fatalf("write: %v", err)
	}
}

// TestMalformedCBOR: whatever is wrong in a frame of CBOR, its sender is told by the documented error, keeps its connection and
// its room, and the next frame is read from its own beginning. Bystanders of both codecs notice nothing.
func TestMalformedCBOR(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		s := tr.start(t, hub.WithOpenRooms("*"), hub.WithoutRateLimit())
		check := s.bystander(t, "news")
		c, near := s.connect(t, nil, protocol.SubprotocolCBOR), s.connect(t, nil, protocol.SubprotocolCBOR)
		for _, c := range []*client{c, near} {
			c.welcomed()
			c.ask(`{"op":"join","id":1,"room":"news"}`)
		}
		cases := badCBOR()
		for _, tt := range cases {
			c.writeBinary(tt.bytes(t))
			if r := c.read(); r.Op != "error" || r.Code != string(tt.code) || r.ID != tt.id || !strings.Contains(r.Message, tt.says) {
				t.Errorf("%s: %+v\nwant %s for id %d: %s", tt.name, r, tt.code, tt.id, tt.says)
			}
			c.alive()
		}
		if n := s.Stats().Invalid; n != int64(len(cases)) {
			t.Errorf("%d invalid frames are counted, want %d", n, len(cases))
		}
		check()
		for _, c := range []*client{c, near} {
			c.expect(`{"op":"message","room":"news","data":"still here?"}`)
			c.alive()
		}
		if st := s.Stats(); st.Conns != 3 || st.Panics != 0 {
			t.Errorf("%d connections, %d panics", st.Conns, st.Panics)
		}
	})
}

// TestMalformedHelloInCBOR: a first frame that cannot be read, or is no hello, ends its connection, and no other.
func TestMalformedHelloInCBOR(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		s := tr.start(t, hub.WithOpenRooms("*"))
		check := s.bystander(t, "news")
		cases := badCBOR()
		for _, tt := range cases {
			c := s.connect(t, nil, protocol.SubprotocolCBOR)
			c.writeBinary(tt.bytes(t))
			c.closed(protocol.CloseHelloExpected)
		}
		check()
		await(t, "all are counted", func() bool {
			st := s.Stats()
			return st.Closed[protocol.CloseHelloExpected] == int64(len(cases)) && st.Conns == 1
		})
	})
}
