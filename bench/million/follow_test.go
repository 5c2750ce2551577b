package main

import (
	"strings"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/internal/payload"
	"github.com/gohubkit/hubkit/protocol"
)

// talk is what a client heard, one frame after the other.
func talk(f *follower, frames ...[]byte) {
	if f.seats[0].state == 0 {
		f.opened(0)
	}
	for _, frame := range frames {
		f.frame(0, frame)
	}
}

func TestFollower(t *testing.T) {
	room := smallRoom(homeOf(7, 10))
	welcome := func(epoch string, at uint64) []byte {
		return protocol.AppendOK(nil, protocol.OK{Room: room, Epoch: epoch, Offset: at})
	}
	common := protocol.AppendOK(nil, protocol.OK{Room: commonRoom})
	message := func(room, epoch string, at uint64) []byte {
		data := `"` + string(payload.New(40, time.Now().UnixNano())) + `"`
		return protocol.AppendMessage(nil, room, []byte(data), epoch, at)
	}
	for _, tt := range []struct {
		name   string
		frames [][]byte
		want   Faults
		fault  string
	}{
		{"in order", [][]byte{common, welcome("e", 4), message(room, "e", 5), message(commonRoom, "", 0), message(room, "e", 6)}, Faults{}, ""},
		{"hole", [][]byte{welcome("e", 4), message(room, "e", 6)}, Faults{Missing: 1}, "is at 6 after 4"},
		{"twice", [][]byte{welcome("e", 4), message(room, "e", 5), message(room, "e", 5)}, Faults{Repeated: 1}, "is at 5 after 5"},
		{"another epoch", [][]byte{welcome("e", 4), message(room, "f", 5)}, Faults{Missing: 1}, `"f" after "e"`},
		{"another epoch before the first message", [][]byte{welcome("e", 0), message(room, "f", 1), message(room, "f", 2)}, Faults{}, ""},
		{"another epoch and a hole", [][]byte{welcome("e", 0), message(room, "f", 2)}, Faults{Missing: 1}, `"f" after "e"`},
		{"joins twice", [][]byte{welcome("e", 4), message(room, "e", 5), welcome("e", 4)}, Faults{Repeated: 1, Strange: 1}, "is at 4 after 5"},
		{"gap", [][]byte{welcome("e", 4), protocol.AppendGap(nil, room, "e", 9)}, Faults{Gaps: 1}, "up to 9"},
		{"refused", [][]byte{protocol.AppendError(nil, 0, room, &protocol.Error{Code: protocol.CodeForbidden})}, Faults{Refused: 1}, "forbidden"},
		{"refused for now", [][]byte{protocol.AppendError(nil, 0, room, &protocol.Error{Code: protocol.CodeUnavailable})}, Faults{}, ""},
		{"refused altogether", [][]byte{protocol.AppendError(nil, 0, "", &protocol.Error{Code: protocol.CodeUnavailable})}, Faults{Refused: 1}, "unavailable"},
		{"another's room", [][]byte{message("small:none", "e", 1)}, Faults{Strange: 1}, "small:none"},
		{"stale and live", [][]byte{protocol.AppendStale(nil), protocol.AppendLive(nil)}, Faults{}, ""},
		{"goaway", [][]byte{protocol.AppendGoAway(nil, protocol.Hint{})}, Faults{Strange: 1}, "goaway"},
		{"nonsense", [][]byte{[]byte("nonsense")}, Faults{Strange: 1}, "nonsense"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFollower(crowdSpec{First: 7, Conns: 1, Rooms: 10})
			talk(f, tt.frames...)
			s := f.snapshot()
			if s.Faults != tt.want || !strings.Contains(s.Fault, tt.fault) {
				t.Errorf("%+v, %q; want %+v, %q", s.Faults, s.Fault, tt.want, tt.fault)
			}
		})
	}

	f := newFollower(crowdSpec{First: 7, Conns: 1, Rooms: 10})
	if got := string(f.hello(0)); got != `{"op":"hello","resume":[{"room":"all"},{"room":"`+room+`"}]}` {
		t.Errorf("first %s", got)
	}
	talk(f, common, welcome("e", 4), message(room, "e", 5), message(commonRoom, "", 0))
	tops := make([]uint64, 10)
	tops[homeOf(7, 10)] = 5
	if n := f.unlike(Where{Common: 1, Tops: tops}); n != 0 {
		t.Errorf("%d connections are not where they are", n)
	}
	if n := f.unlike(Where{Common: 2, Tops: tops}); n != 1 {
		t.Error("a missing message of the common room is not noticed")
	}
	if wait := f.lost(0, 1012, `{"retry_after_ms":5000,"spread_ms":10}`); wait < 5*time.Second || wait > 5010*time.Millisecond {
		t.Errorf("comes back after %v, against the hint", wait)
	}
	if got := string(f.hello(0)); got != `{"op":"hello","resume":[{"room":"all"},{"room":"`+room+`","epoch":"e","offset":5}]}` {
		t.Errorf("then %s", got)
	}
	if s := f.snapshot(); s.Joined != 0 || s.Back != 0 || s.Lost[1012] != 1 {
		t.Errorf("after the loss %+v", s)
	}
	talk(f, common, welcome("e", 5))
	if s := f.snapshot(); s.Joined != 2 || s.Back != 1 || s.any() || s.Common != 1 || s.Small != 1 {
		t.Errorf("after the return %+v", s)
	}
	if got := f.join(0, room); got != nil {
		t.Errorf("asks for a room it is in: %s", got)
	}
	f.lost(0, 1006, "")
	if got := f.join(0, room); got != nil {
		t.Errorf("asks for a room without a connection: %s", got)
	}
	talk(f, common)
	if got := string(f.join(0, room)); got != `{"op":"join","id":1,"room":"`+room+`","epoch":"e","offset":5}` {
		t.Errorf("asks again with %s", got)
	}
	if _, again := f.frame(0, protocol.AppendError(nil, 1, room, &protocol.Error{Code: protocol.CodeUnavailable, RetryAfter: time.Minute})); again == nil ||
		again.room != room || again.after < time.Minute || again.after >= 2*time.Minute {
		t.Errorf("refused for a minute, it asks again %+v", again)
	}
	l, err := f.latencies()
	if err != nil || len(l.Common) == 0 || len(l.Small) == 0 || len(l.Return) == 0 {
		t.Errorf("%+v, %v", l, err)
	}
}
