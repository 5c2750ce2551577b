package hub_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/protocol"
	"github.com/gorilla/websocket"
)

// TestDisconnectDuringOutage: who is here is closed all the same, and the caller hears of the other nodes.
func TestDisconnectDuringOutage(t *testing.T) {
	b := newOutage(t)
	s := start(t, hub.WithBroker(b), hub.WithAuthenticator(asUser), hub.WithOutage(hub.OutageRefuse))
	ada, bob := s.dialAs(t, "ada"), s.dialAs(t, "bob")
	b.lose()
	ada.expect(`{"op":"stale"}`)
	bob.expect(`{"op":"stale"}`)
	if _, err := s.Disconnect(t.Context(), hub.ByUser("ada"), nil); !errors.Is(err, broker.ErrUnavailable) {
		t.Errorf("Disconnect: %v, want that the broker is unavailable", err)
	}
	ada.closed(protocol.CloseDisconnected)
	bob.alive()
}

// TestOnDisconnect: it is told once why, for each way to end.
func TestOnDisconnect(t *testing.T) {
	write := func(frame string) func(*testing.T, *server, *client, *hub.Conn) {
		return func(_ *testing.T, _ *server, cl *client, _ *hub.Conn) { cl.write(frame) }
	}
	tests := []struct {
		name string
		end  func(t *testing.T, s *server, cl *client, c *hub.Conn)
		code protocol.CloseCode
	}{
		{"the client vanishes", func(_ *testing.T, _ *server, cl *client, _ *hub.Conn) { _ = cl.ws.Close() }, protocol.CloseAbnormal},
		{"within a frame", func(_ *testing.T, _ *server, cl *client, _ *hub.Conn) {
			cl.writeBytes([]byte{finBit | textFrame, 0x80 | 100, 1, 2})
			_ = cl.ws.Close()
		}, protocol.CloseAbnormal},
		{"with a reset", func(t *testing.T, _ *server, cl *client, _ *hub.Conn) {
			nc := cl.ws.NetConn()
			if tc, ok := nc.(interface{ NetConn() net.Conn }); ok {
				nc = tc.NetConn()
			}
			if err := nc.(*net.TCPConn).SetLinger(0); err != nil {
				t.Error(err)
			}
			_ = nc.Close()
		}, protocol.CloseAbnormal},
		{"the client closes", func(t *testing.T, _ *server, cl *client, _ *hub.Conn) {
			msg := websocket.FormatCloseMessage(websocket.CloseGoingAway, "tab closed")
			if err := cl.ws.WriteControl(websocket.CloseMessage, msg, time.Now().Add(patience)); err != nil {
				t.Error(err)
			}
		}, protocol.CloseGoingAway},
		{"the client closes without a code", func(*testing.T, *server, *client, *hub.Conn) {}, protocol.CloseNoStatus},
		{"the server closes", func(_ *testing.T, _ *server, _ *client, c *hub.Conn) { _ = c.Close(4242, "enough") }, 4242},
		{"Disconnect", func(t *testing.T, s *server, _ *client, _ *hub.Conn) {
			if _, err := s.Disconnect(context.Background(), hub.ByUser("ada"), nil); err != nil {
				t.Error(err)
			}
		}, protocol.CloseDisconnected},
		{"Shutdown", func(t *testing.T, s *server, cl *client, _ *hub.Conn) {
			go cl.end() //nolint:errcheck // it answers the close frame
			s.shutdown(t)
		}, protocol.CloseServiceRestart},
		{"Close", func(t *testing.T, s *server, _ *client, _ *hub.Conn) {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}, protocol.CloseServiceRestart},
		{"binary", func(t *testing.T, _ *server, cl *client, _ *hub.Conn) {
			if err := cl.ws.WriteMessage(websocket.BinaryMessage, nil); err != nil {
				t.Error(err)
			}
		}, protocol.CloseUnsupportedData},
		{"too large", func(_ *testing.T, _ *server, cl *client, _ *hub.Conn) {
			_ = cl.ws.WriteMessage(websocket.TextMessage, make([]byte, 70_000)) // the hub may have enough of it
		}, protocol.CloseTooBig},
		{"not UTF-8", write("\xff"), protocol.CloseInvalidPayload},
		{"a panic", write(`{"op":"send","data":1}`), protocol.CloseHandlerPanic},
		{"a protocol error", func(_ *testing.T, _ *server, cl *client, _ *hub.Conn) {
			cl.writeBytes(unmasked(finBit|textFrame, "{}"))
		}, protocol.CloseProtocolError},
	}
	overEach(t, func(t *testing.T, tr transport) {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				s := tr.start(t, hub.WithAuthenticator(asUser), hub.WithCloseTimeout(50*time.Millisecond))
				conns, ends := s.watchConns(), make(chan error, 2)
				s.OnMessage(func(context.Context, *hub.Conn, hub.Message) { panic("OnMessage") })
				s.OnDisconnect(func(ctx context.Context, c *hub.Conn, err error) {
					if ctx.Err() == nil {
						t.Error("the context is not over")
					}
					if rooms := c.Rooms(); !slices.Equal(rooms, []string{"a"}) {
						t.Errorf("was in %v", rooms)
					}
					if r := s.Room("a"); r.Members != 0 {
						t.Errorf("is still in it: %+v", r)
					}
					ends <- err
				})
				cl := s.connect(t, http.Header{"X-User": {"ada"}})
				cl.welcomed()
				c := receive(t, "OnConnect", conns)
				if err := c.Join(t.Context(), "a"); err != nil {
					t.Fatal(err)
				}
				if tt.code == protocol.CloseNoStatus {
					if err := cl.ws.WriteControl(websocket.CloseMessage, nil, time.Now().Add(patience)); err != nil {
						t.Fatal(err)
					}
				}
				tt.end(t, s, cl, c)
				var ce *hub.CloseError
				if err := receive(t, "OnDisconnect", ends); !errors.As(err, &ce) || ce.Code != tt.code {
					t.Errorf("OnDisconnect: %v, want %v", err, tt.code)
				}
				await(t, "it is counted", func() bool { st := s.Stats(); return st.Conns == 0 && st.Closed[tt.code] == 1 })
				if len(ends) > 0 {
					t.Error("OnDisconnect was called twice")
				}
			})
		}
	})
}
