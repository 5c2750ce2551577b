package wire

import (
	"bufio"
	"bytes"
	"net"
	"strings"
	"testing"

	"github.com/gohubkit/hubkit/internal/engine/netpoll"
	"github.com/gohubkit/hubkit/internal/engine/sock"
)

func TestHold(t *testing.T) {
	eachKind(t, func(t *testing.T, connect func(testing.TB) (conn, peer net.Conn)) {
		r := newRig(t, generous, connect)
		b := r.batchOf("a", "bb", "ccc")
		fd, data, ok := r.Hold(b, 1)
		if want := r.fd >= 0; ok != want {
			t.Fatalf("Hold = %v, want %v", ok, want)
		}
		if !ok {
			return
		}
		if fd != r.fd || !bytes.Equal(data, b.Wire(1)) {
			t.Errorf("fd %d, %q", fd, data)
		}
		if _, _, ok := r.Hold(b, 0); ok {
			t.Error("held twice")
		}
		// Others wait until it is settled, and come after it.
		done := make(chan error)
		go func() { done <- r.SendOne(oneFrame("d")) }()
		n, err := sock.Send(fd, data)
		if err != nil || n != len(data) {
			t.Fatal(n, err)
		}
		if sent, retained := r.Settle(b, 1, n); sent != 2 || retained {
			t.Errorf("Settle = %d, %v", sent, retained)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
		expectFrames(t, bufio.NewReader(r.peer), "bb", "ccc", "d")
	})
}

// TestSettleInPart has the socket take nothing, a part of a message, and a message and a half. What it did not take
// comes after, in order.
func TestSettleInPart(t *testing.T) {
	if !netpoll.Supported {
		return // nothing is ever held
	}
	for _, tt := range []struct {
		name       string
		sent       int // bytes; see below
		complete   int // messages
		want       []string
		countLater int64
	}{
		{"nothing", 0, 0, []string{"after"}, 0},
		{"half a message", 1, 0, []string{"a", "bb", "ccc", "after"}, 3},
		{"one and a half", len(oneFrame("a")) + 1, 1, []string{"a", "bb", "ccc", "after"}, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, generous, tcpPair)
			b := r.batchOf("a", "bb", "ccc")
			fd, data, ok := r.Hold(b, 0)
			if !ok {
				t.Fatal("not held")
			}
			if n, err := sock.Send(fd, data[:tt.sent]); err != nil || n != tt.sent {
				t.Fatal(n, err)
			}
			if sent, retained := r.Settle(b, 0, tt.sent); sent != tt.complete || retained != (tt.sent > 0) {
				t.Errorf("Settle = %d, %v", sent, retained)
			}
			if err := r.SendOne(oneFrame("after")); err != nil {
				t.Fatal(err)
			}
			expectFrames(t, bufio.NewReader(r.peer), tt.want...)
			if err := r.Drained(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := r.counters.Delivered.Load(); got != tt.countLater {
				t.Errorf("Delivered = %d, want %d", got, tt.countLater)
			}
		})
	}
}

// TestNotHeld are the Writers that have something else to do first.
func TestNotHeld(t *testing.T) {
	for _, tt := range []struct {
		name    string
		prepare func(t *testing.T, r *rig)
	}{
		{"backlog", func(t *testing.T, r *rig) { r.fill(t) }},
		{"reading on from history", func(_ *testing.T, r *rig) {
			r.more().lags = []lag{{source: &r.source, until: forever}}
			r.lagging = true
		}},
		{"compressing", func(_ *testing.T, r *rig) { r.Deflate() }},
		{"finished", func(_ *testing.T, r *rig) { r.Finish(oneFrame("bye")) }},
		{"closed", func(_ *testing.T, r *rig) { r.Close() }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, generous, tcpPair)
			tt.prepare(t, r)
			if _, _, ok := r.Hold(r.batchOf(strings.Repeat("x", 100)), 0); ok {
				t.Error("held")
			}
			r.Backlog() // hangs if it was left locked
		})
	}
}
