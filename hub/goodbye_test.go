package hub_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/protocol"
	"github.com/gorilla/websocket"
)

func decodeReply(t *testing.T, p []byte) (r reply) {
	t.Helper()
	if err := json.Unmarshal(p, &r); err != nil {
		t.Fatalf("%.60q: %v", p, err)
	}
	return r
}

// TestSlowConsumerIsTold: a slow consumer that reads on within the close timeout gets whole frames, and then the close frame with 4001.
func TestSlowConsumerIsTold(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		tr.sendBuffer = smallBuffers
		s := tr.start(t, hub.WithOpenRooms("*"), hub.WithBacklog(64, 256<<10), hub.WithWriteTimeout(patience), hub.WithCloseTimeout(patience))
		ends := make(chan error, 2)
		s.OnDisconnect(func(_ context.Context, _ *hub.Conn, err error) { ends <- err })
		c, _, published := overflows(t, s)
		got := 0
		for {
			p, err := c.tryNext()
			if err != nil {
				if !websocket.IsCloseError(err, int(protocol.CloseSlowConsumer)) {
					t.Fatalf("the connection ended with %v", err)
				}
				break
			}
			if got++; number(t, decodeReply(t, p)) != got {
				t.Fatalf("message %d: %.60s", got, p)
			}
		}
		var ce *hub.CloseError
		if err := receive(t, "the end", ends); !errors.As(err, &ce) || ce.Code != protocol.CloseSlowConsumer {
			t.Errorf("OnDisconnect: %v", err)
		}
		await(t, "it is gone, and all is counted", func() bool {
			st := s.Stats()
			return st.Conns == 1 && st.Delivered+st.Dropped == int64(2*published)
		})
		// The hub counts a message when all of it is in the socket, and the clients have read them all.
		if st := s.Stats(); st.Delivered != int64(got+published) || st.Closed[protocol.CloseSlowConsumer] != 1 {
			t.Errorf("published %d, read %d: %+v", published, got, st)
		}
		if len(ends) > 0 {
			t.Error("OnDisconnect was called twice")
		}
	})
}

// TestSlowConsumerThatNeverReads: its socket is closed after the close timeout, with the code and the counts of one that reads.
func TestSlowConsumerThatNeverReads(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		tr.sendBuffer = smallBuffers
		s := tr.start(t, hub.WithOpenRooms("*"), hub.WithBacklog(64, 256<<10), hub.WithWriteTimeout(patience), hub.WithCloseTimeout(50*time.Millisecond))
		ends := make(chan error, 2)
		s.OnDisconnect(func(_ context.Context, _ *hub.Conn, err error) { ends <- err })
		_, _, published := overflows(t, s)
		var ce *hub.CloseError
		if err := receive(t, "the end", ends); !errors.As(err, &ce) || ce.Code != protocol.CloseSlowConsumer {
			t.Errorf("OnDisconnect: %v", err)
		}
		await(t, "it is gone, and all is counted", func() bool {
			st := s.Stats()
			return st.Conns == 1 && st.Delivered+st.Dropped == int64(2*published)
		})
		if st := s.Stats(); st.Closed[protocol.CloseSlowConsumer] != 1 {
			t.Errorf("published %d: %+v", published, st)
		}
	})
}

// faults are what closes a connection with each code that the reader of frames finds.
var faults = []struct {
	name string
	send []byte
	code protocol.CloseCode
}{
	{"1002", unmasked(finBit|textFrame, "{}"), protocol.CloseProtocolError},
	{"1007", masked(finBit|textFrame, "{\"op\":\"\xff\"}"), protocol.CloseInvalidPayload},
	{"1009", masked(finBit|textFrame, strings.Repeat(" ", 2000)), protocol.CloseTooBig},
}

// TestEndOnceAnswered: the socket of a client that has answered the close frame is closed, though the client leaves its side open.
func TestEndOnceAnswered(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		s := tr.start(t, hub.WithMaxMessage(1024), hub.WithCloseTimeout(10*patience))
		for _, tt := range faults {
			t.Run(tt.name, func(t *testing.T) {
				c := s.dial(t)
				c.t = t
				c.ws.SetCloseHandler(func(int, string) error { return nil })
				c.writeBytes(tt.send)
				c.closed(tt.code)
				answer := masked(finBit|closeFrame, string(websocket.FormatCloseMessage(int(tt.code), "")))
				c.writeBytes(append(masked(finBit|textFrame, "under way"), answer[:3]...))
				c.writeBytes(answer[3:])
				await(t, "it is gone", func() bool { return s.Stats().Conns == 0 })
				if n := s.Stats().Closed[tt.code]; n != 1 {
					t.Errorf("%d are counted", n)
				}
			})
		}
	})
}

// TestCodeDespiteUnreadData: who has much under way when the hub finds the fault reads the code all the same.
func TestCodeDespiteUnreadData(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		s := tr.start(t, hub.WithMaxMessage(1024), hub.WithoutRateLimit())
		for _, tt := range faults {
			t.Run(tt.name, func(t *testing.T) {
				c := s.dial(t)
				c.t = t
				written := make(chan struct{})
				go func() {
					defer close(written)
					more := []byte(strings.Repeat(string(masked(finBit|textFrame, strings.Repeat(" ", 500))), 2000))
					_, _ = c.ws.NetConn().Write(append(append([]byte(nil), tt.send...), more...)) // the hub may have enough of it
				}()
				c.closed(tt.code)
				_ = c.ws.Close()
				finished(t, "the writing", written)
			})
		}
	})
}
