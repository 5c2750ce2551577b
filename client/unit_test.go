package client

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/protocol"
)

func TestBucket(t *testing.T) {
	now := time.Unix(0, 0)
	b := newBucket(10, 3, now)
	for range 3 {
		if d := waitAt(b, now); d != 0 {
			t.Fatalf("wait is %v within the burst", d)
		}
		b.spend(1)
	}
	for i := range 100 {
		d := waitAt(b, now)
		if d < 99*time.Millisecond || d > 101*time.Millisecond {
			t.Fatalf("token %d: wait is %v, want 100ms", i, d)
		}
		if now = now.Add(d); waitAt(b, now) != 0 {
			t.Fatalf("token %d: none after the wait", i)
		}
		b.spend(1)
	}
	now = now.Add(time.Hour)
	n := 0
	for ; waitAt(b, now) == 0; n++ {
		b.spend(1)
	}
	if n != 3 {
		t.Errorf("%d tokens after an idle hour, want the burst of 3", n)
	}
}

// waitAt is the wait for one token if none is held.
func waitAt(b *bucket, now time.Time) time.Duration {
	b.fill(now, 0)
	return b.wait(1)
}

func TestBucketExtremes(t *testing.T) {
	now := time.Unix(0, 0)
	free := newBucket(math.Inf(1), 1, now)
	for range 1000 {
		if d := waitAt(free, now); d != 0 {
			t.Fatalf("wait is %v without a bound", d)
		}
		free.spend(1)
	}
	slow := newBucket(math.SmallestNonzeroFloat64, 1, now)
	slow.spend(1)
	if d := waitAt(slow, now); d < time.Hour {
		t.Errorf("wait is %v at a rate of almost nothing", d)
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC)
	tests := []struct {
		header string
		want   time.Duration
	}{
		{"", 0},
		{"0", 0},
		{"7", 7 * time.Second},
		{"-7", 0},
		{"1.5", 0},
		{"soon", 0},
		{"99999999999999999999", 0},
		{"9223372036854775807", protocol.MaxDelay},
		{"Tue, 02 Jan 2024 03:05:05 GMT", time.Minute},
		{"Tue, 02 Jan 2024 03:03:05 GMT", 0},
		{"Tue, 02 Jan 2034 03:03:05 GMT", protocol.MaxDelay},
	}
	for _, tt := range tests {
		if got := retryAfter(http.Header{"Retry-After": {tt.header}}, now); got != tt.want {
			t.Errorf("retryAfter(%q) = %v, want %v", tt.header, got, tt.want)
		}
	}
}

func TestHint(t *testing.T) {
	tests := []struct {
		name          string
		err           error
		after, spread time.Duration
		ok            bool
	}{
		{"none", errors.New("cut"), 0, 0, false},
		{"close frame", &CloseError{Hint: protocol.Hint{RetryAfter: 1, Spread: 2}}, 1, 2, true},
		{"spread alone", &CloseError{Hint: protocol.Hint{Spread: 2}}, 0, 2, true},
		{"close frame that says nothing", &CloseError{Hint: protocol.Hint{Reason: "x"}}, 0, 0, false},
		{"header", &HandshakeError{StatusCode: 503, After: 10 * time.Second}, 10 * time.Second, 5 * time.Second, true},
		{"short header", &HandshakeError{StatusCode: 429, After: time.Second}, time.Second, time.Second, true},
		{"no header", &HandshakeError{StatusCode: 503}, 0, 0, false},
		{"goaway", &goAwayError{err: errGoAway}, 0, 0, true},
		{"close frame after goaway", &goAwayError{err: &CloseError{Hint: protocol.Hint{Spread: 2}}}, 0, 2, true},
		{"wrapped", fmt.Errorf("x: %w", &CloseError{Hint: protocol.Hint{RetryAfter: 1}}), 1, 0, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			after, spread, ok := hint(tt.err)
			if after != tt.after || spread != tt.spread || ok != tt.ok {
				t.Errorf("hint = %v, %v, %v, want %v, %v, %v", after, spread, ok, tt.after, tt.spread, tt.ok)
			}
		})
	}
}

func newRequest(op protocol.Op) *request {
	return &request{op: op, data: []byte("null"), done: make(chan struct{})}
}

// sendAll returns the ids that next gives.
func sendAll(q *queue) (ids []uint64) {
	for {
		sent, frame, _ := q.next(nil, time.Now())
		if sent == nil {
			return ids
		}
		var r protocol.Request
		if err := r.Decode(frame); err != nil {
			panic(err)
		}
		ids = append(ids, r.ID)
	}
}

