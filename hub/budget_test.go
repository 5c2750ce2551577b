package hub_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/gohubkit/hubkit/heartbeat"
	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/preflight"
	"github.com/gohubkit/hubkit/protocol"
)

// partly is all but the last byte of a message of n bytes, and the last one.
func partly(n int) (most, last []byte) {
	p := masked(finBit|textFrame, `{"op":"ping","id":1,"data":"`+strings.Repeat("x", n)+`"}`)
	return p[:len(p)-1], p[len(p)-1:]
}

// fill sends to a connection that does not read, until so many bytes wait.
func fill(t *testing.T, c *hub.Conn, bytes int) {
	t.Helper()
	for c.Stats().BacklogBytes < bytes {
		if err := c.Send(payload(0, 8<<10)); err != nil {
			t.Fatal(err)
		}
	}
}

// TestMemoryBudgetShedsLargest: beyond the budget the connection that holds most is closed, whatever it holds; those that hold
// less are served on, and what is held is counted down to nothing.
func TestMemoryBudgetShedsLargest(t *testing.T) {
	const budget = 256 << 10
	overEach(t, func(t *testing.T, tr transport) {
		tr.sendBuffer = smallBuffers
		with := func(t *testing.T) (*server, <-chan *hub.Conn, <-chan error) {
			s := tr.start(t, hub.WithOpenRooms("*"), hub.WithMemoryBudget(budget), hub.WithHeartbeat(heartbeat.Disabled()),
				hub.WithWriteTimeout(patience), hub.WithRoomLinger(0), hub.WithCloseTimeout(time.Second))
			ends := make(chan error, 10)
			s.OnDisconnect(func(_ context.Context, _ *hub.Conn, err error) { ends <- err })
			conns := s.watchConns()
			return s, conns, ends
		}
		calm := func(t *testing.T, s *server) {
			t.Helper()
			await(t, "there is capacity again", func() bool { return s.Stats().Memory.Held <= budget })
			if m := s.Stats().Memory; m.Shed < 1 || m.Shed > 2 || m.Budget != budget { // a second may grow meanwhile
				t.Errorf("%+v", m)
			}
		}

		t.Run("backlog", func(t *testing.T) {
			s, conns, ends := with(t)
			small := s.dialStalled(t, "small")
			fill(t, receive(t, "small", conns), 64<<10)
			s.dialStalled(t, "large")
			large := receive(t, "large", conns)
			for large.Send(payload(0, 8<<10)) == nil { // until it is closed, and not by its own bound before the hub has summed up
				await(t, "one is shed if it is too much", func() bool { // the socket may still take some
					m := s.Stats().Memory
					return m.Held <= budget || m.Shed > 0
				})
			}
			var ce *hub.CloseError
			if err := receive(t, "the end of the large one", ends); !errors.As(err, &ce) || ce.Code != protocol.CloseSlowConsumer {
				t.Errorf("OnDisconnect: %v", err)
			}
			calm(t, s)
			_ = small.ws.Close()
			await(t, "nothing is held", func() bool { return s.Stats().Memory.Held == 0 })
		})

		t.Run("messages", func(t *testing.T) {
			s, _, _ := with(t)
			small, large := s.dial(t), s.dial(t)
			head, last := partly(10 << 10)
			small.writeBytes(head)
			await(t, "the small one is counted", func() bool { return s.Stats().Memory.Held > 0 })
			before := s.Stats().Memory.Held
			head, _ = partly(60 << 10)
			large.writeBytes(head)
			var others []*client
			for s.Stats().Memory.Shed == 0 {
				await(t, "it is counted, and one is shed if that is too much", func() bool {
					m := s.Stats().Memory
					return m.Held-before > 60<<10 && m.Held <= budget || m.Shed > 0
				})
				before = s.Stats().Memory.Held
				c := s.dial(t)
				others = append(others, c)
				c.writeBytes(head)
				if len(others) > 10 {
					t.Fatal("nobody is shed")
				}
			}
			calm(t, s)
			small.writeBytes(last)
			small.expect(`{"op":"ok","id":1}`)
			for _, c := range append(others, large, small) {
				_ = c.ws.Close()
			}
			await(t, "nothing is held", func() bool { return s.Stats().Memory.Held == 0 })
		})

		t.Run("rooms", func(t *testing.T) {
			s, _, _ := with(t)
			small, large, second, third := s.dial(t), s.dial(t), s.dial(t), s.dial(t)
			join := func(c *client, i int) {
				c.write(fmt.Sprintf(`{"op":"join","room":"%d-%d-%s"}`, i, time.Now().UnixNano(), strings.Repeat("x", 200)))
			}
			for i := range 8 {
				join(small, i)
				small.read()
			}
			for i := range 128 {
				join(large, i)
				large.read()
			}
			for i := range 120 {
				join(second, i)
				second.read()
			}
			for i := range 110 {
				join(third, i)
				third.read()
			}
			if h := large.hinted(protocol.CloseTryAgainLater); h.Spread == 0 {
				t.Errorf("hint %+v", h)
			}
			calm(t, s)
			small.alive()
			_ = small.ws.Close()
			_ = second.ws.Close()
			_ = third.ws.Close()
			await(t, "nothing is held", func() bool { return s.Stats().Memory.Held == 0 })
		})
	})
}

