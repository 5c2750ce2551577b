package hub_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/gohubkit/hubkit/protocol"
)

// TestPingsNeedNoDecoder: once a client has pinged by the protocol, its next pings are taken and answered without a decoder,
// and so without a goroutine that reads; they count as messages.
func TestPingsNeedNoDecoder(t *testing.T) {
	if !polls() {
		t.Log("no poller here: every connection has a goroutine")
		return
	}
	overCodecs(t, func(t *testing.T, inCBOR bool) {
		s := start(t)
		c := s.speak(t, inCBOR, `{"op":"hello"}`)
		c.say(`{"op":"ping","id":1}`)
		if e := c.answer(1); e.Op != protocol.OpOK {
			t.Fatalf("got %+v", e)
		}
		received := s.Stats().Received
		await(t, "the reader to be done", func() bool {
			stacks := make([]byte, 1<<20)
			return !strings.Contains(string(stacks[:runtime.Stack(stacks, true)]), "hub.(*readers).")
		})
		s.WithoutDecoders(func() {
			for _, id := range []uint64{2, 23, 24, 300, 70_000, 1 << 40, protocol.MaxID} {
				before := s.Stats().Received
				c.say(`{"op":"ping"}`)
				await(t, "a ping without an answer", func() bool { return s.Stats().Received > before })
				c.say(fmt.Sprintf(`{"op":"ping","id":%d}`, id))
				if e := c.hear(); e.Op != protocol.OpOK || e.ID != id {
					t.Errorf("ping %d: %+v", id, e)
				}
			}
		})
		if n := s.Stats().Received - received; n != 14 {
			t.Errorf("14 pings counted as %d messages", n)
		}
		c.say(`{"op":"call","id":9,"method":"none"}`)
		if e := c.answer(9); e.Op != protocol.OpError {
			t.Errorf("got %+v", e)
		}
	})
}
