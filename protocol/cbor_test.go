package protocol_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"math"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/gohubkit/hubkit/internal/cbor"
	"github.com/gohubkit/hubkit/protocol"
)

// onlyJSON are requests that CBOR cannot say: a key twice, and an integer above 2^64.
var onlyJSON = map[string]bool{"last of two wins": true, "history, more than a page": true}

// TestCBORRequests: a request says the same in both forms, and the beginning of its frame has its id.
func TestCBORRequests(t *testing.T) {
	frames := map[string]string{
		"bytes":                 `{"op":"publish","id":5,"room":"a","bin":"AP8="}`,
		"no bytes":              `{"op":"send","bin":""}`,
		"names of other fields": publishing(`"tags":{"info":"i","data":"{","from":"7","bin":"b","op":"o"},"from":{"info":"x","data":[]},"info":"i"`),
	}
	for _, tt := range requestTests {
		if !onlyJSON[tt.name] {
			frames[tt.name] = tt.in
		}
	}
	for line := range strings.Lines(spec(t)) {
		if frame, ok := strings.CutPrefix(strings.TrimSpace(line), "→ "); ok {
			frames[frame] = frame
		}
	}
	var got protocol.Request // used again, as a hub does
	for name, frame := range frames {
		var want protocol.Request
		if err := want.Decode([]byte(frame)); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		p := cbor.FromJSON(nil, []byte(frame))
		if err := got.DecodeCBOR(p); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		a, b := public(want), public(got)
		if !reflect.DeepEqual(protocol.ParseTags(a.Tags), protocol.ParseTags(b.Tags)) || got.Binary != want.Binary {
			t.Errorf("%s: tags %s, binary %v; want %s, %v", name, b.Tags, got.Binary, a.Tags, want.Binary)
		}
		if a.Tags, b.Tags = nil, nil; !reflect.DeepEqual(a, b) {
			t.Errorf("%s:\ngot  %+v\nwant %+v", name, b, a)
		}
		if id := protocol.RequestIDCBOR(p); id != want.ID && protocol.RequestID([]byte(frame)) == want.ID {
			t.Errorf("%s: quick id %d, want %d", name, id, want.ID)
		}
	}
}

// TestCBOREvents: every event that package protocol writes, and every one of PROTOCOL.md, says the same in both forms.
func TestCBOREvents(t *testing.T) {
	shown := fullMeta
	shown.From = &protocol.Publisher{User: "u", Info: []byte(`"info"`)}
	shown.Tags = map[string]string{"info": "not JSON", "data": "{", "from": "7", "bin": "!", "conn": "", "message": "m"}
	list := protocol.Presence{Count: 2, Users: 1, Members: []protocol.Member{
		{Conn: "c", Info: []byte(`{"info":"i","data":1}`)}, {Conn: "d", User: "u", Info: []byte(nest("[", "", "]", 64))},
	}, Next: "d"}
	page := protocol.History{Messages: []protocol.HistoryMessage{
		{Offset: 1, Data: []byte(`{"info":"i"}`), Meta: &shown}, {Offset: 2, Bin: []byte{0xff}, Meta: &fullMeta},
	}, More: true}
	frames := map[string][]byte{
		"names of other fields": protocol.AppendMessageWith(nil, "info", []byte(`{"info":1}`), "from", 3, &shown),
		"bytes":                 protocol.AppendBinary(nil, "r", []byte{0, 0xff}, "e", 3, &shown),
		"no bytes":              protocol.AppendBinary(nil, "r", nil, "", 0, nil),
		"members":               protocol.AppendOK(nil, protocol.OK{ID: 1, Data: protocol.AppendPresence(nil, list)}),
		"a member":              protocol.AppendJoin(nil, "r", list.Members[1]),
		"a page":                protocol.AppendOK(nil, protocol.OK{ID: 1, Data: protocol.AppendHistory(nil, page)}),
		"a later version":       []byte(`{"op":"welcome","x":{"a":[1.5,null,true]},"limits":{"x":"y","rate":0.1},"y":-7}`),
		"an unknown op":         []byte(`{"op":"trace","id":"x"}`),
	}
	for _, tt := range eventTests {
		frames[tt.name] = tt.write(nil)
	}
	for line := range strings.Lines(spec(t)) {
		if frame, ok := strings.CutPrefix(strings.TrimSpace(line), "← "); ok {
			frames[frame] = []byte(frame)
		}
	}
	var got protocol.Event
	for name, frame := range frames {
		var want protocol.Event
		if err := want.Decode(frame); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := got.DecodeCBOR(cbor.FromJSON(nil, frame)); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		a, errA := want.Meta()
		b, errB := got.Meta()
		if !reflect.DeepEqual(a, b) || (errA == nil) != (errB == nil) {
			t.Errorf("%s: carries %+v, %v; want %+v, %v", name, b, errB, a, errA)
		}
		x, y := visible(want), visible(got)
		x.From, x.Tags, y.From, y.Tags = nil, nil, nil, nil
		if !reflect.DeepEqual(x, y) || got.Binary != want.Binary {
			t.Errorf("%s:\ngot  %+v\nwant %+v", name, y, x)
		}
	}
}