// TestMemoryBudgetCountsSharedOnce: what many slow clients wait for is in memory once, and closes nobody.
func TestMemoryBudgetCountsSharedOnce(t *testing.T) {
	const clients, size, messages = 8, 8 << 10, 60
	tr := poller
	tr.sendBuffer = smallBuffers
	s := tr.start(t, hub.WithOpenRooms("*"), hub.WithMemoryBudget(2*size*messages), hub.WithHeartbeat(heartbeat.Disabled()),
		hub.WithWriteTimeout(patience))
	conns := s.watchConns()
	var all []*hub.Conn
	for range clients {
		s.dialStalled(t, "news")
		all = append(all, receive(t, "a connection", conns))
	}
	fast := s.dial(t)
	fast.ask(`{"op":"join","room":"news"}`)
	for i := range messages {
		if _, err := s.Publish(t.Context(), "news", payload(i, size)); err != nil {
			t.Fatal(err)
		}
		fast.read()
	}
	sum := 0
	for _, c := range all {
		sum += c.Stats().BacklogBytes
	}
	m := s.Stats().Memory
	if int64(sum) < 2*m.Budget || m.Held > m.Budget || m.Held == 0 || m.Shed != 0 || s.Stats().Conns != clients+1 {
		t.Errorf("%d bytes wait for all, %+v", sum, m)
	}
}

// TestMemoryBudgetDefault: the budget follows from what the preflight check finds.
func TestMemoryBudgetDefault(t *testing.T) {
	machine := func(availableKB int) hub.Option {
		return hub.WithPreflight(preflight.WithDescriptorLimit(1<<20, 1<<20), preflight.WithConnBytes(2_000, 8_000),
			preflight.WithFiles(fstest.MapFS{
				"proc/meminfo": {Data: fmt.Appendf(nil, "MemTotal: 64000000 kB\nMemAvailable: %d kB\n", availableKB)},
			}))
	}
	const gib = 1 << 20 // in kB
	for name, tt := range map[string]struct {
		opts []hub.Option
		want int64
	}{
		"as many as are safe": {[]hub.Option{machine(4 * gib)}, (4<<30 - 322_122*10_000) / 2},
		"few":                 {[]hub.Option{machine(4 * gib), hub.WithMaxConns(1000)}, (4<<30 - 1000*10_000) / 2},
		"too many":            {[]hub.Option{machine(4 * gib), hub.WithMaxConns(900_000)}, 4 << 30 / 8},
		"hardly any memory":   {[]hub.Option{machine(1024)}, 16 << 20},
		"asked for":           {[]hub.Option{machine(4 * gib), hub.WithMemoryBudget(1 << 20)}, 1 << 20},
		"no check":            {[]hub.Option{hub.WithoutPreflight()}, 0},
		"no check, asked for": {[]hub.Option{hub.WithoutPreflight(), hub.WithMemoryBudget(1 << 20)}, 1 << 20},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, tt.opts...)
			if m := s.Stats().Memory; m.Budget != tt.want || m.Held != 0 {
				t.Errorf("%+v, want a budget of %d", m, tt.want)
			}
		})
	}
}
