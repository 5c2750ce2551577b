package decoder

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/internal/engine/frame"
)

// TestPutAfterTheEnd lends Decoders again with which a connection was read to its end, whatever that was.
func TestPutAfterTheEnd(t *testing.T) {
	half := text("half a message")[:10]
	for _, tt := range []struct {
		name  string
		wire  []byte
		clean bool // nothing was left in the Decoder
	}{
		{"lost", nil, true},
		{"lost after a message", text("last"), true},
		{"lost in a message", half, false},
		{"closed", clientFrame(fin|frame.Close, []byte{3, 232}), true},
		{"closed with a reason", clientFrame(fin|frame.Close, []byte("\x0f\xa0bye")), true},
		{"closed without a code", clientFrame(fin|frame.Close, nil), true},
		{"closed, and more came", append(clientFrame(fin|frame.Close, nil), text("more")...), false},
		{"closed with another code", clientFrame(fin|frame.Close, []byte{3, 235}), true},
		{"closed in an unlawful way", clientFrame(fin|frame.Close, []byte{3}), true},
		{"fault", clientFrame(fin|3, nil), false},
		{"corrupt", clientFrame(fin|rsv1|frame.Text, []byte("\xff\xff\xff\xff")), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			pool := poolOf(limit)
			for range 10 {
				l := linkTo(bytes.NewReader(tt.wire))
				d := pool.Get(l, true)
				d.used = true
				if _, err := l.readAll(d); err == nil {
					t.Fatal("no end")
				}
				if clean := !d.dirty && d.Buffered() == 0; clean != tt.clean {
					t.Errorf("clean: %v", clean)
				}
				if err := pool.Put(d); err != nil {
					t.Fatal(err)
				}

				l = linkTo(bytes.NewReader(append(clientFrame(fin|frame.Ping, []byte("p")), text("next")...)))
				d = pool.Get(l, true)
				want := []string{`ping "p"`, message(frame.Text, []byte("next"))}
				if got, _ := l.readAll(d); !slices.Equal(got, want) {
					t.Fatalf("the next connection: %q, want %q", got, want)
				}
				if _, err := d.Wait(time.Millisecond); err == nil {
					t.Fatal("no end of the next connection")
				}
				if err := pool.Put(d); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}
