package protocol_test

import (
	"strings"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/internal/cbor"
	"github.com/gohubkit/hubkit/protocol"
)

var (
	publishFrame = []byte(`{"op":"publish","id":42,"room":"chat:lobby","data":{"user":"ada","text":"` +
		strings.Repeat("hello, world ", 8) + `"}}`)
	escapedFrame = []byte(`{"op":"join","id":42,"room":"chat \"lobby\"","epoch":"\u0065","offset":7}`)
	helloFrame   = []byte(`{"op":"hello","token":"t","resume":[{"room":"a","epoch":"e","offset":1},{"room":"b"}]}`)
	historyFrame = []byte(`{"op":"history","id":1,"room":"a","epoch":"e","offset":7,"limit":100,"reverse":true}`)
	tokenFrame   = []byte(`{"op":"token","id":1,"token":"eyJ","room":"a"}`)
	pageFrame    = []byte(`{"op":"presence","id":1,"room":"a","after":"c7","limit":100,"count":true}`)
	leftFrame    = []byte(`{"op":"left","room":"a","code":"removed","message":"m"}`)
	joinedFrame  = []byte(`{"op":"joined","room":"a","epoch":"e","offset":7,"expires_ms":1000,"read_only":true}`)
	refreshFrame = []byte(`{"op":"refresh","room":"a","expires_ms":1000}`)
	taggedFrame  = []byte(publishing(`"tags":{"kind":"x","\u0065":"y"},"traceparent":"` + trace + `","tracestate":"a=b","echo":false`))
	fullFrame    = protocol.AppendMessageWith(nil, "r", payload, "e", 1, &fullMeta)
	messageFrame = protocol.AppendMessage(nil, "chat:lobby", payload, "3f9c1a", 123456)
	publishCBOR  = cbor.FromJSON(nil, publishFrame)
	taggedCBOR   = cbor.FromJSON(nil, taggedFrame)
	helloCBOR    = cbor.FromJSON(nil, helloFrame)
	messageCBOR  = cbor.FromJSON(nil, messageFrame)
	fullCBOR     = cbor.FromJSON(nil, fullFrame)
	payload      = []byte(`{"user":"ada","text":"` + strings.Repeat("hello, world ", 8) + `"}`)
)

