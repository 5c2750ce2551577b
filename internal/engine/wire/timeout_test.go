package wire

import (
	"bufio"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestWriteTimeout(t *testing.T) {
	eachKind(t, func(t *testing.T, connect func(testing.TB) (conn, peer net.Conn)) {
		conf := generous
		conf.Timeout = time.Millisecond
		r := newRig(t, conf, connect)
		total, sent := r.fill(t)
		// A system that is slow may take later what it did not take at once.
		for len(r.failed) == 0 {
			time.Sleep(10 * conf.Timeout)
			n, _, _ := r.Send(r.batchOf("more"), 0) // after the end it is counted as dropped
			total++
			sent += n
		}
		if err := r.failedOnce(t); !errors.Is(err, ErrTimeout) {
			t.Errorf("the owner was told %v, want ErrTimeout", err)
		}
		if got := sent + int(r.counters.Delivered.Load()+r.counters.Dropped.Load()); got != total {
			t.Errorf("%d accounted for, want %d", got, total)
		}
		if err := r.SendOne(oneFrame("late")); !errors.Is(err, net.ErrClosed) {
			t.Errorf("SendOne: %v, want net.ErrClosed", err)
		}
	})
}

// TestTimeoutIsExact runs on the clock of a bubble: the timeout is counted from the last progress, not from
// when the message was queued.
func TestTimeoutIsExact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conf := generous
		conf.Timeout = time.Minute
		r := newRig(t, conf, func(testing.TB) (conn, peer net.Conn) { return net.Pipe() })
		// A message that is a hundred slices long, read by one who takes nearly the timeout for each.
		if _, _, err := r.Send(r.batchOf(strings.Repeat("x", 100*slice)), 0); err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		buf := make([]byte, slice)
		for range 100 {
			time.Sleep(conf.Timeout - time.Second)
			if _, err := io.ReadFull(r.peer, buf); err != nil {
				t.Fatalf("after %v: %v", time.Since(begun), err)
			}
		}
		read := time.Now()
		synctest.Wait()
		r.notFailed(t)
		// Then it stops.
		if err := r.failedOnce(t); !errors.Is(err, ErrTimeout) {
			t.Errorf("the owner was told %v, want ErrTimeout", err)
		}
		if got := time.Since(read); got != conf.Timeout {
			t.Errorf("timed out %v after the last read, want %v", got, conf.Timeout)
		}
		if got := r.counters.Dropped.Load(); got != 1 {
			t.Errorf("Dropped = %d, want 1", got)
		}
		// One who does not read owes nothing where nothing waits.
		idle := newRig(t, conf, func(testing.TB) (conn, peer net.Conn) { return net.Pipe() })
		time.Sleep(time.Hour)
		idle.notFailed(t)
	})
}

// recorder notes the write deadlines that a socket is given.
type recorder struct {
	*net.UnixConn
	mu        sync.Mutex
	deadlines []time.Time
}

func (r *recorder) SetWriteDeadline(d time.Time) error {
	r.mu.Lock()
	r.deadlines = append(r.deadlines, d)
	r.mu.Unlock()
	return r.UnixConn.SetWriteDeadline(d)
}

func (r *recorder) last() (n int, d time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.deadlines), r.deadlines[len(r.deadlines)-1]
}

// TestProgressMovesTheDeadline is the same for a socket: each time it has taken something the time starts
// anew.
func TestProgressMovesTheDeadline(t *testing.T) {
	conn, peer := unixPair(t)
	rec := &recorder{UnixConn: conn.(*net.UnixConn)}
	conf := generous
	begun := time.Now()
	r := newRigOn(t, conf, rec, peer)
	for range 100 {
		if _, _, err := r.Send(r.batchOf(strings.Repeat("x", 100<<10)), 0); err != nil {
			t.Fatal(err)
		}
	}
	await(func() bool {
		rec.mu.Lock()
		defer rec.mu.Unlock()
		return len(rec.deadlines) > 0
	})
	br := bufio.NewReader(peer)
	_, left := r.Backlog()
	n, before := rec.last()
	if before.Before(begun.Add(conf.Timeout)) {
		t.Errorf("first deadline %v after the start, want %v", before.Sub(begun), conf.Timeout)
	}
	for range 5 {
		// Read until more has gone into the socket, which was full.
		for now := left; now == left; _, now = r.Backlog() {
			if _, err := br.Discard(4 << 10); err != nil {
				t.Fatal(err)
			}
		}
		await(func() bool { m, _ := rec.last(); return m > n })
		m, after := rec.last()
		if !after.After(before) {
			t.Fatalf("deadline %v after progress, %v before", after, before)
		}
		n, before = m, after
		_, left = r.Backlog()
	}
	r.notFailed(t)
}
