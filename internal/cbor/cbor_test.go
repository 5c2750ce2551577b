package cbor_test

import (
	"bytes"
	"encoding/hex"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/internal/cbor"
	"github.com/gohubkit/hubkit/internal/testenv"
	"github.com/gohubkit/hubkit/protocol"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// requests are those of protocol v1, with each of their fields.
var requests = []string{
	`{"op":"hello","id":1,"token":"t","session":"s","resume":[{"room":"a","epoch":"e","offset":7},{"room":"b","joined":true}]}`,
	`{"op":"join","id":2,"room":"a","epoch":"e","offset":42,"history":10}`,
	`{"op":"leave","room":"a \"quoted\" \\ \u0001 ü"}`,
	`{"op":"presence","id":3,"room":"a","count":true,"after":"c1","limit":5}`,
	`{"op":"history","id":9007199254740991,"room":"a","epoch":"e","offset":300,"limit":70000,"reverse":true}`,
	`{"op":"token","id":4,"room":"a","token":"t"}`,
	`{"op":"publish","id":5,"room":"a","key":"k","data":{"deep":[1,2.5,{"x":null}]}}`,
	`{"op":"publish","id":5,"room":"a","bin":"AP8="}`,
	`{"op":"publish","room":"a","bin":""}`,
	`{"op":"publish","room":"a","tags":{"info":"i","data":"d"},"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01","echo":false,"data":1}`,
	`{"op":"call","id":6,"method":"m","data":null}`,
	`{"op":"call","id":6,"method":"m"}`,
	`{"op":"send","data":"text"}`,
	`{"op":"ping"}`,
	`{"op":"ping","id":300}`,
}

// TestRequests: a request says the same in both forms, and the beginning of its frame has its id.
func TestRequests(t *testing.T) {
	for _, frame := range requests {
		var want, got protocol.Request
		if err := want.Decode([]byte(frame)); err != nil {
			t.Fatalf("%s: %v", frame, err)
		}
		p := cbor.FromJSON(nil, protocol.AppendRequest(nil, &want))
		if err := got.DecodeCBOR(p); err != nil {
			t.Errorf("%s: %v", frame, err)
			continue
		}
		if a, b := protocol.AppendRequest(nil, &want), protocol.AppendRequest(nil, &got); !bytes.Equal(a, b) {
			t.Errorf("%s in CBOR is %s", a, b)
		}
		if id := protocol.RequestIDCBOR(p); id != want.ID {
			t.Errorf("%s: quick id %d, want %d", frame, id, want.ID)
		}
	}
}

// TestEvents: what is written without the detour over JSON is what the detour gives.
func TestEvents(t *testing.T) {
	whole := protocol.OK{
		ID: 7, Room: "r", Epoch: "e", Offset: 4, Expires: 1500*time.Microsecond + 1, ReadOnly: true, Data: []byte(`[1]`),
	}
	pairs := []struct {
		name      string
		got, json []byte
	}{
		{"a message", cbor.AppendMessage(nil, "room", []byte(`{"a":1}`), false, "e", 3, nil), protocol.AppendMessage(nil, "room", []byte(`{"a":1}`), "e", 3)},
		{"one to the connection", cbor.AppendMessage(nil, "", []byte(`1`), false, "", 0, nil), protocol.AppendMessage(nil, "", []byte(`1`), "", 0)},
		{"no data", cbor.AppendMessage(nil, "r", nil, false, "", 0, nil), protocol.AppendMessage(nil, "r", nil, "", 0)},
		{"a long one", cbor.AppendMessage(nil, "r", []byte(`"`+strings.Repeat("x", 70_000)+`"`), false, "e", 1<<33, nil), protocol.AppendMessage(nil, "r", []byte(`"`+strings.Repeat("x", 70_000)+`"`), "e", 1<<33)},
		{"bytes", cbor.AppendMessage(nil, "r", []byte{0, 255}, true, "e", 300, nil), protocol.AppendBinary(nil, "r", []byte{0, 255}, "e", 300, nil)},
		{"a gap", cbor.AppendGap(nil, "r", "e", 70_000), protocol.AppendGap(nil, "r", "e", 70_000)},
		{"ok", cbor.AppendOK(nil, protocol.OK{ID: 7}), protocol.AppendOK(nil, protocol.OK{ID: 7})},
		{"a whole ok", cbor.AppendOK(nil, whole), protocol.AppendOK(nil, whole)},
		{"a head", append(cbor.AppendOKHead(nil, 7, "r", 2), "{}"...), protocol.AppendOK(nil, protocol.OK{ID: 7, Room: "r", Data: []byte("{}")})},
	}
	shown := &protocol.Meta{
		From: &protocol.Publisher{Conn: "c", User: "u", Info: []byte(`{"a":1.5}`)}, Time: 1700000000123, Tags: map[string]string{"info": "i"},
	}
	j := protocol.AppendMessageWith(nil, "r", []byte(`1`), "e", 3, shown)
	pairs = append(pairs, struct {
		name      string
		got, json []byte
	}{"what a message carries", cbor.FromJSON(nil, j), j})
	for _, p := range pairs {
		if want := cbor.FromJSON(nil, p.json); !bytes.Equal(p.got, want) {
			t.Errorf("%s: %x, want %x", p.name, p.got, want)
		}
		var got, want protocol.Event
		if err := got.DecodeCBOR(p.got); err != nil {
			t.Errorf("%s: %v", p.name, err)
		}
		if err := want.Decode(p.json); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Data, want.Data) || got.Binary != want.Binary || got.Op != want.Op || !reflect.DeepEqual(got.Position, want.Position) {
			t.Errorf("%s: %+v, want %+v", p.name, got, want)
		}
	}
}

// TestExample is the example of PROTOCOL.md.
func TestExample(t *testing.T) {
	p := cbor.AppendMessage(nil, "a", []byte{0xff}, true, "e", 24, nil)
	if got, want := hex.EncodeToString(p), "a5626f70676d65737361676564726f6f6d61616565706f6368616566"+"6f66667365741818646461746141ff"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
