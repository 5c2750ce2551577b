package wire

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gohubkit/hubkit/internal/engine/frame"
)

// TestResumeAheadOfTheRoom: who has read further than the room has come gets nothing twice, even where the room's next
// batch has both what was read and what was not.
func TestResumeAheadOfTheRoom(t *testing.T) {
	r := stalledRig(t, 4, 1<<20)
	rooms, seq := make(sources), uint64(0)
	src := rooms.get("replay")
	send := func(messages ...string) {
		t.Helper()
		if _, _, err := r.Send(rooms.batch("replay", &seq, messages...), 0); err != nil {
			t.Fatal(err)
		}
	}
	send("1", "2", "3", "4")
	ahead := uint64(0)
	if err := r.Page(t.Context(), src, rooms.batch("replay", &ahead, "1", "2")); err != nil {
		t.Fatal(err)
	}
	br := bufio.NewReader(r.peer)
	expectFrames(t, br, "head", "1", "2")
	if err := r.Page(t.Context(), src, rooms.batch("replay", &ahead, "3", "4", "5", "6")); err != nil {
		t.Fatal(err)
	}
	expectFrames(t, br, "3", "4", "5", "6")
	if err := r.Drained(t.Context()); err != nil { // else there may be no place for what comes, and it falls behind anew
		t.Fatal(err)
	}
	r.Resume(src, ahead)
	send("5", "6", "7")
	expectFrames(t, br, "7")
	send("8")
	expectFrames(t, br, "8")
	if err := r.Drained(t.Context()); err != nil {
		t.Fatal(err)
	}
	if a := src.Account; a.Dropped.Load() != 0 || a.Delivered.Load() != 8 || r.lagging {
		t.Errorf("%d delivered, %d dropped, lagging: %v", a.Delivered.Load(), a.Dropped.Load(), r.lagging)
	}
}

// TestGapsInReplay: whatever is read, or is found to be missing, before or after it comes by the room, every message is
// counted once, as what the client saw of it. Every fourth of them is a skip in half of the runs, which counts as nothing.
func TestGapsInReplay(t *testing.T) {
	const messages = 60
	for seed := range uint64(50) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		r := stalledRig(t, 4, 1<<20)
		rooms := make(sources)
		src := rooms.get("replay")
		skip := func(n uint64) bool { return seed%2 == 1 && n%4 == 2 } // the message with index n, if it is not the last
		plain := func(from, to uint64) (count int64) {
			for n := from; n < to; n++ {
				if !skip(n) {
					count++
				}
			}
			return count
		}
		batch := func(from, to uint64) *frame.Batch {
			seq, texts := 2*from, []string(nil)
			for n := from; n < to; n++ {
				if skip(n) {
					texts = append(texts, fmt.Sprint("~", n+1))
				} else {
					texts = append(texts, fmt.Sprint(n+1))
				}
			}
			return rooms.batch("replay", &seq, texts...)
		}
		came, read := uint64(0), uint64(0)
		come := func(n uint64) {
			n = min(n, messages-came)
			if n == 0 {
				return
			}
			if _, _, err := r.Send(batch(came, came+n), 0); err != nil {
				t.Fatal(err)
			}
			came += n
		}
		come(4) // for which there is no place
		seen := make(chan int64)
		go func() {
			n := int64(-1) // for the head
			for br := bufio.NewReader(r.peer); ; {
				_, text, err := readFrame(br)
				if err != nil || text == fmt.Sprint(messages) {
					seen <- n + 1
					return
				}
				if text[0] != '~' {
					n++
				}
			}
		}()
		lost := int64(0)
		for read < messages-10 {
			n := 1 + rnd.Uint64N(3)
			switch rnd.IntN(3) {
			case 0:
				come(min(n, messages-10-came))
			case 1:
				lost += plain(read, read+n)
				read += n
				r.Skip(src, 2*read)
			default:
				if err := r.Page(t.Context(), src, batch(read, read+n)); err != nil {
					t.Fatal(err)
				}
				read += n
			}
		}
		if err := r.Drained(t.Context()); err != nil {
			t.Fatal(err)
		}
		if came < read {
			come(rnd.Uint64N(read - came))
		}
		r.Resume(src, 2*read)
		for came < messages {
			come(1 + rnd.Uint64N(5))
			if err := r.Drained(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		got, a := <-seen, src.Account
		if a.Dropped.Load() != lost || a.Delivered.Load() != got || got+lost != plain(0, messages) || r.lagging {
			t.Fatalf("seed %d: %d delivered, %d dropped, want %d and %d; lagging: %v",
				seed, a.Delivered.Load(), a.Dropped.Load(), got, lost, r.lagging)
		}
	}
}

// TestNoTimeoutInReplay runs on the clock of a bubble: who reads from the history may take as long as he likes, and no
// longer than others once he has caught up.
func TestNoTimeoutInReplay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conf := generous
		conf.MaxMessages, conf.Timeout = 3, time.Minute
		r := newRig(t, conf, func(testing.TB) (conn, peer net.Conn) { return net.Pipe() })
		if err := r.SendOne(oneFrame("head")); err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // for it to be on its way
		rooms, seq := make(sources), uint64(0)
		for i := range 5 {
			if _, _, err := r.Send(rooms.batch("replay", &seq, fmt.Sprint(i)), 0); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(24 * time.Hour)
		r.notFailed(t)
		src := rooms.get("replay")
		if read, ok := r.Behind(src); !ok || read == 0 {
			t.Fatalf("Behind: %d, %v", read, ok)
		}
		caughtUp := time.Now()
		r.Resume(src, seq)
		err := r.failedOnce(t)
		if took := time.Since(caughtUp); !errors.Is(err, ErrTimeout) || took != conf.Timeout {
			t.Errorf("%v after %v", err, took)
		}
		_, _ = io.Copy(io.Discard, r.peer)
	})
}
