package wire

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gohubkit/hubkit/internal/engine/frame"
)

func TestSend(t *testing.T) {
	eachKind(t, func(t *testing.T, connect func(testing.TB) (conn, peer net.Conn)) {
		r := newRig(t, generous, connect)
		br := bufio.NewReader(r.peer)
		total, direct := 0, 0
		for _, tt := range []struct {
			messages []string
			from     int
		}{{[]string{"a"}, 0}, {[]string{"b", "c", "d"}, 0}, {[]string{"x", "y", "e"}, 2}} {
			sent, retained, err := r.Send(r.batchOf(tt.messages...), tt.from)
			if err != nil {
				t.Fatal(err)
			}
			n := len(tt.messages) - tt.from
			if want := r.fd >= 0; want && sent != n || !want && sent != 0 || retained == want {
				t.Errorf("%d of %d sent, retained: %v", sent, n, retained)
			}
			total += n
			direct += sent
		}
		if err := r.SendOne(oneFrame("f")); err != nil {
			t.Fatal(err)
		}
		expectFrames(t, br, "a", "b", "c", "d", "e", "f")
		if err := r.Drained(t.Context()); err != nil {
			t.Fatal(err)
		}
		// The reply is no room's message and is not counted.
		if got := r.counters.Delivered.Load(); got != int64(total-direct) {
			t.Errorf("Delivered = %d, want %d", got, total-direct)
		}
		if got := r.counters.Dropped.Load(); got != 0 {
			t.Errorf("Dropped = %d", got)
		}
	})
}

// TestStalledReader fills the socket, and sees everything arrive in order once it is read.
func TestStalledReader(t *testing.T) {
	eachKind(t, func(t *testing.T, connect func(testing.TB) (conn, peer net.Conn)) {
		r := newRig(t, generous, connect)
		const n = 2000
		big := strings.Repeat("x", 2000)
		direct := 0
		for i := range n {
			switch i % 3 {
			case 0:
				sent, _, err := r.Send(r.batchOf(fmt.Sprint(3*i, big), fmt.Sprint(3*i+1, big), fmt.Sprint(3*i+2, big)), 0)
				if err != nil {
					t.Fatal(err)
				}
				direct += sent
			default:
				wire := oneFrame(fmt.Sprint(3*i, big))
				if err := r.SendOne(wire); err != nil {
					t.Fatal(err)
				}
				clear(wire) // it is the caller's again
			}
		}
		messages, bytes := r.Backlog()
		if messages < n/2 || bytes < n/2*len(big) {
			t.Fatalf("%d messages with %d bytes wait: the socket was never full", messages, bytes)
		}
		br := bufio.NewReader(r.peer)
		for i := range n {
			expectFrames(t, br, fmt.Sprint(3*i, big))
			if i%3 == 0 {
				expectFrames(t, br, fmt.Sprint(3*i+1, big), fmt.Sprint(3*i+2, big))
			}
		}
		if err := r.Drained(t.Context()); err != nil {
			t.Fatal(err)
		}
		if messages, bytes := r.Backlog(); messages != 0 || bytes != 0 {
			t.Errorf("%d messages with %d bytes wait after all has arrived", messages, bytes)
		}
		if got, want := direct+int(r.counters.Delivered.Load()), (n+2)/3*3; got != want {
			t.Errorf("%d room messages delivered, want %d", got, want)
		}
		r.flushers.Wait() // it ends although the Writer is open
		expectDirect(t, r, br)
	})
}

// expectDirect checks that the Writer writes to the socket itself again.
func expectDirect(t *testing.T, r *rig, br *bufio.Reader) {
	t.Helper()
	sent, _, err := r.Send(r.batchOf("again"), 0)
	if err != nil || r.fd >= 0 && sent != 1 {
		t.Errorf("sent %d directly, %v", sent, err)
	}
	expectFrames(t, br, "again")
}

