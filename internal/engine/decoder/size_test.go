package decoder

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/internal/engine/frame"
)

// TestSize: what a message took on the wire, whatever came with it, or what it became.
func TestSize(t *testing.T) {
	fragmented := bytes.Join([][]byte{
		clientFrame(frame.Text, []byte("ab")), clientFrame(fin|frame.Ping, []byte("ping")), clientFrame(0, nil),
		clientFrame(fin|frame.Pong, nil), clientFrame(fin, []byte("c")),
	}, nil)
	long := strings.Repeat("x", 10_000)
	packed := clientFrame(fin|rsv1|frame.Text, deflated(t, []byte(long)))
	// Stored blocks without content: larger on the wire than what they are.
	hollow := clientFrame(fin|rsv1|frame.Text, append(bytes.Repeat([]byte("\x00\x00\x00\xff\xff"), 100), 0))
	parts := []struct {
		wire []byte
		want int
	}{
		{text("hello"), len(text("hello"))},
		{text(""), len(text(""))},
		{fragmented, len(fragmented)},
		{clientFrame(fin|frame.Ping, []byte("x")), 7},
		{clientFrame(fin|frame.Pong, nil), 6},
		{text(long), len(text(long))},
		{packed, len(long)},
		{hollow, len(hollow)},
		{text("after"), len(text("after"))},
	}
	var wire []byte
	for _, p := range parts {
		wire = append(wire, p.wire...)
	}
	for _, size := range sizes {
		d := poolOf(limit).Get(linkTo(chunks{bytes.NewReader(wire), size}), true)
		for i, p := range parts {
			if ok, err := d.Wait(0); !ok || err != nil {
				t.Fatal(ok, err)
			}
			if _, _, err := d.Next(time.Hour); err != nil {
				t.Fatal(err)
			}
			if got := d.Size(); got != p.want {
				t.Errorf("in pieces of %d: message %d has size %d, want %d", size, i, got, p.want)
			}
		}
	}
}

// endless repeats a frame for ever, and counts what is read of it.
type endless struct {
	frame []byte
	read  int
}

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = e.frame[(e.read+i)%len(e.frame)]
	}
	e.read += len(p)
	return len(p), nil
}

// TestEndlessMessage: a message whose content stays small is bounded all the same, by what it takes on the wire.
func TestEndlessMessage(t *testing.T) {
	for name, f := range map[string][]byte{
		"empty fragments":   clientFrame(0, nil),
		"pings within":      clientFrame(fin|frame.Ping, []byte("ping")),
		"unasked for pongs": clientFrame(fin|frame.Pong, nil),
	} {
		t.Run(name, func(t *testing.T) {
			flood := &endless{frame: f}
			l := linkTo(io.MultiReader(bytes.NewReader(clientFrame(frame.Text, []byte("x"))), flood))
			got, err := l.readAll(poolOf(limit).Get(l, false))
			if !errors.Is(err, ErrTooLarge) {
				t.Errorf("got %d events and %v, want ErrTooLarge", len(got), err)
			}
			if most := 2*limit + overhead + readBuffer; flood.read > most {
				t.Errorf("%d bytes were read, want at most %d", flood.read, most)
			}
		})
	}
}

// TestCrumbledMessage: one that comes in pieces of a byte is read, if it is not large.
func TestCrumbledMessage(t *testing.T) {
	const size = 16 << 10
	wire := clientFrame(frame.Text, nil)
	for range size {
		wire = append(wire, clientFrame(0, []byte("x"))...)
	}
	wire = append(wire, clientFrame(fin, nil)...)
	l := linkTo(bytes.NewReader(wire))
	got, err := l.readAll(poolOf(limit).Get(l, false))
	if want := message(1, []byte(strings.Repeat("x", size))); len(got) != 1 || got[0] != want || !errors.Is(err, io.EOF) {
		t.Errorf("got %d events and %v", len(got), err)
	}
}
