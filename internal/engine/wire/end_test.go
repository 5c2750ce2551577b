package wire

import (
	"bufio"
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/gohubkit/hubkit/internal/engine/frame"
)

// TestOverflow fills the backlog of a connection that takes nothing at all.
func TestOverflow(t *testing.T) {
	ten := strings.Repeat("x", 8) // ten bytes, with the header
	send := func(r *rig) (int, error) {
		sent, retained, err := r.Send(r.batchOf(ten), 0)
		if sent != 0 || retained != (err == nil) {
			panic("sent into a pipe that nobody reads")
		}
		return 1, err
	}
	sendThree := func(r *rig) (int, error) {
		_, _, err := r.Send(r.batchOf("skipped", ten, ten, ten), 1)
		return 3, err
	}
	sendOne := func(r *rig) (int, error) { return 0, r.SendOne(oneFrame(ten)) }
	for _, tt := range []struct {
		name            string
		messages, bytes int
		send            func(*rig) (room int, err error)
		fits            int
	}{
		{"messages", 7, 1 << 20, send, 7},
		{"bytes", 100, 79, send, 7},
		{"bytes to the last", 100, 70, send, 7},
		{"batches by messages", 7, 1 << 20, sendThree, 2},
		{"batches by bytes", 100, 89, sendThree, 2},
		{"single frames by messages", 7, 1 << 20, sendOne, 7},
		{"single frames by bytes", 100, 79, sendOne, 7},
		{"the first may be larger than the bound", 2, 5, sendThree, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			conf := generous
			conf.MaxMessages, conf.MaxBytes = tt.messages, tt.bytes
			r := newRig(t, conf, func(testing.TB) (conn, peer net.Conn) { return net.Pipe() })
			room := 0
			for i := range tt.fits {
				n, err := tt.send(r)
				if err != nil {
					t.Fatalf("%d: %v", i, err)
				}
				room += n
			}
			r.notFailed(t)
			for _, want := range []error{ErrOverflow, net.ErrClosed} {
				n, err := tt.send(r)
				if !errors.Is(err, want) {
					t.Fatalf("one too many: %v, want %v", err, want)
				}
				room += n
			}
			r.Finish(frame.AppendClose(nil, 1000, ""))
			if err := r.failedOnce(t); !errors.Is(err, ErrOverflow) {
				t.Errorf("the owner was told %v, want ErrOverflow", err)
			}
			if got := r.counters.Dropped.Load(); got != int64(room) {
				t.Errorf("Dropped = %d, want %d", got, room)
			}
			if _, err := r.peer.Read(make([]byte, 1)); err == nil {
				t.Error("the connection is open")
			}
		})
	}
}

func TestCloseDropsWhatWaits(t *testing.T) {
	eachKind(t, func(t *testing.T, connect func(testing.TB) (conn, peer net.Conn)) {
		r := newRig(t, generous, connect)
		total, sent := r.fill(t)
		drained := make(chan error)
		for range 2 {
			go func() { drained <- r.Drained(context.Background()) }()
		}
		for range 10 {
			if _, _, err := r.Send(r.batchOf("one", "two"), 0); err != nil {
				t.Fatal(err)
			}
			if err := r.SendOne(oneFrame("not counted")); err != nil {
				t.Fatal(err)
			}
		}
		total += 20
		if !r.Close() {
			t.Error("Close did not close")
		}
		if r.Close() {
			t.Error("Close closed twice")
		}
		for range 2 {
			if err := <-drained; !errors.Is(err, net.ErrClosed) {
				t.Errorf("Drained: %v, want net.ErrClosed", err)
			}
		}
		r.flushers.Wait()
		r.notFailed(t)
		delivered, dropped := r.counters.Delivered.Load(), r.counters.Dropped.Load()
		if got := sent + int(delivered+dropped); got != total || dropped < 20 {
			t.Errorf("%d sent, %d delivered, %d dropped; %d in all", sent, delivered, dropped, total)
		}
		if err := r.Drained(t.Context()); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Drained after Close: %v, want net.ErrClosed", err)
		}
		if err := r.SendOne(oneFrame("late")); !errors.Is(err, net.ErrClosed) {
			t.Errorf("SendOne after Close: %v, want net.ErrClosed", err)
		}
		if _, _, err := r.Send(r.batchOf("late"), 0); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Send after Close: %v, want net.ErrClosed", err)
		}
		if err := r.Use(func(int) error { t.Error("used after Close"); return nil }); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Use after Close: %v, want net.ErrClosed", err)
		}
	})
}

// TestPeerGone has the peer leave while much waits.
func TestPeerGone(t *testing.T) {
	eachKind(t, func(t *testing.T, connect func(testing.TB) (conn, peer net.Conn)) {
		r := newRig(t, generous, connect)
		total, sent := r.fill(t)
		_ = r.peer.Close()
		if err := r.failedOnce(t); errors.Is(err, ErrOverflow) || errors.Is(err, ErrTimeout) {
			t.Errorf("the owner was told %v", err)
		}
		if got := sent + int(r.counters.Delivered.Load()+r.counters.Dropped.Load()); got != total {
			t.Errorf("%d accounted for, want %d", got, total)
		}
		if err := r.SendOne(nil); !errors.Is(err, net.ErrClosed) {
			t.Errorf("SendOne: %v, want net.ErrClosed", err)
		}
	})
}

