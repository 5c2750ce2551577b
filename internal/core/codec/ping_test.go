package codec_test

import (
	"testing"

	"github.com/gohubkit/hubkit/internal/cbor"
	"github.com/gohubkit/hubkit/internal/core/codec"
	"github.com/gohubkit/hubkit/internal/testenv"
	"github.com/gohubkit/hubkit/protocol"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// TestPing: Ping knows the pings that clients of both codecs write, and takes nothing else for one.
func TestPing(t *testing.T) {
	for _, id := range []uint64{0, 1, 23, 24, 255, 256, 65_535, 65_536, 1<<32 - 1, 1 << 32, protocol.MaxID} {
		p := protocol.AppendRequest(nil, &protocol.Request{Op: protocol.OpPing, ID: id})
		for _, x := range []codec.Codec{codec.JSON{}, codec.CBOR{}} {
			frame := p
			if x.Form() == codec.FormCBOR {
				frame = cbor.FromJSON(nil, p)
			}
			if got, ok := codec.Ping(x.Form(), frame); !ok || got != id {
				t.Errorf("%x of %d: %d, %v", frame, id, got, ok)
			}
		}
	}
	for _, p := range []string{
		``, `{}`, `{"op":"ping"`, `{"op":"ping",}`, `{"op":"ping","id":}`, `{"op":"ping","id":01}`, `{"op":"ping","id":-1}`,
		`{"op":"ping","id":9007199254740992}`, `{"op":"ping","id":1,"x":2}`, `{"op":"ping","id":1e1}`, `{"op":"pong"}`, `{"op":"ping"}}`,
		"\xa1", "\xa1\x62op\x64ping\x00", "\xa2\x62op\x64ping", "\xa2\x62op\x64ping\x62id", "\xa2\x62op\x64ping\x62id\x18",
		"\xa2\x62op\x64ping\x62id\x01\x02", "\xa2\x62op\x64ping\x62id\x20", "\xa2\x62op\x64ping\x62id\x1b\xff\xff\xff\xff\xff\xff\xff\xff",
	} {
		for _, x := range []codec.Codec{codec.Raw{}, codec.JSON{}, codec.CBOR{}} {
			if id, ok := codec.Ping(x.Form(), []byte(p)); ok {
				t.Errorf("%q is a ping with id %d", p, id)
			}
		}
	}
}
