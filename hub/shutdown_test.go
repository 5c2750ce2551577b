package hub_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/broker/memory"
	"github.com/gohubkit/hubkit/heartbeat"
	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/internal/testenv"
	"github.com/gohubkit/hubkit/protocol"
	"github.com/gorilla/websocket"
	"go.uber.org/goleak"
)

// witness is a broker that notes what is delivered: a member of every room that stays to the end.
type witness struct {
	*memory.Broker
	broker.Receiver

	mu   sync.Mutex
	seen map[string]int // per sender, how many of its messages came; those of one sender are numbered
	errs []string
}

func (w *witness) Start(ctx context.Context, node string, r broker.Receiver) error {
	w.Receiver = r
	return w.Broker.Start(ctx, node, w)
}

func (w *witness) Deliver(room string, ms []broker.Message) {
	w.mu.Lock()
	for _, m := range ms {
		name, number, _ := strings.Cut(strings.Trim(string(m.Data), `"`), " ")
		if w.seen[name]++; number != fmt.Sprint(w.seen[name]) {
			w.errs = append(w.errs, fmt.Sprintf("message %s of %s came as number %d", number, name, w.seen[name]))
		}
	}
	w.mu.Unlock()
	w.Receiver.Deliver(room, ms)
}

// TestShutdownUnderLoad: five thousand clients publish when the hub is shut down. Each hears when to come back, and
// whatever was acknowledged was delivered, once and in its order.
func TestShutdownUnderLoad(t *testing.T) {
	const children, each = 2, 2500
	testenv.NoLeaks(t, goleak.IgnoreCurrent())
	mem, err := memory.New()
	if err != nil {
		t.Fatal(err)
	}
	w := &witness{Broker: mem, seen: make(map[string]int)}
	s := start(t, hub.WithBroker(w), hub.WithOpenRooms("log"), hub.WithRooms("log", hub.DefaultHistory()),
		hub.WithoutRateLimit(), hub.WithDrain(2*time.Second), hub.WithCloseTimeout(patience), hub.WithRoomLinger(time.Hour),
		hub.WithHeartbeat(heartbeat.Disabled())) // the publishers answer no ping before all are connected
	keep := s.dial(t) // so that the node is subscribed
	keep.ask(`{"op":"join","id":1,"room":"log"}`)
	kept := make(chan error, 1)
	go func() { kept <- keep.end() }()

	var mu sync.Mutex
	var results []published
	processes := make([]*testenv.Process, children)
	for i := range processes {
		processes[i] = s.startChild(t, publishJob, fmt.Sprintf("%c", 'a'+i), each, func(line string) {
			var p published
			if line == childReady {
				return
			}
			if err := json.Unmarshal([]byte(line), &p); err != nil {
				p.Err = line
			}
			mu.Lock()
			defer mu.Unlock()
			results = append(results, p)
		})
	}
	await(t, "all publish", func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return len(w.seen) == children*each
	})
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	if err := receive(t, "the end of the one who reads", kept); !websocket.IsCloseError(err, int(protocol.CloseServiceRestart)) {
		t.Errorf("the one who reads: %v", err)
	}
	for _, p := range processes {
		if err := p.Wait(ctx); err != nil {
			t.Fatalf("child: %v", err)
		}
	}
	if len(results) != children*each {
		t.Fatalf("%d results, want %d", len(results), children*each)
	}
	acked := 0
	for _, p := range results {
		acked += p.Acked
		switch {
		case p.Err != "":
			t.Errorf("%s: %s", p.Name, p.Err)
		case p.Code != protocol.CloseServiceRestart || !p.Hint:
			t.Errorf("%s was closed with %v, hint %v", p.Name, p.Code, p.Hint)
		case w.seen[p.Name] < p.Acked:
			t.Errorf("%s: %d acknowledged, %d delivered", p.Name, p.Acked, w.seen[p.Name])
		case w.seen[p.Name] > p.Acked+1:
			t.Errorf("%s: %d acknowledged, %d delivered: each waited for its answer", p.Name, p.Acked, w.seen[p.Name])
		}
	}
	for _, e := range w.errs {
		t.Error(e)
	}
	if st := s.Stats(); st.Conns != 0 || acked == 0 {
		t.Errorf("%d acknowledged, %+v", acked, st)
	}
}

