// Package codec compares the frames of hubkit.v1.cbor, which are written and read by hand, with those of a CBOR library.
package codec

import (
	"reflect"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"

	hubcbor "github.com/gohubkit/hubkit/internal/cbor"
	"github.com/gohubkit/hubkit/protocol"
)

// The frames are maps, as the library writes a struct.
type publish struct {
	Op   string `cbor:"op"`
	ID   uint64 `cbor:"id"`
	Room string `cbor:"room"`
	Data string `cbor:"data"`
}

var frame = publish{"publish", 42, "chat:lobby", `{"user":"ada","text":"` + strings.Repeat("hello, world ", 8) + `"}`}

func strict(t testing.TB) cbor.DecMode {
	t.Helper()
	m, err := cbor.DecOptions{
		DupMapKey: cbor.DupMapKeyEnforcedAPF, IndefLength: cbor.IndefLengthForbidden, TagsMd: cbor.TagsForbidden, UTF8: cbor.UTF8RejectInvalid,
		DefaultMapType: reflect.TypeFor[map[string]any](),
	}.DecMode()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func encoded(t testing.TB) []byte {
	t.Helper()
	p, err := cbor.Marshal(frame)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestAgree: what the library writes, package protocol reads to the same values.
func TestAgree(t *testing.T) {
	var q protocol.Request
	if err := q.DecodeCBOR(encoded(t)); err != nil {
		t.Fatal(err)
	}
	got := publish{q.Op.String(), q.ID, string(q.Room), string(q.Data)}
	if got != frame {
		t.Errorf("got %+v, want %+v", got, frame)
	}
}

// message is one of a room with history.
type message struct {
	Op     string `cbor:"op"`
	Room   string `cbor:"room"`
	Epoch  string `cbor:"epoch"`
	Offset uint64 `cbor:"offset"`
	Data   string `cbor:"data"`
}

var pushed = message{"message", frame.Room, "3f9c1a", 123456, frame.Data}

func appended(dst []byte) []byte {
	return hubcbor.AppendMessage(dst, pushed.Room, []byte(pushed.Data), false, pushed.Epoch, pushed.Offset, nil)
}

// TestSame: the same message is written in the same bytes, and a strict decoder reads it.
func TestSame(t *testing.T) {
	want, err := cbor.Marshal(pushed)
	if err != nil {
		t.Fatal(err)
	}
	if got := appended(nil); string(got) != string(want) {
		t.Errorf("got %x, want %x", got, want)
	}
	var got message
	if err := strict(t).Unmarshal(appended(nil), &got); err != nil || got != pushed {
		t.Errorf("got %+v, %v", got, err)
	}
}

// FuzzAgree: what package protocol accepts, a strict decoder takes for well-formed CBOR with the same values.
func FuzzAgree(f *testing.F) {
	f.Add(encoded(f))
	f.Add([]byte("\xa1\x62op\x64ping"))
	f.Add([]byte("\xa3\x62op\x64send\x64data\x41\xff\x61x\xf9\x3e\x00"))
	m := strict(f)
	f.Fuzz(func(t *testing.T, p []byte) {
		var q protocol.Request
		if q.DecodeCBOR(p) != nil {
			return
		}
		var got map[string]any
		if err := m.Unmarshal(p, &got); err != nil {
			t.Fatalf("%x: %v", p, err)
		}
		id, _ := got["id"].(uint64)
		if got["op"] != q.Op.String() || id != q.ID {
			t.Errorf("%x: %v and %d, want %v", p, q.Op, q.ID, got)
		}
		if room, ok := got["room"].(string); ok && q.Room != nil && room != string(q.Room) {
			t.Errorf("%x: room %q, want %q", p, q.Room, room)
		}
		if data, ok := got["data"].([]byte); ok && q.Binary && string(data) != string(q.Data) {
			t.Errorf("%x: data %q, want %q", p, q.Data, data)
		}
	})
}

func BenchmarkDecodePublish(b *testing.B) {
	p := encoded(b)
	b.Run("hand", func(b *testing.B) {
		b.ReportAllocs()
		var q protocol.Request
		for b.Loop() {
			if err := q.DecodeCBOR(p); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("library", func(b *testing.B) {
		m := strict(b)
		b.ReportAllocs()
		for b.Loop() {
			var q publish
			if err := m.Unmarshal(p, &q); err != nil || !protocol.Valid([]byte(q.Data)) {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkAppendMessage(b *testing.B) {
	b.Run("hand", func(b *testing.B) {
		b.ReportAllocs()
		var buf []byte
		for b.Loop() {
			buf = appended(buf[:0])
		}
	})
	b.Run("library", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := cbor.Marshal(&pushed); err != nil {
				b.Fatal(err)
			}
		}
	})
}
