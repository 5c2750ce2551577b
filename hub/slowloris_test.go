package hub_test

import (
	"bytes"
	"errors"
	"io"
	"log"
	"net"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/heartbeat"
	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/protocol"
)

// lingers is how long a client may go on dripping once it is told: enough for a busy machine to tell it.
var lingers = hub.WithCloseTimeout(2 * time.Second)

// drip writes pieces to a connection until that fails or the test ends.
func drip(t *testing.T, c net.Conn, pieces func(i int) []byte) {
	t.Helper()
	stop, done := make(chan struct{}), make(chan struct{})
	t.Cleanup(func() {
		close(stop)
		_ = c.Close()
		<-done
	})
	go func() {
		defer close(done)
		every := time.NewTicker(20 * time.Millisecond)
		defer every.Stop()
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			case <-every.C:
			}
			if p := pieces(i); p != nil {
				if _, err := c.Write(p); err != nil {
					return
				}
			}
		}
	}()
}

// bytewise is p, a byte at a time, then silence.
func bytewise(p []byte) func(int) []byte {
	return func(i int) []byte {
		if i < len(p) {
			return p[i : i+1]
		}
		return nil
	}
}

// after is head, then the same again and again.
func after(head, again []byte) func(int) []byte {
	return func(i int) []byte {
		if i == 0 {
			return head
		}
		return again
	}
}

// No heartbeats: the answer to a ping would be written amidst what drips.

// TestSlowMessages: whatever a client does to look busy, the message that it has begun must end in time.
func TestSlowMessages(t *testing.T) {
	header := append([]byte{finBit | textFrame, 0x80 | 127}, make([]byte, 12)...)
	header[8], header[9] = 0x10, 0 // 4 KiB
	for name, pieces := range map[string]func(int) []byte{
		"one byte":                   bytewise(header[:1]),
		"a header byte by byte":      bytewise(header),
		"a ping that lacks its end":  bytewise(masked(finBit|pingFrame, "hello")[:8]),
		"fragments without end":      after(masked(textFrame, "["), masked(0, "1,")),
		"empty fragments":            after(masked(textFrame, "["), masked(0, "")),
		"pings within a message":     after(masked(textFrame, "["), masked(finBit|pingFrame, "x")),
		"pongs within a message":     after(masked(textFrame, "["), masked(finBit|0xa, "")),
		"a close that lacks its end": bytewise(masked(finBit|closeFrame, "\x03\xe8bye")[:9]),
	} {
		t.Run(name, func(t *testing.T) {
			overEach(t, func(t *testing.T, tr transport) {
				t.Parallel() // they wait, and little else
				s := tr.start(t, hub.WithReadTimeout(300*time.Millisecond), lingers, hub.WithHeartbeat(heartbeat.Disabled()))
				c := s.dial(t)
				c.alive()
				drip(t, c.ws.NetConn(), pieces)
				c.closed(protocol.CloseReconnect)
				await(t, "it is gone", func() bool { return s.Stats().Conns == 0 })
			})
		})
	}
}

// TestSlowHello: dripping does not win time for a hello.
func TestSlowHello(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		t.Parallel()
		s := tr.start(t, hub.WithHandshakeTimeout(300*time.Millisecond), lingers, hub.WithHeartbeat(heartbeat.Disabled()))
		c := s.connect(t, nil, protocol.Subprotocol)
		drip(t, c.ws.NetConn(), bytewise(masked(finBit|textFrame, `{"op":"hello","token":"`+string(bytes.Repeat([]byte("x"), 90)))))
		c.closed(protocol.CloseHelloTimeout)
		await(t, "it is gone", func() bool { return s.Stats().Conns == 0 })
	})
}

// TestSlowRequest: before there is a connection it is the http.Server's ReadHeaderTimeout that bounds the time, as the
// documentation says.
func TestSlowRequest(t *testing.T) {
	h, err := hub.New()
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewUnstartedServer(h)
	srv.Config.ReadHeaderTimeout = 300 * time.Millisecond
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.Start()
	defer func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
		srv.Close()
	}()
	c, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	drip(t, c, bytewise([]byte("GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n")))
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, c); isTimeout(err) {
		t.Errorf("the server waited for the request: %v", err)
	}
	if st := h.Stats(); st.Accepted != 0 || st.Conns != 0 {
		t.Errorf("%+v", st)
	}
}

func isTimeout(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}
