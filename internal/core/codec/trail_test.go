package codec_test

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/internal/core/codec"
	"github.com/gohubkit/hubkit/internal/engine/frame"
	"github.com/gohubkit/hubkit/protocol"
)

// batch has messages of a room with these offsets; zero is of a room without history.
func batch(f frame.Form, room string, offsets ...uint64) *frame.Batch {
	b := frame.NewBatch(0, new(frame.Source), f)
	for _, offset := range offsets {
		m := broker.Message{Data: fmt.Appendf(nil, "%d", offset), Position: broker.Position{Epoch: "e." + room, Offset: offset}}
		if offset == 0 {
			m.Position = broker.Position{}
		}
		b.Add(frame.Message{Seq: offset}, func(dst []byte, f frame.Form) []byte { return codec.Of(f).Message(dst, room, &m, nil) })
	}
	return b
}

// plain is what a client reads of wire.
func plain(t testing.TB, f frame.Form, wire []byte) string {
	t.Helper()
	if f == codec.FormSSE {
		return string(wire)
	}
	text, err := io.ReadAll(flate.NewReader(bytes.NewReader(wire)))
	if err != io.ErrUnexpectedEOF {
		t.Fatalf("%q: %v", wire, err)
	}
	return string(text)
}

var forms = []frame.Form{codec.FormSSE, codec.FormSSEGzip}

// TestTrail: while a stream is in one room it is sent what others are. Then each id has the places in all rooms.
func TestTrail(t *testing.T) {
	for _, f := range forms {
		x := codec.Of(f)
		trail := codec.NewTrail(f, nil)
		got := ""
		shared := func(want bool, b *frame.Batch, from int) {
			t.Helper()
			own, first := trail.Stamp(b, from)
			if (own == b) != want || want && first != from {
				t.Errorf("shared: %v, want %v", own == b, want)
			}
			if again, first := trail.Stamp(b, from); !bytes.Equal(again.Wire(first), own.Wire(first)) {
				t.Errorf("twice: %q, %q", own.Wire(first), again.Wire(first))
			}
			for i := range b.Len() - from {
				if own.Seq(first+i) != b.Seq(from+i) || own.Class(first+i) != b.Class(from+i) || own.Source() != b.Source() {
					t.Error("a copy is of another message")
				}
			}
			got += plain(t, f, own.Wire(first))
		}
		one := func(encode func(dst []byte) []byte) { got += plain(t, f, trail.StampOne(encode(nil))) }
		if !trail.Shares() {
			t.Error("nothing is shared")
		}
		one(func(p []byte) []byte { return x.Joined(p, protocol.OK{Room: "a", Epoch: "e.a"}) })
		shared(true, batch(f, "a", 1, 2), 0)
		shared(true, batch(f, "c", 0), 0) // a room without history
		trail.Fell()
		one(func(p []byte) []byte { return x.Joined(p, protocol.OK{Room: "b", Epoch: "e.b"}) }) // the place in a is not known
		shared(false, batch(f, "a", 3, 4, 5), 1)
		if trail.Shares() {
			t.Error("two rooms are shared")
		}
		shared(false, batch(f, "b", 1), 0)
		shared(true, batch(f, "c", 0), 0)
		one(func(p []byte) []byte { return x.Skip(p, "b", broker.Position{Epoch: "e.b", Offset: 2}) })
		one(func(p []byte) []byte { return x.Gap(p, "a", broker.Position{Epoch: "new", Offset: 9}) })
		one(func(p []byte) []byte { return x.Left(p, "b", &protocol.Error{Code: protocol.CodeUnavailable}) })
		one(func(p []byte) []byte { return x.Left(p, "a", &protocol.Error{Code: protocol.CodeRemoved}) })
		shared(true, batch(f, "b", 3), 0)
		want := `id:1,a=e%2Ea.0
event:joined
data:{"op":"joined","room":"a","epoch":"e.a","offset":0}

id:1,a=e%2Ea.1
data:{"op":"message","room":"a","epoch":"e.a","offset":1,"data":1}

id:1,a=e%2Ea.2
data:{"op":"message","room":"a","epoch":"e.a","offset":2,"data":2}

data:{"op":"message","room":"c","data":0}

event:joined
data:{"op":"joined","room":"b","epoch":"e.b","offset":0}

id:1,a=e%2Ea.4,b=e%2Eb.0
data:{"op":"message","room":"a","epoch":"e.a","offset":4,"data":4}

id:1,a=e%2Ea.5,b=e%2Eb.0
data:{"op":"message","room":"a","epoch":"e.a","offset":5,"data":5}

id:1,a=e%2Ea.5,b=e%2Eb.1
data:{"op":"message","room":"b","epoch":"e.b","offset":1,"data":1}

data:{"op":"message","room":"c","data":0}

id:1,a=e%2Ea.5,b=e%2Eb.2

id:1,a=new.9,b=e%2Eb.2
event:gap
data:{"op":"gap","room":"a","epoch":"new","offset":9}

event:left
data:{"op":"left","room":"b","code":"unavailable"}

id:1,b=e%2Eb.2
event:left
data:{"op":"left","room":"a","code":"removed"}

id:1,b=e%2Eb.3
data:{"op":"message","room":"b","epoch":"e.b","offset":3,"data":3}

`
		if got != want {
			t.Errorf("%x:\n%s\nwant\n%s", f, got, want)
		}
	}
}

