package decoder

import (
	"net"
	"slices"
	"testing"

	"github.com/gohubkit/hubkit/internal/engine/frame"
)

// TestWhole cuts a frame at every place: Whole reports true only if the last byte is there, and Next then does not wait.
func TestWhole(t *testing.T) {
	masked := func(first byte, n int) []byte {
		p := []byte{first, 0x80 | byte(min(n, 126))}
		if n >= 126 {
			p = append(p, byte(n>>8), byte(n))
		}
		return append(p, make([]byte, 4+n)...)
	}
	for name, c := range map[string]struct {
		frame []byte
		whole bool
	}{
		"empty":           {masked(0x80|frame.Text, 0), true},
		"short":           {masked(0x80|frame.Text, 125), true},
		"longer":          {masked(0x80|frame.Binary, 200), true},
		"pong":            {masked(0x80|frame.Pong, 3), true},
		"begin of others": {masked(frame.Text, 5), false},
	} {
		t.Run(name, func(t *testing.T) {
			for n := 1; n <= len(c.frame); n++ {
				p := poolOf(limit)
				here, there := net.Pipe()
				d := p.GetWith(&link{conn: here}, false, slices.Clone(c.frame[:n]))
				if ok, err := d.Wait(0); !ok || err != nil {
					t.Fatal(ok, err)
				}
				if got, want := d.Whole(), c.whole && n == len(c.frame); got != want {
					t.Errorf("%d bytes of %d: Whole = %v, want %v", n, len(c.frame), got, want)
				}
				_, _ = here.Close(), there.Close()
			}
		})
	}
}
