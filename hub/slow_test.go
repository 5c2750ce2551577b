package hub_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/protocol"
)

// smallBuffers makes the kernel take little, so that a client that does not read is soon felt.
const smallBuffers = 32 << 10

// dialStalled makes a client that joins a room and then does not read, with little room in its socket.
func (s *server) dialStalled(t testing.TB, room string) *client {
	t.Helper()
	d := s.dialer()
	d.NetDialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return c, c.(*net.TCPConn).SetReadBuffer(smallBuffers)
	}
	c := s.connectWith(t, d, nil)
	c.welcomed()
	c.write(`{"op":"join","room":"` + room + `"}`)
	for r := c.read(); r.Op != "ok"; r = c.read() {
		if r.Op != "join" { // its own
			t.Fatalf("join: %+v", r)
		}
	}
	return c
}

// payload is a JSON string of n bytes that begins with a number.
func payload(i, n int) []byte {
	head := fmt.Sprintf(`"%d `, i)
	return []byte(head + strings.Repeat("x", n-len(head)-1) + `"`)
}

// overflows makes a client that does not read, and publishes until its backlog has overflowed. It returns how many messages
// that were. Another member has read them all.
func overflows(t *testing.T, s *server) (slow, fast *client, published int) {
	t.Helper()
	const size = 8 << 10
	slow, fast = s.dialStalled(t, "news"), s.dial(t)
	fast.ask(`{"op":"join","room":"news"}`)
	// The stalled member is first in the room: when the other one has a message, the stalled one's fate with it is settled.
	for s.Stats().Dropped == 0 {
		if published == 1000 {
			t.Fatal("the backlog never overflowed")
		}
		published++
		if _, err := s.Publish(t.Context(), "news", payload(published, size)); err != nil {
			t.Fatal(err)
		}
		if r := fast.read(); string(r.Data) != string(payload(published, size)) {
			t.Fatalf("message %d: got %.40s", published, r.Data)
		}
	}
	return slow, fast, published
}

// TestSlowConsumer: a client that does not read is cut when its backlog is full; another member of the room gets
// everything, and every message is counted as delivered or dropped, once for each member.
func TestSlowConsumer(t *testing.T) {
	overAll(t, func(t *testing.T, tr transport) {
		tr.sendBuffer = smallBuffers
		s := tr.start(t, hub.WithOpenRooms("*"), hub.WithBacklog(64, 256<<10), hub.WithWriteTimeout(patience))
		ends := make(chan error, 2)
		s.OnDisconnect(func(_ context.Context, _ *hub.Conn, err error) { ends <- err })
		_, fast, published := overflows(t, s)
		var ce *hub.CloseError
		if err := receive(t, "the end of the slow one", ends); !errors.As(err, &ce) || ce.Code != protocol.CloseSlowConsumer {
			t.Errorf("OnDisconnect: %v", err)
		}
		want := int64(2 * published)
		await(t, "every message is counted", func() bool { st := s.Stats(); return st.Delivered+st.Dropped >= want && st.Conns == 1 })
		if st := s.Stats(); st.Delivered+st.Dropped != want || st.Closed[protocol.CloseSlowConsumer] != 1 || st.Conns != 1 {
			t.Errorf("published %d to 2 members: %+v", published, st)
		}
		fast.alive()
	})
}