// TestCBORCost: what a hostile frame of 64 KiB is read to takes no more memory than a small multiple of its size.
func TestCBORCost(t *testing.T) {
	const size = 64 << 10
	key := func(dst []byte, s string) []byte { return append(append(dst, 0x60|byte(len(s))), s...) }
	long := func(dst []byte, major byte, n int) []byte {
		return binary.BigEndian.AppendUint32(append(dst, major<<5|26), uint32(n))
	}
	op := func(fields byte, op string) []byte { return key(key([]byte{0xa0 | fields}, "op"), op) }
	text := func(dst []byte, n int) []byte { return append(long(dst, 3, n), strings.Repeat("\x01", n)...) }

	floats := long(key(op(2, "ping"), "x"), 4, size/9)
	for range size / 9 {
		floats = binary.BigEndian.AppendUint64(append(floats, 0xfb), math.Float64bits(5e-324))
	}
	rate := key(op(2, "welcome"), "limits")
	rate = binary.BigEndian.AppendUint64(append(key(append(rate, 0xa1), "rate"), 0xfb), math.Float64bits(5e-324))
	maps := long(key(op(2, "ping"), "x"), 4, size/3)
	for range size / 3 {
		maps = append(maps, 0xa1, 0x60, 0xa0)
	}
	resume := append(key(op(2, "hello"), "resume"), 0x98, 128)
	tags := append(key(key(key(op(4, "publish"), "room"), "r"), "tags"), 0xb0)
	for i := range 128 {
		resume = text(key(append(resume, 0xa1), "room"), 500)
		if i < 16 {
			tags = append(key(tags, string(rune('a'+i))), 0x79, 1, 0)
			tags = append(tags, strings.Repeat("\x01", 256)...)
		}
	}
	tags = append(key(key(tags, "data"), "1"), 0)[:len(tags)+7]
	from := text(key(append(key(op(2, "message"), "from"), 0xa1), "user"), size)

	for name, p := range map[string][]byte{
		"floats": floats, "a float": rate, "small maps": maps, "rooms of control characters": resume, "tags of control characters": tags,
		"a token of control characters": text(key(op(2, "hello"), "token"), size), "a publisher of control characters": from,
		"an unknown field":                      text(key(op(2, "hello"), "x"), size),
		"a map of very many":                    append(op(2, "ping"), 0xbb, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff),
		"a fault behind much":                   append(slices.Clip(floats), 0),
		"data that is no JSON, at its very end": append(text(key(key(op(3, "send"), "data"), ""), 0)[:len(op(3, "send"))+5], 0),
	} {
		const runs = 20
		var q protocol.Request
		var e protocol.Event
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range runs {
			_ = q.DecodeCBOR(p)
		}
		runtime.ReadMemStats(&after)
		if n := (after.TotalAlloc - before.TotalAlloc) / runs; n > uint64(7*len(p)+8<<10) {
			t.Errorf("%s: a request of %d bytes takes %d", name, len(p), n)
		}
		runtime.ReadMemStats(&before)
		for range runs {
			_ = e.DecodeCBOR(p)
		}
		runtime.ReadMemStats(&after)
		n := (after.TotalAlloc - before.TotalAlloc) / runs
		if n > uint64(7*len(p)+8<<10) || len(e.From)+len(e.Tags) > 6*len(p) {
			t.Errorf("%s: an event of %d bytes takes %d", name, len(p), n)
		}
	}
}