func TestOrderAmongSenders(t *testing.T) {
	const senders, each = 8, 400
	eachKind(t, func(t *testing.T, connect func(testing.TB) (conn, peer net.Conn)) {
		r := newRig(t, generous, connect)
		var direct atomic.Int64
		var wg sync.WaitGroup
		padding := strings.Repeat("x", 4000)
		for s := range senders {
			wg.Go(func() {
				for i := 0; i < each; {
					if i%4 == 0 {
						if err := r.SendOne(oneFrame(fmt.Sprintf("%d %d %s", s, i, padding))); err != nil {
							t.Error(err)
						}
						i++
						continue
					}
					b := frame.NewBatch(0, &r.source, 0)
					for ; i%4 != 0; i++ {
						b.Add(frame.Message{Opcode: frame.Text}, func(dst []byte, _ frame.Form) []byte { return fmt.Appendf(dst, "%d %d %s", s, i, padding) })
					}
					sent, _, err := r.Send(b, 0)
					if err != nil {
						t.Error(err)
					}
					direct.Add(int64(sent))
				}
			})
		}
		// Some of it goes directly, some is queued.
		await(func() bool { messages, _ := r.Backlog(); return messages > 0 })
		br := bufio.NewReader(r.peer)
		next := make([]int, senders)
		for range senders * each {
			_, got, err := readFrame(br)
			if err != nil {
				t.Fatal(err)
			}
			var s, i int
			if _, err := fmt.Sscan(got, &s, &i); err != nil || !strings.HasSuffix(got, " "+padding) {
				t.Fatalf("a torn message: %v, %q", err, got)
			}
			if i != next[s] {
				t.Fatalf("sender %d: message %d, want %d", s, i, next[s])
			}
			next[s]++
		}
		wg.Wait()
		if err := r.Drained(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got, want := direct.Load()+r.counters.Delivered.Load(), int64(senders*each/4*3); got != want {
			t.Errorf("%d delivered, want %d", got, want)
		}
	})
}

// TestFinish has the close frame come last, however much waits and whoever sends.
func TestFinish(t *testing.T) {
	eachKind(t, func(t *testing.T, connect func(testing.TB) (conn, peer net.Conn)) {
		// The close frame may exceed the bound.
		conf := generous
		conf.MaxMessages = 5
		r := newRig(t, conf, connect)
		total, sent := r.fill(t)
		for range conf.MaxMessages - 1 {
			if _, _, err := r.Send(r.batchOf("queued"), 0); err != nil {
				t.Fatal(err)
			}
			total++
		}
		closeFrame := frame.AppendClose(nil, 1001, "the end")
		r.Finish(closeFrame)
		clear(closeFrame)
		r.Finish(frame.AppendClose(nil, 1002, "ignored"))
		if n, retained, err := r.Send(r.batchOf("late"), 0); n != 0 || retained || !errors.Is(err, net.ErrClosed) {
			t.Errorf("Send after Finish: %d, %v, %v", n, retained, err)
		}
		if err := r.SendOne(oneFrame("late")); !errors.Is(err, net.ErrClosed) {
			t.Errorf("SendOne after Finish: %v", err)
		}
		br := bufio.NewReader(r.peer)
		for range total {
			if opcode, _, err := readFrame(br); opcode != frame.Text {
				t.Fatalf("opcode %d, %v", opcode, err)
			}
		}
		if opcode, p, err := readFrame(br); opcode != frame.Close || p != "\x03\xe9the end" {
			t.Fatalf("opcode %d, %q, %v", opcode, p, err)
		}
		if err := r.Drained(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.flushers.Wait()
		if !r.Close() {
			t.Error("Close after Finish did not close")
		}
		if _, p, err := readFrame(br); err == nil {
			t.Errorf("%q after the close frame", p)
		}
		r.notFailed(t)
		if got := sent + int(r.counters.Delivered.Load()); got != total {
			t.Errorf("%d delivered, want %d", got, total)
		}
	})
}

func TestFinishAtOnce(t *testing.T) {
	r := newRig(t, generous, tcpPair)
	r.Finish(frame.AppendClose(nil, 1000, ""))
	if opcode, _, err := readFrame(bufio.NewReader(r.peer)); opcode != frame.Close {
		t.Errorf("opcode %d, %v", opcode, err)
	}
	if err := r.SendOne(oneFrame("late")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("SendOne after Finish: %v", err)
	}
}

func TestDeflate(t *testing.T) {
	d, err := frame.NewDeflater(1)
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("compress me ", 50)
	compressed := string(d.Append(nil, frame.Text, []byte(long))[2:])
	eachKind(t, func(t *testing.T, connect func(testing.TB) (conn, peer net.Conn)) {
		conf := generous
		conf.Deflater, conf.DeflateMin = d, 100
		r := newRig(t, conf, connect)
		b := r.batchOf("before", "short", long)
		if _, _, err := r.Send(b, 0); err != nil {
			t.Fatal(err)
		}
		r.Deflate()
		if _, _, err := r.Send(b, 1); err != nil {
			t.Fatal(err)
		}
		if err := r.SendOne(oneFrame(long)); err != nil { // a reply is sent as it is
			t.Fatal(err)
		}
		expectFrames(t, bufio.NewReader(r.peer), "before", "short", long, "short", compressed, long)
		if err := r.Drained(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}
