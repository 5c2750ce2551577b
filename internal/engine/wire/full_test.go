package wire

import (
	"bufio"
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/gohubkit/hubkit/internal/engine/frame"
)

// TestFullWriterFinishes: a backlog that overflows makes way for the close frame. Who reads on gets the end of the frame that was
// in its socket in part, and then the close frame; every message is counted once.
func TestFullWriterFinishes(t *testing.T) {
	eachKind(t, func(t *testing.T, connect func(testing.TB) (conn, peer net.Conn)) {
		conf := generous
		conf.MaxMessages = 8
		r := newRig(t, conf, connect)
		full := make(chan struct{}, 2)
		r.full = func() { full <- struct{}{} }
		total, sent := r.fill(t)
		var err error
		for err == nil {
			_, _, err = r.Send(r.batchOf("one", "two"), 0)
			total += 2
		}
		if !errors.Is(err, ErrOverflow) {
			t.Fatalf("Send: %v, want ErrOverflow", err)
		}
		<-full
		if messages, _ := r.Backlog(); messages > 1 {
			t.Errorf("%d messages wait still", messages)
		}
		if _, _, err := r.Send(r.batchOf("late"), 0); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Send: %v, want net.ErrClosed", err)
		}
		total++
		if err := r.SendOne(oneFrame("late")); !errors.Is(err, net.ErrClosed) {
			t.Errorf("SendOne: %v, want net.ErrClosed", err)
		}
		if err := r.SendAnswer(oneFrame("late"), frame.Single(nil)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("SendAnswer: %v, want net.ErrClosed", err)
		}
		for range 2 {
			r.Finish(frame.AppendClose(nil, 4001, "slow consumer"))
		}
		br, got := bufio.NewReader(r.peer), 0
		for {
			opcode, payload, err := readFrame(br)
			if err != nil {
				t.Fatal(err)
			}
			if opcode == frame.Close {
				if payload != "\x0f\xa1slow consumer" {
					t.Errorf("closed with %q", payload)
				}
				break
			}
			got++
		}
		if err := r.Drained(t.Context()); err != nil {
			t.Fatal(err)
		}
		delivered, dropped := int(r.counters.Delivered.Load()), int(r.counters.Dropped.Load())
		if sent+delivered != got || got+dropped != total {
			t.Errorf("%d received, %d sent at once, %d delivered, %d dropped; %d in all", got, sent, delivered, dropped, total)
		}
		if r.Close(); len(full) > 0 || int(r.counters.Dropped.Load()) != dropped {
			t.Error("told or counted twice")
		}
	})
}

// TestFullWriterIsClosed: one who never reads holds a frame and the close frame until the owner closes the Writer.
func TestFullWriterIsClosed(t *testing.T) {
	r := stalledRig(t, 3, 1<<20)
	r.full = func() { r.Finish(frame.AppendClose(nil, 4001, "")) }
	rooms, seq := make(sources), uint64(0)
	for _, room := range []string{"oldest", "conflate", "disconnect", "disconnect"} {
		_, _, _ = r.Send(rooms.batch(room, &seq, room+"=1", room+"=2"), 0)
	}
	if err := <-r.failed; !errors.Is(err, ErrOverflow) {
		t.Fatal(err)
	}
	if messages, bytes := r.Backlog(); messages != 2 || bytes != len(oneFrame("head"))+len(frame.AppendClose(nil, 4001, "")) {
		t.Errorf("%d messages of %d bytes wait", messages, bytes)
	}
	if !r.Close() {
		t.Error("it was closed before")
	}
	lost := int64(0)
	for _, src := range rooms {
		lost += src.Account.Dropped.Load() + src.Account.Conflated.Load()
	}
	if lost != 8 {
		t.Errorf("%d are counted as lost, want 8", lost)
	}
	r.flushers.Wait()
	r.notFailed(t)
}

// TestFullWriterOfReplay: what was still to be read from a history is given up too, and its reader finds the Writer closed.
func TestFullWriterOfReplay(t *testing.T) {
	r := stalledRig(t, 5, 1<<20)
	r.full = func() { r.Finish(frame.AppendClose(nil, 4001, "")) }
	rooms, seq := make(sources), uint64(0)
	for _, messages := range [][]string{{"1", "2", "3"}, {"4", "5", "6"}} { // it falls behind with the second
		if _, _, err := r.Send(rooms.batch("replay", &seq, messages...), 0); err != nil {
			t.Fatal(err)
		}
	}
	src := rooms.get("replay")
	if _, _, err := r.Send(rooms.batch("disconnect", &seq, "1", "2", "3", "4", "5", "6"), 0); !errors.Is(err, ErrOverflow) {
		t.Fatal(err)
	}
	if _, _, err := r.Send(rooms.batch("replay", &seq, "7"), 0); !errors.Is(err, net.ErrClosed) {
		t.Fatal(err)
	}
	if err := r.Page(t.Context(), src, rooms.batch("replay", &seq, "page")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Page: %v", err)
	}
	r.Resume(src, seq)
	expectFrames(t, bufio.NewReader(r.peer), "head", "\x0f\xa1")
	if err := r.Drained(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := src.Account.Dropped.Load(); n != 7 {
		t.Errorf("%d of 7 are counted as dropped", n)
	}
}

// TestFullWithPartOfAnAnswer: an answer in two parts of which the socket has taken some is finished; one that has not begun goes.
func TestFullWithPartOfAnAnswer(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	head := frame.AppendHead(nil, frame.Text, len("head ")+len(long))
	head = append(head, "head "...)
	tail := frame.Tail([]byte(long), new(frame.Source))
	for _, begun := range []bool{true, false} {
		conf := generous
		conf.MaxMessages = 4
		r := newRig(t, conf, unixPair)
		r.full = func() { r.Finish(frame.AppendClose(nil, 4001, "")) }
		want := []string{"head " + long, "\x0f\xa1"}
		if !begun {
			if err := r.SendOne(oneFrame(long)); err != nil {
				t.Fatal(err)
			}
			want[0] = long
		}
		if err := r.SendAnswer(append([]byte(nil), head...), tail); err != nil {
			t.Fatal(err)
		}
		err := error(nil)
		for err == nil {
			err = r.SendOne(oneFrame("more"))
		}
		if !errors.Is(err, ErrOverflow) {
			t.Fatal(err)
		}
		expectFrames(t, bufio.NewReader(r.peer), want...)
	}
}
