package memory_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/broker/brokertest"
	"github.com/gohubkit/hubkit/broker/memory"
)

var kept = broker.Retention{Size: 100, TTL: time.Minute}

func start(t testing.TB, opts ...memory.Option) (*memory.Broker, *brokertest.Recorder) {
	t.Helper()
	b, err := memory.New(opts...)
	if err != nil {
		t.Fatal(err)
	}
	rec := brokertest.NewRecorder()
	begin(t, b, rec)
	return b, rec
}

func begin(t testing.TB, b *memory.Broker, r broker.Receiver) {
	t.Helper()
	if err := b.Start(t.Context(), "node", r); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(context.Background()); err != nil && !errors.Is(err, broker.ErrClosed) {
			t.Error(err)
		}
		if rec, ok := r.(*brokertest.Recorder); ok && rec.Err() != nil {
			t.Error(rec.Err())
		}
	})
}

func publish(t testing.TB, b broker.Broker, room string, p broker.Publication) broker.Result {
	t.Helper()
	res, err := b.Publish(t.Context(), room, p)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func read(t testing.TB, b broker.History, room string, q broker.Query) broker.Page {
	t.Helper()
	page, err := b.Read(t.Context(), room, q)
	if err != nil {
		t.Fatal(err)
	}
	return page
}

func store(data string) broker.Publication {
	return broker.Publication{Data: []byte(data), Retention: kept}
}

func TestOptions(t *testing.T) {
	_, err := memory.New(memory.WithMetadataTTL(0), nil, memory.WithMaxHistoryBytes(-1), memory.WithIdempotencyKeys(0), memory.WithPublisherKeys(1, 0))
	if !errors.Is(err, broker.ErrInvalid) {
		t.Fatalf("New: %v, want ErrInvalid", err)
	}
	for _, fault := range []string{"metadata TTL of 0s", "option 1 is nil", "-1 bytes", "0 idempotency keys", "1 idempotency keys of a publisher and 0 of all"} {
		if !strings.Contains(err.Error(), fault) {
			t.Errorf("New: %v, want it to name %q", err, fault)
		}
	}
	if _, err := memory.New(memory.WithMetadataTTL(1), memory.WithMaxHistoryBytes(1), memory.WithIdempotencyKeys(1)); err != nil {
		t.Errorf("New with the least of everything: %v", err)
	}
}

func TestStart(t *testing.T) {
	b, err := memory.New()
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Start(t.Context(), "", brokertest.NewRecorder()); !errors.Is(err, broker.ErrInvalid) {
		t.Errorf("Start without a node: %v, want ErrInvalid", err)
	}
	if err := b.Start(t.Context(), "node", nil); !errors.Is(err, broker.ErrInvalid) {
		t.Errorf("Start without a receiver: %v, want ErrInvalid", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.Start(ctx, "node", brokertest.NewRecorder()); !errors.Is(err, context.Canceled) {
		t.Errorf("Start with a canceled context: %v, want context.Canceled", err)
	}
	begin(t, b, brokertest.NewRecorder()) // none of the failures counted
	if err := b.Start(t.Context(), "node", brokertest.NewRecorder()); !errors.Is(err, memory.ErrStarted) {
		t.Errorf("second Start: %v, want ErrStarted", err)
	}
}

// What Publish, Enter and Leave cause has happened when they return, in the order of the calls.
func TestCallsBackBeforeReturning(t *testing.T) {
	b, rec := start(t)
	ctx := t.Context()
	if err := b.Subscribe(ctx, "room"); err != nil {
		t.Fatal(err)
	}
	steps := []func(){
		func() { publish(t, b, "room", store("1")) },
		func() {
			if err := b.Enter(ctx, "room", broker.Member{Conn: "c"}); err != nil {
				t.Error(err)
			}
		},
		func() { publish(t, b, "room", broker.Publication{Data: []byte("2")}) },
		func() {
			if err := b.Leave(ctx, "room", "c"); err != nil {
				t.Error(err)
			}
		},
		func() { publish(t, b, "room", store("3")) },
	}
	for i, step := range steps {
		if step(); len(rec.Events("room")) != i+1 {
			t.Fatalf("%d events after step %d", len(rec.Events("room")), i+1)
		}
	}
	var got []string
	for _, e := range rec.Events("room") {
		if e.Member != nil {
			got = append(got, fmt.Sprintf("%s %v", e.Member.Conn, e.Joined))
		} else {
			got = append(got, fmt.Sprintf("%s at %d", e.Message.Data, e.Message.Position.Offset))
		}
	}
	if want := []string{"1 at 1", "c true", "2 at 0", "c false", "3 at 2"}; !slices.Equal(got, want) {
		t.Errorf("events %q, want %q", got, want)
	}
}

func TestEnterCopiesInfo(t *testing.T) {
	b, _ := start(t)
	info := []byte(`"old"`)
	if err := b.Enter(t.Context(), "room", broker.Member{Conn: "c", Info: info}); err != nil {
		t.Fatal(err)
	}
	copy(info, `"new"`)
	ms, err := b.Members(t.Context(), "room", 0)
	if err != nil || len(ms) != 1 || string(ms[0].Info) != `"old"` {
		t.Errorf("members %+v, %v; want the Info that was entered", ms, err)
	}
}

// stuck is a receiver that waits where the contract says it must not, to hold the broker still.
type stuck struct {
	brokertest.Recorder
	in   chan struct{} // receives once a call is stuck
	free chan struct{}
}

func newStuck() *stuck { return &stuck{in: make(chan struct{}, 1000), free: make(chan struct{})} }

func (s *stuck) Deliver(string, []broker.Message) { s.in <- struct{}{}; <-s.free }
func (s *stuck) Command(string, []byte)           { s.in <- struct{}{}; <-s.free }

// Close returns when the calls under way have returned, or with the error of ctx; then the next Close
// goes on waiting.
func TestCloseWaitsForCalls(t *testing.T) {
	b, err := memory.New()
	if err != nil {
		t.Fatal(err)
	}
	s := newStuck()
	begin(t, b, s)
	if err := b.Subscribe(t.Context(), "room"); err != nil {
		t.Fatal(err)
	}
	var publisher sync.WaitGroup
	publisher.Go(func() { _, _ = b.Publish(context.Background(), "room", broker.Publication{}) })
	<-s.in
	// These are held up behind the first one, where they are quick enough, and find the broker closed.
	for range 20 {
		publisher.Go(func() {
			if _, err := b.Publish(context.Background(), "room", broker.Publication{}); !errors.Is(err, broker.ErrClosed) {
				t.Errorf("Publish during Close: %v, want ErrClosed", err)
			}
		})
	}
	for range 1000 {
		runtime.Gosched()
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 2 {
		if err := b.Close(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("Close during a call: %v, want context.Canceled", err)
		}
	}
	if err := b.Snapshot(nil); !errors.Is(err, memory.ErrNotClosed) {
		t.Errorf("Snapshot during a call: %v, want ErrNotClosed", err)
	}
	close(s.free)
	if err := b.Close(t.Context()); err != nil && !errors.Is(err, broker.ErrClosed) {
		t.Errorf("Close after the call: %v", err)
	}
	publisher.Wait()
	if n := len(s.in); n > 0 {
		t.Errorf("%d more calls of the receiver", n)
	}
}

// Broadcast does not call the receiver itself; it waits while the queue is full, until ctx or the
// broker ends.
func TestBroadcastWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, err := memory.New()
		if err != nil {
			t.Fatal(err)
		}
		s := newStuck()
		begin(t, b, s)
		for range 257 { // one with the receiver, 256 queued
			if err := b.Broadcast(t.Context(), []byte("c")); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := b.Broadcast(ctx, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Broadcast to a full queue: %v, want context.DeadlineExceeded", err)
		}
		var sender sync.WaitGroup
		sender.Go(func() {
			if err := b.Send(t.Context(), "node", nil); !errors.Is(err, broker.ErrClosed) {
				t.Errorf("Send during Close: %v, want ErrClosed", err)
			}
		})
		synctest.Wait()
		var closer sync.WaitGroup
		closer.Go(func() {
			if err := b.Close(t.Context()); err != nil {
				t.Error(err)
			}
		})
		sender.Wait()
		close(s.free)
		closer.Wait()
	})
}

func TestCommandsInOrder(t *testing.T) {
	b, rec := start(t)
	payload := make([]byte, 1)
	for i := range 200 {
		payload[0] = byte(i) // the broker has its copy
		if err := b.Broadcast(t.Context(), payload); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Send(t.Context(), "another", payload); err != nil {
		t.Errorf("Send to a node that is not there: %v", err)
	}
	if err := rec.Wait(t.Context(), func(r *brokertest.Recorder) bool { return len(r.Commands()) == 200 }); err != nil {
		t.Fatal(err)
	}
	for i, c := range rec.Commands() {
		if c.From != "node" || c.Payload[0] != byte(i) {
			t.Fatalf("command %d: %+v", i, c)
		}
	}
}

// panicking is a receiver that panics at the first message.
type panicking struct {
	deaf
	calls *int
}

func (p panicking) Deliver(string, []broker.Message) {
	if *p.calls++; *p.calls == 1 {
		panic("receiver")
	}
}

// A receiver that panics takes its caller down, not the room.
func TestReceiverPanics(t *testing.T) {
	b, err := memory.New()
	if err != nil {
		t.Fatal(err)
	}
	calls := 0
	begin(t, b, panicking{calls: &calls})
	if err := b.Subscribe(t.Context(), "room"); err != nil {
		t.Fatal(err)
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		publish(t, b, "room", store("1"))
	}()
	if res := publish(t, b, "room", store("2")); res.Position.Offset != 2 || calls != 2 {
		t.Errorf("%+v, %d calls after a panic; want offset 2, 2 calls", res, calls)
	}
}