// TestShutdownIsPaced: connections are shed one after another over the window.
func TestShutdownIsPaced(t *testing.T) {
	const conns, window = 5, 500 * time.Millisecond
	overEach(t, func(t *testing.T, tr transport) {
		s := tr.start(t, hub.WithDrain(window))
		done := make(chan error, conns)
		for range conns {
			c := s.dial(t)
			go func() { done <- c.end() }()
		}
		begin := time.Now()
		s.shutdown(t)
		if took, least := time.Since(begin), window*(conns-1)/conns; took < least {
			t.Errorf("all were gone after %v, the last should have been told after %v", took, least)
		}
		for range conns {
			if err := receive(t, "the end", done); !websocket.IsCloseError(err, int(protocol.CloseServiceRestart)) {
				t.Error(err)
			}
		}
		if n := s.Stats().Closed[protocol.CloseServiceRestart]; n != conns {
			t.Errorf("%d closed with 1012, want %d", n, conns)
		}
	})
}

// TestShutdownFitsItsContext: where ctx leaves less than the window, the pace is faster.
func TestShutdownFitsItsContext(t *testing.T) {
	s := start(t, hub.WithDrain(time.Hour), hub.WithCloseTimeout(patience-4*time.Second))
	clients := []*client{s.dial(t), s.dial(t), s.dial(t)}
	ctx, cancel := context.WithTimeout(t.Context(), patience) // which leaves three seconds, and the second of the pace
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- s.Shutdown(ctx) }()
	for _, c := range clients {
		if h := c.hinted(protocol.CloseServiceRestart); h.Spread < time.Second {
			t.Errorf("hint %+v", h)
		}
	}
	if err := receive(t, "Shutdown", done); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
}

// TestShutdownWithoutAnswer: clients that do not answer the close frame are cut after the close timeout.
func TestShutdownWithoutAnswer(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		s := tr.start(t, hub.WithCloseTimeout(50*time.Millisecond))
		for range 5 {
			s.dial(t)
		}
		s.shutdown(t)
	})
}

// TestShutdownOfStuckHandler: it is said, and not waited for beyond the context.
func TestShutdownOfStuckHandler(t *testing.T) {
	for _, heavy := range []bool{false, true} {
		t.Run(fmt.Sprintf("heavy=%v", heavy), func(t *testing.T) {
			t.Parallel()
			s := start(t, hub.WithCloseTimeout(10*time.Millisecond))
			started, release, returned := make(chan struct{}), make(chan struct{}), make(chan struct{})
			var opts []hub.HandleOption
			if heavy {
				opts = append(opts, hub.Heavy())
			}
			s.Handle("stuck", func(context.Context, *hub.Conn, []byte) (any, error) {
				defer close(returned)
				close(started)
				<-release
				return nil, nil
			}, opts...)
			s.dial(t).write(`{"op":"call","id":1,"method":"stuck"}`)
			receive(t, "the handler", started)
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			err := s.Shutdown(ctx)
			if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "still busy") {
				t.Errorf("Shutdown: %v", err)
			}
			close(release)
			finished(t, "the handler", returned)
		})
	}
}

// TestClose: everybody is told, at once, also where a goroutine has to write the close frame.
func TestClose(t *testing.T) {
	const conns = 100
	overEach(t, func(t *testing.T, tr transport) {
		s := tr.start(t, hub.WithDrain(time.Hour), hub.WithCloseTimeout(patience))
		clients := make([]*client, conns)
		for i := range clients {
			clients[i] = s.dial(t)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		for _, c := range clients {
			if h := c.hinted(protocol.CloseServiceRestart); h.Spread <= 0 {
				t.Errorf("hint %+v", h)
			}
		}
		if st := s.Stats(); st.Conns != 0 || st.Closed[protocol.CloseServiceRestart] != conns {
			t.Errorf("%+v", st)
		}
	})
}

// TestCloseDuringShutdown: Close cuts short what Shutdown has begun.
func TestCloseDuringShutdown(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		s := tr.start(t, hub.WithDrain(time.Hour), hub.WithCloseTimeout(time.Hour))
		for range 3 {
			s.dial(t)
		}
		done := make(chan error, 1)
		go func() { done <- s.Shutdown(context.Background()) }()
		await(t, "it is draining", func() bool { return !s.Ready() })
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		if err := receive(t, "Shutdown", done); err != nil && !errors.Is(err, hub.ErrClosed) {
			t.Errorf("Shutdown: %v", err)
		}
	})
}
