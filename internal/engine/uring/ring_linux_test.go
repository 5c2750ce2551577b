package uring

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/gohubkit/hubkit/internal/engine/fastpath"
)

// newRing makes a Ring. It returns nil where the system has none, which it checks is what the error says; the callers
// then do without, which other tests are about.
func newRing(t testing.TB, size int) *Ring {
	t.Helper()
	r, err := New(size)
	if err != nil {
		if !errors.Is(err, syscall.ENOSYS) && !errors.Is(err, syscall.EPERM) && !errors.Is(err, errors.ErrUnsupported) {
			t.Fatal(err)
		}
		if off := !fastpath.Uring.Enabled(); off != strings.Contains(err.Error(), fastpath.Env) {
			t.Errorf("turned off: %v; the error says %v", off, err)
		}
		t.Logf("there is no ring to test here: %v", err)
		return nil
	}
	if !fastpath.Uring.Enabled() {
		t.Error("a ring that is turned off was made")
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// pair is a connected pair of sockets that do not block.
func pair(t testing.TB) (a, b int) {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Close(fds[0])
		_ = syscall.Close(fds[1]) // closed by the test already, perhaps
	})
	return fds[0], fds[1]
}

// submit returns what each of n sends came to; -1 for those that done was not called for.
func submit(t *testing.T, r *Ring) []int {
	t.Helper()
	got := make([]int, r.Len())
	for i := range got {
		got[i] = -1
	}
	if err := r.Submit(func(i, n int) {
		if got[i] != -1 {
			t.Errorf("send %d ended twice", i)
		}
		got[i] = n
	}); err != nil {
		t.Fatal(err)
	}
	if r.Len() != 0 {
		t.Errorf("%d sends left", r.Len())
	}
	return got
}

func TestSubmit(t *testing.T) {
	const size = 8
	r := newRing(t, size)
	if r == nil {
		return
	}
	var to, from [size]int
	for i := range size {
		to[i], from[i] = pair(t)
	}
	if got := submit(t, r); len(got) != 0 {
		t.Errorf("%d sends out of none", len(got))
	}
	buf := make([]byte, 100)
	for round := range 3 * size { // the rings wrap around
		n := 1 + round%size
		for i := range n {
			r.Send(to[i], fmt.Appendf(nil, "message %d to %d", round, i))
		}
		if r.Full() != (n == size) {
			t.Errorf("Full = %v with %d of %d", r.Full(), n, size)
		}
		for i, sent := range submit(t, r) {
			want := fmt.Sprintf("message %d to %d", round, i)
			got, err := syscall.Read(from[i], buf)
			if err != nil || string(buf[:got]) != want || sent != len(want) {
				t.Errorf("%d sent, %q received, %v; want %q", sent, buf[:max(got, 0)], err, want)
			}
		}
	}
}

// TestRefusals sends to sockets that are full, nearly full, closed at the other end, and no sockets.
func TestRefusals(t *testing.T) {
	r := newRing(t, 8)
	if r == nil {
		return
	}
	full, _ := pair(t)
	for {
		if _, err := syscall.Write(full, make([]byte, 4096)); err != nil {
			break
		}
	}
	gone, other := pair(t)
	_ = syscall.Close(other)
	nearly, reader := pair(t)
	good, received := pair(t)
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = null.Close() }()

	large := bytes.Repeat([]byte("x"), 8<<20)
	r.Send(full, []byte("x"))
	r.Send(gone, []byte("x"))
	r.Send(nearly, large)
	r.Send(int(null.Fd()), []byte("x"))
	r.Send(-1, []byte("x"))
	r.Send(good, []byte("good"))
	got := submit(t, r)
	if got[0] != 0 || got[1] != 0 || got[3] != 0 || got[4] != 0 || got[5] != 4 {
		t.Errorf("sent %v", got)
	}
	if got[2] <= 0 || got[2] >= len(large) {
		t.Errorf("%d of %d bytes sent to a socket that is nearly full", got[2], len(large))
	}
	buf := make([]byte, len(large))
	n := 0
	for n < got[2] {
		m, err := syscall.Read(reader, buf)
		if err != nil {
			t.Fatal(err)
		}
		n += m
	}
	if _, err := syscall.Read(reader, buf); n != got[2] || !errors.Is(err, syscall.EAGAIN) {
		t.Errorf("%d bytes received, then %v; want %d", n, err, got[2])
	}
	if n, err := syscall.Read(received, buf); err != nil || string(buf[:n]) != "good" {
		t.Errorf("received %q, %v", buf[:max(n, 0)], err)
	}
}

// TestSubmitFails takes the ring away: what was not sent is known.
func TestSubmitFails(t *testing.T) {
	if newRing(t, 8) == nil {
		return
	}
	r, err := New(8)
	if err != nil {
		t.Fatal(err)
	}
	to, from := pair(t)
	_ = syscall.Close(r.fd)
	r.fd = -1
	r.Send(to, []byte("x"))
	if err := r.Submit(func(i, _ int) { t.Errorf("send %d ended", i) }); !errors.Is(err, syscall.EBADF) {
		t.Errorf("Submit = %v", err)
	}
	if n, err := syscall.Read(from, make([]byte, 1)); !errors.Is(err, syscall.EAGAIN) {
		t.Errorf("%d bytes received, %v", n, err)
	}
	if err := r.Close(); !errors.Is(err, syscall.EBADF) {
		t.Errorf("Close = %v", err)
	}
}

func TestNoRing(t *testing.T) {
	for _, size := range []int{0, 1 << 30} {
		if r, err := New(size); err == nil {
			t.Errorf("a ring of %d", size)
			_ = r.Close()
		}
	}
}
