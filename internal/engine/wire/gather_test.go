package wire

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/gohubkit/hubkit/internal/engine/frame"
)

// one sends a frame of its own.
func (r *rig) one(t *testing.T, s string) {
	t.Helper()
	if err := r.SendOne(oneFrame(s)); err != nil {
		t.Error(err)
	}
}

// wants reads what is wanted, and fails if it is something else.
func (r *rig) wants(t *testing.T, want ...string) {
	t.Helper()
	var all []byte
	for _, w := range want {
		all = append(all, oneFrame(w)...)
	}
	got := make([]byte, len(all))
	if _, err := io.ReadFull(r.peer, got); err != nil || !bytes.Equal(got, all) {
		t.Errorf("got %q, %v, want %q", got, err, all)
	}
}

// TestGatherIsOneWrite: a pipe is read one write at a time.
func TestGatherIsOneWrite(t *testing.T) {
	r := newRig(t, generous, func(testing.TB) (conn, peer net.Conn) { return net.Pipe() })
	r.Gather()
	want := append(append(oneFrame("a"), oneFrame("b")...), oneFrame("c")...)
	for _, s := range []string{"a", "b", "c"} {
		r.one(t, s)
	}
	r.Release()
	got := make([]byte, 100)
	if n, err := r.peer.Read(got); err != nil || !bytes.Equal(got[:n], want) {
		t.Errorf("one read: %q, %v, want %q", got[:n], err, want)
	}
}

// TestGatherEnds: whatever is asked of a Writer that gathers goes behind what has gathered, which it sends.
func TestGatherEnds(t *testing.T) {
	ctx := context.Background()
	for name, f := range map[string]func(r *rig) (then string){
		"Release": func(r *rig) string { r.Release(); return "" },
		"Send": func(r *rig) string {
			_, _, _ = r.Send(r.batchOf("then"), 0)
			return "then"
		},
		"SendAnswer": func(r *rig) string {
			_ = r.SendAnswer(oneFrame("then"), frame.Single(nil))
			return "then"
		},
		"Page": func(r *rig) string {
			_ = r.Page(ctx, &r.source, r.batchOf("then"))
			return "then"
		},
		"AwaitPages": func(r *rig) string { _ = r.AwaitPages(ctx, &r.source); return "" },
		"Answered":   func(r *rig) string { _ = r.Answered(ctx, &r.source); return "" },
		"Backlog":    func(r *rig) string { r.Backlog(); return "" },
		"Stats":      func(r *rig) string { r.Stats(); return "" },
		"Load":       func(r *rig) string { r.Load(); return "" },
		"Moved":      func(r *rig) string { r.Moved(); return "" },
		"Immediate":  func(r *rig) string { r.Immediate(); return "" },
		"Use":        func(r *rig) string { _ = r.Use(func(int) error { return nil }); return "" },
		"Forget":     func(r *rig) string { r.Forget(&r.source); return "" },
		"Finish":     func(r *rig) string { r.Finish(oneFrame("then")); return "then" },
		"too much": func(r *rig) string {
			_ = r.SendOne(oneFrame(strings.Repeat("x", gatherMost)))
			return strings.Repeat("x", gatherMost)
		},
	} {
		t.Run(name, func(t *testing.T) {
			eachKind(t, func(t *testing.T, connect func(testing.TB) (conn, peer net.Conn)) {
				r := newRig(t, generous, connect)
				r.Gather()
				r.one(t, "a")
				r.one(t, "b")
				then := f(r)
				if want := []string{"a", "b", then}; then != "" {
					r.wants(t, want...)
				} else {
					r.wants(t, want[:2]...)
				}
				r.notFailed(t)
			})
		})
	}
}

// TestGatherBeforeClose: what was answered is sent before the socket is closed, as it is without gathering.
func TestGatherBeforeClose(t *testing.T) {
	r := newRig(t, generous, tcpPair)
	r.Gather()
	r.one(t, "a")
	r.Close()
	r.wants(t, "a")
	if err := r.SendOne(oneFrame("b")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("SendOne: %v, want net.ErrClosed", err)
	}
	r.Gather()
	r.Release()
}

// TestGatherNothing: a Writer that has gathered nothing is as it was, and so is one whose owner gathers twice.
func TestGatherNothing(t *testing.T) {
	eachKind(t, func(t *testing.T, connect func(testing.TB) (conn, peer net.Conn)) {
		r := newRig(t, generous, connect)
		r.Gather()
		r.Gather()
		r.Release()
		r.Release()
		if messages, bytes := r.Backlog(); messages != 0 || bytes != 0 {
			t.Errorf("%d messages of %d bytes wait", messages, bytes)
		}
		r.one(t, "a")
		r.wants(t, "a")
		if _, _, ok := r.Hold(r.batchOf("b"), 0); ok {
			r.Settle(r.batchOf("b"), 0, 0)
		} else if r.fd >= 0 {
			t.Error("Hold: refused, though nothing is under way")
		}
		r.Gather()
		if _, _, ok := r.Hold(r.batchOf("b"), 0); ok {
			t.Error("Hold: ok, though frames gather")
		}
	})
}

// TestGatherInBrokenSocket: the owner hears of the failure once.
func TestGatherInBrokenSocket(t *testing.T) {
	r := newRig(t, generous, unixPair)
	r.Gather()
	r.one(t, "a")
	_ = r.peer.Close()
	r.Release()
	if err := r.failedOnce(t); err == nil {
		t.Error("the owner was told of no error")
	}
}