// TestBacklogIsCounted: what waits for a client when it goes is dropped, what its socket has taken is delivered.
func TestBacklogIsCounted(t *testing.T) {
	const messages, size = 40, 8 << 10
	overAll(t, func(t *testing.T, tr transport) {
		tr.sendBuffer = smallBuffers
		s := tr.start(t, hub.WithOpenRooms("*"), hub.WithBacklog(messages+1, messages*size*2), hub.WithMaxMessage(messages*size),
			hub.WithWriteTimeout(patience))
		stalled := s.dialStalled(t, "news")
		fast := s.dial(t)
		fast.ask(`{"op":"join","room":"news"}`)
		for i := range messages {
			if _, err := s.Publish(t.Context(), "news", payload(i, size)); err != nil {
				t.Fatal(err)
			}
			fast.read()
		}
		if st := s.Stats(); st.Dropped != 0 || st.Delivered < messages || st.Delivered >= 2*messages {
			t.Fatalf("while one reads nothing: %+v", st)
		}
		_ = stalled.ws.Close()
		await(t, "the client is gone and all is counted", func() bool {
			st := s.Stats()
			return st.Conns == 1 && st.Delivered+st.Dropped >= 2*messages
		})
		if st := s.Stats(); st.Delivered+st.Dropped != 2*messages || st.Dropped == 0 {
			t.Errorf("published %d to 2 members: %+v", messages, st)
		}
	})
}

// TestCatchingUp: a client that reads late, but in time, gets everything in order.
func TestCatchingUp(t *testing.T) {
	const messages, size = 60, 8 << 10
	overAll(t, func(t *testing.T, tr transport) {
		tr.sendBuffer = smallBuffers
		s := tr.start(t, hub.WithOpenRooms("*"), hub.WithBacklog(messages+10, 2*messages*size), hub.WithWriteTimeout(patience))
		c := s.dialStalled(t, "news")
		for i := range messages {
			if _, err := s.Publish(t.Context(), "news", payload(i, size)); err != nil {
				t.Fatal(err)
			}
		}
		for i := range messages {
			if r := c.read(); string(r.Data) != string(payload(i, size)) {
				t.Fatalf("message %d: got %.40s", i, r.Data)
			}
		}
		await(t, "all is counted", func() bool { return s.Stats().Delivered == messages })
		c.alive()
	})
}

// TestWriteTimeout: a socket that takes nothing for too long is given up, however little waits.
func TestWriteTimeout(t *testing.T) {
	const size = 32 << 10
	overEach(t, func(t *testing.T, tr transport) {
		tr.sendBuffer = smallBuffers
		s := tr.start(t, hub.WithOpenRooms("*"), hub.WithWriteTimeout(time.Second))
		ends := make(chan error, 2)
		s.OnDisconnect(func(_ context.Context, _ *hub.Conn, err error) { ends <- err })
		s.dialStalled(t, "news")
		for i := range 10 { // far from the backlog's bound
			if _, err := s.Publish(t.Context(), "news", payload(i, size)); err != nil {
				t.Fatal(err)
			}
		}
		var ce *hub.CloseError
		if err := receive(t, "the end", ends); !errors.As(err, &ce) || ce.Code != protocol.CloseWriteTimeout {
			t.Errorf("OnDisconnect: %v", err)
		}
		if st := s.Stats(); st.Dropped == 0 || st.Closed[protocol.CloseWriteTimeout] != 1 {
			t.Errorf("%+v", st)
		}
	})
}

// TestPublishFlood: messages that are published faster than a member gets them come in order, and none is lost within the
// bound of its backlog.
func TestPublishFlood(t *testing.T) {
	const messages = 5000
	overEach(t, func(t *testing.T, tr transport) {
		s := tr.start(t, hub.WithOpenRooms("*"), hub.WithBacklog(messages+1, 4<<20))
		c := s.dial(t)
		c.ask(`{"op":"join","room":"news"}`)
		done := make(chan error, 1)
		go func() {
			for i := range messages {
				if _, err := s.PublishJSON(context.Background(), "news", i); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
		for i := range messages {
			if r := c.read(); string(r.Data) != fmt.Sprint(i) {
				t.Fatalf("got %+v, want message %d", r, i)
			}
		}
		if err := receive(t, "the publisher", done); err != nil {
			t.Error(err)
		}
		await(t, "all is counted", func() bool { return s.Stats().Delivered == messages })
		if st := s.Stats(); st.Published != messages || st.Dropped != 0 {
			t.Errorf("%+v", st)
		}
	})
}
