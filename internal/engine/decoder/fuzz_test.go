package decoder

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/gohubkit/hubkit/internal/engine/frame"
	"github.com/gorilla/websocket"
)

// FuzzNext gives the same bytes to a Decoder and to gorilla alone: they agree on all of it, but for where
// they give up on compressed data.
func FuzzNext(f *testing.F) {
	add := func(frames ...[]byte) {
		for _, compress := range []bool{false, true} {
			f.Add(bytes.Join(frames, nil), uint8(255), compress)
			f.Add(bytes.Join(frames, nil), uint8(1), compress)
		}
	}
	zip := deflated(f, []byte(strings.Repeat("hello ", 100)))
	add(text("hello"), clientFrame(fin|frame.Ping, []byte("p")), clientFrame(fin|frame.Pong, nil), text(strings.Repeat("x", 300)))
	add(clientFrame(frame.Binary, []byte("a")), clientFrame(fin|frame.Ping, nil), clientFrame(0, nil), clientFrame(fin, []byte("b")))
	add(clientFrame(fin|rsv1|frame.Text, zip), text("x"), clientFrame(rsv1|frame.Text, zip[:3]), clientFrame(fin, zip[3:]))
	add(clientFrame(fin|rsv1|frame.Text, []byte("\xf3\x48\xcd\xc9\xc9\x07\x00\x00")), text("x"))
	add(clientFrame(fin|rsv1|frame.Text, deflated(f, make([]byte, 1<<20))))
	add(clientFrame(fin|frame.Close, []byte("\x03\xe8bye")), text("late"))
	add(clientFrame(fin|rsv1|frame.Ping, nil), []byte{fin | frame.Text, 0x80 | 127, 0, 0, 0, 1})
	add([]byte{fin | frame.Text, 5, 'h', 'e', 'l', 'l', 'o'})
	f.Fuzz(func(t *testing.T, wire []byte, size uint8, compress bool) {
		pieces := int(size) + 1
		l := linkTo(chunks{bytes.NewReader(wire), pieces})
		d := poolOf(limit).Get(l, compress)
		got, err := l.readAll(d)
		if err == nil {
			t.Fatal("the stream has no end")
		}
		if cap(d.buf) > 2*limit {
			t.Fatalf("a buffer of %d bytes", cap(d.buf))
		}

		g := &link{}
		want, wantErr := readGorilla(t, chunks{bytes.NewReader(wire), pieces}, compress, g)
		if n := min(len(got), len(want)); compress && slices.Equal(got[:n], want[:n]) {
			// Gorilla decompresses while it reads: it sees a fault, or the end of the data, before it has
			// seen the whole message.
			return
		}
		if ce := (*websocket.CloseError)(nil); errors.Is(err, errCloseLength) || errors.As(err, &ce) && ce.Code == 1014 {
			return // gorilla takes the one for an empty frame, and refuses the other
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%q and %v, gorilla %q and %v", got, err, want, wantErr)
		}
		if errors.Is(err, ErrTooLarge) != errors.Is(wantErr, ErrTooLarge) {
			t.Fatalf("%v, gorilla %v", err, wantErr)
		}
		if !bytes.Equal(l.written.Bytes(), g.written.Bytes()) {
			t.Fatalf("written: %q, gorilla %q", l.written.Bytes(), g.written.Bytes())
		}
	})
}

// readGorilla is readAll without this package.
func readGorilla(t testing.TB, r io.Reader, compress bool, l *link) ([]string, error) {
	ws := gorilla(t, r, compress, l)
	for {
		opcode, r, err := ws.NextReader()
		var p []byte
		if err == nil {
			p, err = io.ReadAll(io.LimitReader(r, limit+1))
		}
		if len(p) > limit || err != nil && strings.Contains(err.Error(), "read limit") {
			return l.events, ErrTooLarge
		}
		if err != nil {
			return l.events, err
		}
		l.events = append(l.events, message(opcode, p))
	}
}
