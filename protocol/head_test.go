package protocol_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/gohubkit/hubkit/protocol"
)

// TestDecodeHead cuts a message at every place: what is read of it is right, or absent.
func TestDecodeHead(t *testing.T) {
	frame := protocol.AppendMessage(nil, "chat:1", []byte(`"`+strings.Repeat("x", 100)+`"`), "3f9c", 1234)
	whole := bytes.Index(frame, []byte(`"data"`))
	for n := range frame {
		var e protocol.Event
		found := e.DecodeHead(frame[:n])
		if found != (e.Op == protocol.OpMessage) || found != (n > len(`{"op":"message"`)) {
			t.Fatalf("%s: op %v, %t", frame[:n], e.Op, found)
		}
		if room := string(e.Room); room != "" && room != "chat:1" {
			t.Fatalf("%s: room %q", frame[:n], room)
		}
		if p := e.Position; p.Offset != 0 && (p.Offset != 1234 || string(p.Epoch) != "3f9c") {
			t.Fatalf("%s: position %+v", frame[:n], p)
		}
		if n >= whole && (string(e.Room) != "chat:1" || e.Position.Offset != 1234) {
			t.Fatalf("%s: room %q, position %+v", frame[:n], e.Room, e.Position)
		}
		if e.Data != nil {
			t.Fatalf("%s: data %s", frame[:n], e.Data)
		}
	}
	var e protocol.Event
	if !e.DecodeHead([]byte(`{"op":"ok","id":17,"data":{"count":3,"members":[{"conn":"c1`)) || e.ID != 17 {
		t.Errorf("the answer to a request: %+v", e)
	}
	for _, odd := range []string{"", "{", "[1,2", "\xff\xfe", `{"op":7,"room":"r","data":`, `{"room":"r","op`, `{"op":"publish","x":`} {
		if e.DecodeHead([]byte(odd)) {
			t.Errorf("%q has the op %v", odd, e.Op)
		}
	}
}

func TestRequestID(t *testing.T) {
	long := strings.Repeat("x", 100)
	for _, tt := range []struct {
		frame string
		want  uint64
	}{
		{`{"op":"publish","id":42,"room":"r","data":1}`, 42},
		{`{"op":"ping","id":7}`, 7},
		{`{"op":"publish","id":42,"room":"` + long + `","data":1}`, 42},
		{`{"op":"ping"}`, 0},
		{`{"op":"publish","room":"` + long + `","id":42}`, 0},
		{`{"op":"ping","id":-1}`, 0},
		{`{"op":"ping","id":9007199254740992}`, 0},
		{`{"op":"ping","id":"7"}`, 0},
		{`{"id":7,"op":`, 7},
		{`{"id":1` + strings.Repeat("0", 60) + `}`, 0},
		{`[1]`, 0},
		{"", 0},
	} {
		if got := protocol.RequestID([]byte(tt.frame)); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.frame, got, tt.want)
		}
	}
}

func FuzzDecodeHead(f *testing.F) {
	f.Add([]byte(`{"op":"message","room":"r","epoch":"e","offset":1,"data":1}`), 40)
	f.Add([]byte(`{"op":"welcome","limits":{"rate":1}}`), 30)
	f.Fuzz(func(t *testing.T, frame []byte, n int) {
		var e, whole protocol.Event
		if whole.Decode(frame) != nil || n < 0 || n > len(frame) || strings.Count(string(frame), `"op"`) != 1 {
			return
		}
		if e.DecodeHead(frame[:n]); e.Op != protocol.OpUnknown && e.Op != whole.Op {
			t.Fatalf("%q cut at %d has the op %v, not %v", frame, n, e.Op, whole.Op)
		}
	})
}