// TestPeerGoneWhileIdle finds out with a message that is sent directly.
func TestPeerGoneWhileIdle(t *testing.T) {
	for name, send := range map[string]func(r *rig) error{
		"Send":    func(r *rig) error { _, _, err := r.Send(r.batchOf("x"), 0); return err },
		"SendOne": func(r *rig) error { return r.SendOne(oneFrame("x")) },
		"Finish":  func(r *rig) error { r.Finish(oneFrame("x")); return errors.New("unknown") },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, generous, tcpPair)
			if err := r.peer.(*net.TCPConn).SetLinger(0); err != nil {
				t.Fatal(err)
			}
			_ = r.peer.Close()
			// The reset has arrived when a read has seen it.
			if _, err := r.conn.Read(make([]byte, 1)); err == nil {
				t.Fatal("read from a peer that is gone")
			}
			if err := send(r); err == nil {
				t.Error("no error")
			}
			if err := r.failedOnce(t); err == nil {
				t.Error("the owner was told nil")
			}
			if r.Close() {
				t.Error("the Writer was open still")
			}
		})
	}
}

func TestDrained(t *testing.T) {
	eachKind(t, func(t *testing.T, connect func(testing.TB) (conn, peer net.Conn)) {
		r := newRig(t, generous, connect)
		if err := r.Drained(t.Context()); err != nil {
			t.Fatalf("nothing waits: %v", err)
		}
		if !r.Immediate() {
			t.Error("nothing waits, and still something is to be written soon")
		}
		total, _ := r.fill(t)
		if direct := r.fd >= 0; r.Immediate() != direct {
			t.Errorf("Immediate() = %v, want %v", !direct, direct)
		}
		cause := errors.New("enough")
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(cause)
		if err := r.Drained(ctx); !errors.Is(err, cause) {
			t.Errorf("Drained: %v, want the cause", err)
		}
		results := make(chan error)
		for range 3 {
			go func() { results <- r.Drained(context.Background()) }()
		}
		br := bufio.NewReader(r.peer)
		for range total {
			if _, _, err := readFrame(br); err != nil {
				t.Fatal(err)
			}
		}
		for range 3 {
			if err := <-results; err != nil {
				t.Error(err)
			}
		}
	})
}

func TestUse(t *testing.T) {
	eachKind(t, func(t *testing.T, connect func(testing.TB) (conn, peer net.Conn)) {
		r := newRig(t, generous, connect)
		want := errors.New("passed on")
		got := -1
		err := r.Use(func(fd int) error { got = fd; return want })
		if r.fd < 0 {
			want = net.ErrClosed
		}
		if got != r.fd || !errors.Is(err, want) {
			t.Errorf("descriptor %d, %v; want %d, %v", got, err, r.fd, want)
		}
	})
}

// TestTryUse: it is Use but where the Writer is in use, or closed.
func TestTryUse(t *testing.T) {
	eachKind(t, func(t *testing.T, connect func(testing.TB) (conn, peer net.Conn)) {
		r := newRig(t, generous, connect)
		got := -1
		if ok := r.TryUse(func(fd int) { got = fd }); got != r.fd || ok != (r.fd >= 0) {
			t.Errorf("descriptor %d, %v; want %d", got, ok, r.fd)
		}
		never := func(int) { t.Error("used") }
		_ = r.Use(func(int) error {
			if r.TryUse(never) {
				t.Error("used while it is in use")
			}
			return nil
		})
		r.Close()
		if r.TryUse(never) {
			t.Error("used after Close")
		}
	})
}

// TestUseAgainstClose sees that the descriptor stays valid until Use returns.
func TestUseAgainstClose(t *testing.T) {
	for range 50 {
		r := newRig(t, generous, tcpPair)
		raw, err := r.conn.(*net.TCPConn).SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		stillOpen := func(fd int) error {
			if err := raw.Control(func(now uintptr) {
				if int(now) != fd {
					t.Errorf("descriptor %d, want %d", fd, now)
				}
			}); err != nil {
				t.Errorf("closed while it was used: %v", err)
			}
			return nil
		}
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				for r.Use(stillOpen) == nil {
				}
			})
		}
		r.Close()
		wg.Wait()
	}
}

// TestFinishLast: the last frame arrives whole, behind what waits. If it is alone it also arrives if the other side has sent what nobody
// has read.
func TestFinishLast(t *testing.T) {
	eachKind(t, func(t *testing.T, connect func(testing.TB) (conn, peer net.Conn)) {
		for _, waits := range []bool{false, true} {
			r := newRig(t, generous, connect)
			if _, socket := r.peer.(interface{ SetReadBuffer(int) error }); socket && !waits { // it takes that without a reader
				if _, err := r.peer.Write([]byte("unread")); err != nil {
					t.Fatal(err)
				}
			}
			total := 0
			if waits {
				total, _ = r.fill(t)
			}
			r.FinishLast(frame.AppendClose(nil, 1000, "bye"))
			r.FinishLast(frame.AppendClose(nil, 1002, "ignored"))
			closed := make(chan struct{})
			go func() {
				defer close(closed)
				_ = r.Drained(context.Background())
				r.Close()
			}()
			br := bufio.NewReader(r.peer)
			for i := range total {
				if _, _, err := readFrame(br); err != nil {
					t.Fatalf("message %d of %d: %v", i, total, err)
				}
			}
			if op, got, err := readFrame(br); op != frame.Close || got != "\x03\xe8bye" || err != nil {
				t.Errorf("opcode %d, %q, %v", op, got, err)
			}
			<-closed
			r.flushers.Wait()
			r.notFailed(t)
		}
	})
}