func TestQueueCut(t *testing.T) {
	q := newQueue(100, 1<<20, time.Minute)
	var rs []*request
	for range 5 {
		r := newRequest(protocol.OpPublish)
		r.room = "r"
		rs = append(rs, r)
		if err := q.add(r); err != nil {
			t.Fatal(err)
		}
	}
	call := newRequest(protocol.OpCall)
	call.method = "m"
	if err := q.add(call); err != nil {
		t.Fatal(err)
	}
	if ids := sendAll(q); fmt.Sprint(ids) != "[1 2 3 4 5 6]" {
		t.Fatal("sent", ids)
	}
	q.answer(2).finish(nil)
	unsent := newRequest(protocol.OpPublish)
	unsent.room = "r"
	if err := q.add(unsent); err != nil {
		t.Fatal(err)
	}
	why := errors.New("cut")
	q.cut(why)
	if <-call.done; !errors.Is(call.err, ErrDisconnected) || !errors.Is(call.err, why) {
		t.Error("call ended with", call.err)
	}
	if ids := sendAll(q); fmt.Sprint(ids) != "[1 3 4 5 7]" {
		t.Error("sent after the cut", ids)
	}
	for _, r := range append(rs[2:], rs[0], unsent) {
		q.answer(r.id).finish(nil)
	}
	if q.len != 0 || q.bytes != 0 || len(q.sent) != 0 || len(q.wait) != 0 {
		t.Errorf("queue is not empty: %d requests of %d bytes, %d sent, %d waiting", q.len, q.bytes, len(q.sent), len(q.wait))
	}
}

func TestQueueForgetsCanceled(t *testing.T) {
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	q := newQueue(100, 1<<20, time.Minute)
	sent, waiting, other := newRequest(protocol.OpSend), newRequest(protocol.OpSend), newRequest(protocol.OpSend)
	if err := q.add(sent); err != nil {
		t.Fatal(err)
	}
	sendAll(q)
	for _, r := range []*request{waiting, other} {
		if err := q.add(r); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range []*request{sent, waiting} {
		if err := q.await(canceled, r); !errors.Is(err, context.Canceled) {
			t.Error("await returned", err)
		}
	}
	if r := q.answer(sent.id); r != nil {
		t.Error("an answer to a request that was given up was taken")
	}
	if ids := sendAll(q); fmt.Sprint(ids) != "[3]" {
		t.Error("sent", ids)
	}
	q.answer(other.id).finish(nil)
	if err := q.await(canceled, other); err != nil {
		t.Error("await of what is done returned", err)
	}
	if q.len != 0 || q.bytes != 0 {
		t.Errorf("%d requests of %d bytes are still counted", q.len, q.bytes)
	}
}

func TestQueueClosed(t *testing.T) {
	q := newQueue(100, 1<<20, time.Minute)
	publication, join := newRequest(protocol.OpPublish), newRequest(protocol.OpJoin)
	if err := q.add(publication); err != nil {
		t.Fatal(err)
	}
	q.push(join)
	q.close(ErrClosed)
	if <-publication.done; !errors.Is(publication.err, ErrClosed) {
		t.Error("publication ended with", publication.err)
	}
	<-join.done
	if err := q.add(newRequest(protocol.OpPublish)); !errors.Is(err, ErrClosed) {
		t.Error("add returned", err)
	}
	late := newRequest(protocol.OpLeave)
	q.push(late)
	if <-late.done; !errors.Is(late.err, ErrClosed) {
		t.Error("leave ended with", late.err)
	}
}

func TestPulse(t *testing.T) {
	p := newPulse(25*time.Second, 10*time.Second)
	start := p.heard
	step := func(at time.Duration, wantAgain time.Duration, wantPing bool, wantErr error) {
		t.Helper()
		again, ping, err := p.check(start.Add(at))
		if again != wantAgain || ping != wantPing || err != wantErr {
			t.Errorf("at %v: %v, %v, %v, want %v, %v, %v", at, again, ping, err, wantAgain, wantPing, wantErr)
		}
	}
	step(0, 25*time.Second, false, nil)
	step(20*time.Second, 5*time.Second, false, nil)
	step(25*time.Second, 10*time.Second, true, nil)
	step(30*time.Second, 5*time.Second, false, nil)
	p.heard = start.Add(31 * time.Second)
	step(34*time.Second, 22*time.Second, false, nil)
	// A process that was suspended for an hour pings before it judges.
	step(time.Hour, 10*time.Second, true, nil)
	step(time.Hour+10*time.Second, 0, false, ErrDead)

	p.heard, p.stalled = start, true
	step(20*time.Second, 15*time.Second, false, nil)
	step(35*time.Second, 0, false, errStalled)
}
