package decoder

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/internal/engine/frame"
	"github.com/gorilla/websocket"
)

// TestHolds: what a message makes the Decoder keep follows what has arrived of it, whatever length it announces, and is nothing
// when the Decoder has been given back.
func TestHolds(t *testing.T) {
	large := text(strings.Repeat("x", 60_000))
	for name, tt := range map[string]struct {
		wire        []byte
		least, most int // of the largest figure
		kept        int // the least that stays until the end
	}{
		"a message that is there":   {wire: text("hello")},
		"a ping that is there":      {wire: clientFrame(fin|frame.Ping, []byte("x"))},
		"one byte":                  {wire: text("hello")[:1], least: reading, most: reading},
		"half a ping":               {wire: clientFrame(fin|frame.Ping, []byte("hello"))[:8], least: reading, most: reading},
		"the beginning of a large":  {wire: large[:6000], least: reading + 5_900, most: reading + 6_000*3/2},
		"most of a large":           {wire: large[:50_000], least: reading + 49_900, most: reading + 50_000*3/2},
		"a large one that is there": {wire: large, least: reading + 60_000, most: reading + 60_000*3/2, kept: 60_000},
	} {
		t.Run(name, func(t *testing.T) {
			pool := poolOf(limit)
			l := linkTo(bytes.NewReader(tt.wire))
			d := pool.Get(l, false)
			if ok, err := d.Wait(0); !ok || err != nil {
				t.Fatal(ok, err)
			}
			if _, _, err := d.Next(time.Hour); err != nil && !errors.Is(err, io.EOF) && !websocket.IsCloseError(err, websocket.CloseAbnormalClosure) {
				t.Fatal(err)
			}
			if n := len(l.holds); n > 0 && l.holds[n-1] < tt.kept {
				t.Errorf("after the message: %d", l.holds)
			}
			if err := pool.Put(d); err != nil {
				t.Fatal(err)
			}
			if tt.most == 0 {
				if len(l.holds) > 0 {
					t.Errorf("held %d", l.holds)
				}
				return
			}
			if m := slices.Max(l.holds); m < tt.least || m > tt.most || l.holds[len(l.holds)-1] != 0 {
				t.Errorf("held %d, want at most between %d and %d, and nothing in the end", l.holds, tt.least, tt.most)
			}
		})
	}
}
