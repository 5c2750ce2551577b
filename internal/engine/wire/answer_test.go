package wire

import (
	"bufio"
	"net"
	"strings"
	"testing"

	"github.com/gohubkit/hubkit/internal/engine/frame"
)

// answerOf returns the two parts of a frame.
func answerOf(head, tail string, about *frame.Source) ([]byte, *frame.Batch) {
	return append(frame.AppendHead(nil, frame.Text, len(head)+len(tail)), head...), frame.Tail([]byte(tail), about)
}

// An answer arrives whole and in its place, whether the socket takes it or not, and the writer knows while it waits.
func TestSendAnswer(t *testing.T) {
	eachKind(t, func(t *testing.T, connect func(testing.TB) (conn, peer net.Conn)) {
		for _, size := range []int{10, joinable + 1, 300 << 10} {
			r := newRig(t, generous, connect)
			var here, there frame.Source
			want := []string{"before"}
			if err := r.SendOne(oneFrame("before")); err != nil {
				t.Fatal(err)
			}
			for _, head := range []string{"a", "b"} {
				text := strings.Repeat("t", size)
				h, tail := answerOf(head, text, &here)
				if err := r.SendAnswer(h, tail); err != nil {
					t.Fatal(err)
				}
				clear(h) // it is the caller's again
				want = append(want, head+text)
			}
			if err := r.SendOne(oneFrame("after")); err != nil {
				t.Fatal(err)
			}
			const after = 2 + len("after") // what may wait behind the answers
			answering := r.Answering(&here)
			_, waits := r.Backlog()
			taken := answering != r.Answering(&here) // the last of it, by the socket, meanwhile
			if !taken && answering != (waits > after) || r.Answering(&there) {
				t.Errorf("%d bytes wait, answering %v about the room, %v about another", waits, answering, r.Answering(&there))
			}
			expectFrames(t, bufio.NewReader(r.peer), append(want, "after")...)
			if err := r.Drained(t.Context()); err != nil || r.Answering(&here) {
				t.Errorf("after all was read: %v, answering %v", err, r.Answering(&here))
			}
			r.notFailed(t)
			r.Close()
			if err := r.SendAnswer(answerOf("late", "", &here)); err == nil {
				t.Error("a closed writer takes an answer")
			}
		}
	})
}

// The tail is held and not copied, and an answer that finds no place ends the connection as any reply does.
func TestSendAnswerToStalledReader(t *testing.T) {
	r := stalledRig(t, 5, 100<<10)
	var about frame.Source
	_, before := r.Backlog()
	h, tail := answerOf("head", strings.Repeat("t", 60<<10), &about)
	if err := r.SendAnswer(h, tail); err != nil {
		t.Fatal(err)
	}
	if _, after := r.Backlog(); after-before != len(h)+tail.Size() {
		t.Errorf("%d bytes more wait, want %d", after-before, len(h)+tail.Size())
	}
	r.mu.Lock()
	items := r.backlog().items
	held := items[len(items)-1].batch == tail
	r.mu.Unlock()
	if !held || !r.Answering(&about) {
		t.Errorf("the tail is held %v, answering %v, want both", held, r.Answering(&about))
	}
	if err := r.SendAnswer(h, tail); err != ErrOverflow {
		t.Errorf("a second one: %v, want %v", err, ErrOverflow)
	}
	if err := r.failedOnce(t); err != ErrOverflow {
		t.Errorf("the owner was told %v", err)
	}
}
