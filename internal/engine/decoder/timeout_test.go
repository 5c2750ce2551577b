package decoder

import (
	"bytes"
	"errors"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gohubkit/hubkit/internal/engine/frame"
)

// writer is the other end of a pipe.
type writer struct {
	net.Conn
	writing sync.WaitGroup
}

// slowly writes wire a byte at a time, with a pause before each, until the pipe is closed.
func (w *writer) slowly(wire []byte, pause time.Duration) {
	w.writing.Go(func() {
		for i := range wire {
			time.Sleep(pause)
			if _, err := w.Write(wire[i : i+1]); err != nil {
				return
			}
		}
	})
}

// piped returns a Decoder that reads what is written to the other end of a pipe, on the clock of the bubble
// that the caller runs in.
func piped(t *testing.T, compress bool) (*Decoder, *link, *writer) {
	t.Helper()
	conn, peer := net.Pipe()
	l, w := &link{conn: conn}, &writer{Conn: peer}
	t.Cleanup(func() {
		_ = conn.Close()
		_ = peer.Close()
		w.writing.Wait()
	})
	return poolOf(limit).Get(l, compress), l, w
}

func next(t *testing.T, d *Decoder, want string) {
	t.Helper()
	opcode, p, err := d.Next(time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if opcode != frame.Text || string(p) != want {
		t.Fatalf("opcode %d, %q; want %q", opcode, p, want)
	}
}

// TestWait lets waits time out at every place between and within frames where nothing has arrived, and finds the
// stream as it was.
func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, l, peer := piped(t, false)
		wait := func(linger time.Duration, want bool) {
			t.Helper()
			begun := time.Now()
			ok, err := d.Wait(linger)
			if ok != want || err != nil {
				t.Fatalf("Wait = %v, %v; want %v", ok, err, want)
			}
			if took := time.Since(begun); !ok && (took < linger/2 || took > linger) {
				t.Errorf("Wait took %v, want %v or a little less", took, linger)
			}
		}
		wait(time.Second, false)
		wait(time.Second, false)
		begun := time.Now()
		peer.slowly(text("first"), 10*time.Second)
		wait(time.Second, false)
		wait(0, true) // as long as it takes
		if took := time.Since(begun); took != 10*time.Second {
			t.Errorf("the first byte came after %v", took)
		}
		wait(time.Second, true) // a byte is there already
		// The rest comes slowly, which is Next's business.
		opcode, p, err := d.Next(time.Hour)
		if err != nil || opcode != frame.Text || string(p) != "first" {
			t.Fatalf("%d, %q, %v", opcode, p, err)
		}
		wait(time.Second, false) // the deadline of the message is not the wait's
		peer.writing.Go(func() { _, _ = peer.Write(append(clientFrame(fin|frame.Ping, nil), text("second")...)) })
		wait(time.Second, true)
		if opcode, _, err := d.Next(time.Minute); opcode != Ping || err != nil {
			t.Fatalf("opcode %d, %v; want a ping", opcode, err)
		}
		if d.Buffered() != len(text("second")) {
			t.Errorf("Buffered() = %d, want %d", d.Buffered(), len(text("second")))
		}
		wait(time.Second, true)
		next(t, d, "second")
		if d.Buffered() != 0 || len(l.events) != 1 {
			t.Errorf("Buffered() = %d, events %q", d.Buffered(), l.events)
		}
		_ = peer.Close()
		if ok, err := d.Wait(time.Second); ok || err == nil {
			t.Errorf("Wait at the end of the stream = %v, %v", ok, err)
		}
	})
}

// TestMessageTimeout bounds whole messages: however its bytes trickle in, a message that is not complete
// in time ends the connection, at that very moment.
func TestMessageTimeout(t *testing.T) {
	const timeout = 30 * time.Second
	zip := deflated(t, []byte(strings.Repeat("hello", 10)))
	var pings []byte
	for range 100 {
		pings = append(pings, clientFrame(fin|frame.Ping, nil)...)
	}
	for _, tt := range []struct {
		name     string
		compress bool
		wire     []byte
		pause    time.Duration
	}{
		{"a byte at a time", false, text(strings.Repeat("x", 100)), time.Second},
		{"slow header", false, clientFrame(fin|frame.Text, make([]byte, 70000)), 5 * time.Second},
		{"one byte", false, text("x")[:1], time.Second},
		{"slow ping", false, clientFrame(fin|frame.Ping, make([]byte, 100)), time.Second},
		{"many fragments", false, append(clientFrame(frame.Text, nil), bytes.Repeat(clientFrame(0, []byte("x")), 50)...), time.Second},
		{"pings inside", false, append(clientFrame(frame.Text, nil), pings...), time.Second},
		{"compressed", true, clientFrame(fin|rsv1|frame.Text, zip), 10 * time.Second},
		{"nothing after the header", false, text("hello")[:6], 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, _, peer := piped(t, tt.compress)
				time.Sleep(time.Hour)
				peer.slowly(tt.wire, tt.pause)
				if ok, err := d.Wait(0); !ok || err != nil {
					t.Fatal(ok, err)
				}
				begun := time.Now()
				opcode, p, err := d.Next(timeout)
				if !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Fatalf("%d, %q, %v; want os.ErrDeadlineExceeded", opcode, p, err)
				}
				if took := time.Since(begun); took != timeout {
					t.Errorf("after %v, want %v", took, timeout)
				}
			})
		})
	}
}

// TestTimeoutIsPerMessage has many messages that each take nearly as long as they may.
func TestTimeoutIsPerMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, _, peer := piped(t, false)
		wire := text("twelve bytes")
		peer.slowly(bytes.Repeat(wire, 20), time.Second)
		for i := range 20 {
			if ok, err := d.Wait(time.Duration(i%2) * 10 * time.Second); !ok || err != nil {
				t.Fatalf("message %d: %v, %v", i, ok, err)
			}
			if _, p, err := d.Next(time.Duration(len(wire)) * time.Second); err != nil || string(p) != "twelve bytes" {
				t.Fatalf("message %d: %q, %v", i, p, err)
			}
		}
	})
}