// What runs for every frame allocates nothing, once the memory it writes to is there.
func TestAllocations(t *testing.T) {
	var q protocol.Request
	var e protocol.Event
	buf := make([]byte, 0, 1024)
	member := protocol.Member{Conn: "c", User: "u", Info: []byte("{}")}
	page := protocol.History{Messages: []protocol.HistoryMessage{{Offset: 1, Data: payload}, {Offset: 2, Data: payload}}}
	failure := &protocol.Error{Code: protocol.CodeBusy, Message: "later", RetryAfter: time.Second}
	for name, f := range map[string]func() bool{
		"decode publish":                  func() bool { return q.Decode(publishFrame) == nil },
		"decode publish with all":         func() bool { return q.Decode(taggedFrame) == nil },
		"decode message with all":         func() bool { return e.Decode(fullFrame) == nil },
		"skip":                            func() bool { return len(protocol.AppendSkip(buf, "r", "e", 1)) > 0 },
		"decode publish in CBOR":          func() bool { return q.DecodeCBOR(publishCBOR) == nil },
		"decode publish with all in CBOR": func() bool { return q.DecodeCBOR(taggedCBOR) == nil },
		"decode hello in CBOR":            func() bool { return q.DecodeCBOR(helloCBOR) == nil },
		"decode message in CBOR":          func() bool { return e.DecodeCBOR(messageCBOR) == nil },
		"decode message with all in CBOR": func() bool { return e.DecodeCBOR(fullCBOR) == nil },
		"decode escapes":                  func() bool { return q.Decode(escapedFrame) == nil },
		"decode hello":                    func() bool { return q.Decode(helloFrame) == nil },
		"decode message":                  func() bool { return e.Decode(messageFrame) == nil },
		"decode history":                  func() bool { return q.Decode(historyFrame) == nil },
		"decode token":                    func() bool { return q.Decode(tokenFrame) == nil },
		"decode page":                     func() bool { return q.Decode(pageFrame) == nil },
		"decode left":                     func() bool { return e.Decode(leftFrame) == nil },
		"decode joined":                   func() bool { return e.Decode(joinedFrame) == nil },
		"decode refresh":                  func() bool { return e.Decode(refreshFrame) == nil },
		"valid":                           func() bool { return protocol.Valid(payload) },
		"message": func() bool {
			return len(protocol.AppendMessage(buf, "chat:büro", payload, "3f9c1a", 123456)) > 0
		},
		"ok": func() bool {
			return len(protocol.AppendOK(buf, protocol.OK{ID: 1, Room: "r", Epoch: "e", Offset: 1, Data: payload})) > 0
		},
		"error":   func() bool { return len(protocol.AppendError(buf, 1, "r", failure)) > 0 },
		"gap":     func() bool { return len(protocol.AppendGap(buf, "r", "e", 1)) > 0 },
		"join":    func() bool { return len(protocol.AppendJoin(buf, "r", member)) > 0 },
		"welcome": func() bool { return len(protocol.AppendWelcome(buf, protocol.Welcome{Conn: "c", Node: "n"})) > 0 },
		"goaway":  func() bool { return len(protocol.AppendGoAway(buf, protocol.Hint{Spread: 1, Reason: "r"})) > 0 },
		"hint":    func() bool { return len(protocol.AppendHint(buf, protocol.Hint{Spread: 1, Reason: "r"})) > 0 },
		"joined":  func() bool { return len(protocol.AppendJoined(buf, protocol.OK{Room: "r", Epoch: "e"})) > 0 },
		"left":    func() bool { return len(protocol.AppendLeft(buf, "r", failure)) > 0 },
		"refresh": func() bool { return len(protocol.AppendRefresh(buf, "r", time.Second)) > 0 },
		"history": func() bool { return len(protocol.AppendHistoryWithin(buf, page, 512)) > 0 },
		"count":   func() bool { return len(protocol.AppendPresenceCount(buf, 5, 3)) > 0 },
		"request": func() bool { return len(protocol.AppendRequest(buf, &q)) > 0 },
	} {
		ok := true
		n := testing.AllocsPerRun(100, func() { ok = f() && ok })
		if n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
		if !ok {
			t.Errorf("%s failed", name)
		}
	}
	// Without memory, a message takes one piece of the right size.
	if n := testing.AllocsPerRun(100, func() { _ = protocol.AppendMessage(nil, "r", payload, "e", 1) }); n != 1 {
		t.Errorf("message without memory: %v allocations, want 1", n)
	}
}

// One frame full of escapes must not make a pooled Request large for ever.
func TestScratchIsGivenBack(t *testing.T) {
	big := []byte(`{"op":"join","room":"` + strings.Repeat(`\u0061`, 60_000) + `"}`)
	var q protocol.Request
	if err := q.Decode(big); err != nil {
		t.Fatal(err)
	}
	if err := q.Decode(escapedFrame); err != nil {
		t.Fatal(err)
	}
	if n := cap(q.Room); n > 4096 {
		t.Errorf("%d bytes kept", n)
	}
}

func BenchmarkRequestDecode(b *testing.B) {
	for name, frame := range map[string][]byte{"publish": publishFrame, "escapes": escapedFrame, "ping": []byte(`{"op":"ping","id":1}`)} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(frame)))
			var q protocol.Request
			for b.Loop() {
				if err := q.Decode(frame); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkRequestDecodeCBOR(b *testing.B) {
	for name, frame := range map[string][]byte{"publish": publishCBOR, "all": taggedCBOR, "ping": cbor.FromJSON(nil, []byte(`{"op":"ping","id":1}`))} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(frame)))
			var q protocol.Request
			for b.Loop() {
				if err := q.DecodeCBOR(frame); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkEventDecode(b *testing.B) {
	b.ReportAllocs()
	b.SetBytes(int64(len(messageFrame)))
	var e protocol.Event
	for b.Loop() {
		if err := e.Decode(messageFrame); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendMessage(b *testing.B) {
	b.ReportAllocs()
	buf := make([]byte, 0, 1024)
	for b.Loop() {
		buf = protocol.AppendMessage(buf[:0], "chat:lobby", payload, "3f9c1a", 123456)
	}
	b.SetBytes(int64(len(buf)))
}

func BenchmarkValid(b *testing.B) {
	large := []byte(`[` + strings.Repeat(string(payload)+",", 100) + `1]`)
	for name, data := range map[string][]byte{"small": payload, "large": large} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				if !protocol.Valid(data) {
					b.Fatal("not valid")
				}
			}
		})
	}
}