// TestTrailGoesOn: ids have the places from which a stream has gone on before the first event of a room.
func TestTrailGoesOn(t *testing.T) {
	for _, f := range forms {
		places, err := codec.ParseID("1,a=x.7,b=-,c%20=y%2E.0")
		if err != nil || len(places) != 2 || places[1].Room != "c " || places[1].Epoch != "y." {
			t.Fatalf("%+v, %v", places, err)
		}
		trail := codec.NewTrail(f, places)
		got := plain(t, f, trail.StampOne(codec.Of(f).Skip(nil, "d", broker.Position{Epoch: "z", Offset: 1})))
		if got != "id:1,a=x.7,c%20=y%2E.0,d=z.1\n\n" {
			t.Errorf("%q", got)
		}
	}
}

// FuzzParseID: an id that is read stands for places that are written in the same way, and read again.
func FuzzParseID(f *testing.F) {
	for _, id := range []string{"1", "1,a=e.1", "1,a=e.1,b=-", "1,%2C%3D%2E=%25.9007199254740991", "2,a=e.1", "1,a=e.1,a=e.2", "1,,", strings.Repeat("1,", 9)} {
		f.Add(id)
	}
	f.Fuzz(func(t *testing.T, id string) {
		places, err := codec.ParseID(id)
		if err != nil {
			return
		}
		if len(places) > codec.MaxStreamRooms || len(id) > codec.MaxID {
			t.Fatalf("%d places in %d bytes", len(places), len(id))
		}
		if len(places) == 0 {
			return
		}
		last := places[len(places)-1]
		event := string(codec.NewTrail(codec.FormSSE, places).StampOne(codec.SSE{}.Skip(nil, last.Room, last.Position)))
		written, ok := strings.CutPrefix(strings.TrimSuffix(event, "\n\n"), "id:")
		again, err := codec.ParseID(written)
		if !ok || err != nil || fmt.Sprint(again) != fmt.Sprint(places) {
			t.Fatalf("%q: %v, written as %q, read as %v, %v", id, places, event, again, err)
		}
	})
}

// FuzzSSE: whatever a room is called and a message has, a client reads one event with one line of data that is the frame, and an id
// that names the room and the position.
func FuzzSSE(f *testing.F) {
	f.Add("room", "epoch", uint64(1), []byte(`{"a": "b"}`), false)
	f.Add("a\u2028b,=.%", "e\r\n", uint64(0), []byte("{\n\"a\"\r\n:\r1}"), false)
	f.Add("room", "epoch", uint64(1<<53-1), []byte("\x00\n\ndata:x\r"), true)
	f.Fuzz(func(t *testing.T, room, epoch string, offset uint64, data []byte, binary bool) {
		if broker.CheckRoom(room) != nil || epoch == "" || !utf8.ValidString(epoch) || offset >= 1<<53 || !binary && !protocol.Valid(data) {
			return
		}
		m := broker.Message{Data: data, Binary: binary, Position: broker.Position{Epoch: epoch, Offset: offset}}
		for _, form := range forms {
			text := plain(t, form, codec.Of(form).Message([]byte{}, room, &m, nil))
			lines := strings.Split(text, "\n")
			if len(lines) != 4 || lines[2] != "" || lines[3] != "" || strings.Contains(text, "\r") {
				t.Fatalf("%q", text)
			}
			id, hasID := strings.CutPrefix(lines[0], "id:")
			places, err := codec.ParseID(id)
			if !hasID || err != nil || len(places) != 1 || places[0] != (codec.Place{Room: room, Position: m.Position}) {
				t.Fatalf("%q: %+v, %v", lines[0], places, err)
			}
			var e protocol.Event
			got, ok := strings.CutPrefix(lines[1], "data:")
			if err := e.Decode([]byte(got)); !ok || err != nil || string(e.Room) != room || string(e.Position.Epoch) != epoch || e.Position.Offset != offset {
				t.Fatalf("%q: %+v, %v", lines[1], e, err)
			}
			want := strings.Trim(strings.NewReplacer("\n", " ", "\r", " ").Replace(string(data)), " \t")
			if !binary && string(e.Data) != want && len(data) > 0 {
				t.Fatalf("%q, want %q", e.Data, want)
			}
		}
	})
}

// TestSSECloses: the last event says when to come back, and of a client that is not to that it is a long time.
func TestSSECloses(t *testing.T) {
	for _, f := range forms {
		for _, tt := range []struct {
			code protocol.CloseCode
			hint protocol.Hint
			want string
		}{
			{protocol.CloseDisconnected, protocol.Hint{Reason: "bye\n"}, "retry:86400000\nevent:close\ndata:{\"op\":\"close\",\"code\":4102,\"reason\":\"bye\\n\"}\n\n"},
			{protocol.CloseServiceRestart, protocol.Hint{RetryAfter: 1500e6}, "retry:1500\nevent:close\ndata:{\"op\":\"close\",\"code\":1012,\"retry_after_ms\":1500}\n\n"},
			{protocol.CloseReconnect, protocol.Hint{}, "event:close\ndata:{\"op\":\"close\",\"code\":4000}\n\n"},
		} {
			if got := plain(t, f, codec.Of(f).Close(nil, tt.code, tt.hint)); got != tt.want {
				t.Errorf("%d: %q, want %q", tt.code, got, tt.want)
			}
		}
		if got := plain(t, f, codec.Of(f).Beat()); got != ":\n\n" {
			t.Errorf("a beat is %q", got)
		}
	}
}