// TestCBORMalformed: what is no frame is a bad request, and the id is told if it came before the fault.
func TestCBORMalformed(t *testing.T) {
	tests := []struct {
		name, frame string
		says        string
		id          uint64
	}{
		{"nothing", "", "not a map", 0},
		{"an array", "80", "not a map", 0},
		{"text", "6161", "not a map", 0},
		{"a map of indefinite length", "bf626f706470696e67ff", "indefinite", 0},
		{"text of indefinite length", "a1626f707f6470696e67ff", "indefinite", 0},
		{"a reserved head", "a1626f701c", "reserved", 0},
		{"cut off", "a1626f706470696e", "too early", 0},
		{"cut off in a length", "a1626f7079", "too early", 0},
		{"a length beyond the frame", "a1626f707bffffffffffffffff", "too early", 0},
		{"a map of very many", "bbffffffffffffffff", "too early", 0},
		{"bytes behind", "a1626f706470696e6700", "follow", 0},
		{"a key twice", "a2626f706470696e67626f706470696e67", "twice", 0},
		{"a key that is a number", "a101f5", "not text", 0},
		{"a tag", "a2626f706470696e6762696fc101", "no meaning", 0},
		{"bytes for text", "a1626f704470696e67", "no meaning", 0},
		{"text that is not UTF-8", "a1626f7061ff", "UTF-8", 0},
		{"undefined", "a1626f70f7", "no meaning", 0},
		{"not a number", "a2626f706470696e67626964fb7ff8000000000000", "integer", 0},
		{"an id below zero", "a2626f706470696e6762696420", "integer", 0},
		{"deep", "a2626f706470696e676178" + strings.Repeat("81", 8) + "00", "nested", 0},
		{"data that is no JSON", "a4626f70677075626c69736862696405" + "64726f6f6d6161" + "646461746161" + "7b", "not JSON", 5},
		{"data that would be another field", "a4626f70677075626c69736862696405" + "64726f6f6d6161" + "6464617461" + "6a312c226f70223a226122", "not JSON", 5},
		{"data that is null", "a4626f70677075626c69736862696405" + "64726f6f6d6161" + "6464617461f6", "null", 5},
		{"data that is a map", "a4626f70677075626c69736862696405" + "64726f6f6d6161" + "6464617461a0", "not a string", 5},
		{"bin", "a4626f70677075626c69736862696405" + "64726f6f6d6161" + "6362696e6161", "bin is for JSON", 5},
		{"no op", "a0", "op is missing", 0},
		{"a call with bytes", "a4626f706463616c6c62696405666d6574686f64616d646461746141ff", "must be JSON", 5},
	}
	for _, tt := range tests {
		p, err := hex.DecodeString(tt.frame)
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		var q protocol.Request
		err = q.DecodeCBOR(p)
		if err == nil || !strings.Contains(err.Error(), tt.says) || !strings.HasPrefix(err.Error(), string(protocol.CodeBadRequest)) || q.ID != tt.id {
			t.Errorf("%s: id %d, %v, want id %d and %q", tt.name, q.ID, err, tt.id, tt.says)
		}
	}
}

// TestCBORHead: the beginning of a frame above a read limit tells what it was.
func TestCBORHead(t *testing.T) {
	p := cbor.AppendMessage(nil, "room", []byte(`"`+strings.Repeat("x", 5000)+`"`), false, "e", 9, nil)
	var e protocol.Event
	if !e.DecodeHeadCBOR(p[:1000]) || e.Op != protocol.OpMessage || string(e.Room) != "room" || e.Position.Offset != 9 || e.Data != nil {
		t.Errorf("got %+v", e)
	}
}

func FuzzCBOR(f *testing.F) {
	for _, tt := range requestTests {
		f.Add(cbor.FromJSON(nil, []byte(tt.in)))
	}
	for _, tt := range eventTests {
		f.Add(cbor.FromJSON(nil, tt.write(nil)))
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		protocol.RequestIDCBOR(p)
		var e protocol.Event
		e.DecodeHeadCBOR(p)
		_ = e.DecodeCBOR(p)
		var q, again protocol.Request
		if q.DecodeCBOR(p) != nil {
			return
		}
		j := protocol.AppendRequest(nil, &q)
		if err := again.DecodeCBOR(cbor.FromJSON(nil, j)); err != nil {
			t.Fatalf("%s: %v", j, err)
		}
		if k := protocol.AppendRequest(nil, &again); !bytes.Equal(j, k) {
			t.Errorf("%s became %s", j, k)
		}
	})
}
