package hub_test

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/heartbeat"
	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/protocol"
	"github.com/gorilla/websocket"
)

// goingAway is a close frame.
func goingAway() []byte { return masked(finBit|closeFrame, "\x03\xe9") }

func (c *client) tcp() *net.TCPConn {
	conn := c.ws.NetConn()
	if t, ok := conn.(*tls.Conn); ok {
		conn = t.NetConn()
	}
	return conn.(*net.TCPConn)
}

// TestContextEndsWithClient: the context of a callback ends while it runs, when its client leaves. There is no heartbeat to
// notice.
func TestContextEndsWithClient(t *testing.T) {
	ends := []struct {
		name string
		end  func(c *client)
		tls  bool // it is seen under TLS
		code protocol.CloseCode
	}{
		{"FIN", func(c *client) { _ = c.tcp().CloseWrite() }, true, protocol.CloseAbnormal},
		{"closed", func(c *client) { _ = c.ws.NetConn().Close() }, true, protocol.CloseAbnormal},
		{"RST", func(c *client) { _ = c.tcp().SetLinger(0); _ = c.tcp().Close() }, true, protocol.CloseAbnormal},
		{"close frame", func(c *client) { c.writeBytes(goingAway()) }, false, protocol.CloseGoingAway},
		{"close frame behind a ping", func(c *client) {
			c.writeBytes(append(masked(finBit|pingFrame, "x"), goingAway()...))
		}, false, protocol.CloseGoingAway},
		{"close frame and FIN", func(c *client) { c.writeBytes(goingAway()); _ = c.tcp().CloseWrite() }, true, protocol.CloseGoingAway},
	}
	callbacks := []string{"token verifier", "OnConnect", "plain OnConnect", "OnJoin", "OnPublish", "OnMessage", "call", "heavy call"}
	overEach(t, func(t *testing.T, tr transport) {
		for _, callback := range callbacks {
			for _, end := range ends {
				if tr.tls && !end.tls {
					continue
				}
				t.Run(callback+"/"+end.name, func(t *testing.T) {
					t.Parallel() // each waits for the hub to look
					contexts := make(chan context.Context, 1)
					wait := func(ctx context.Context, at string) error {
						if at == strings.TrimPrefix(callback, "plain ") {
							contexts <- ctx
							<-ctx.Done()
							return ctx.Err()
						}
						return nil
					}
					opts := []hub.Option{hub.WithHeartbeat(heartbeat.Disabled())}
					if callback == "token verifier" {
						opts = append(opts, hub.WithTokenVerifier(func(ctx context.Context, _ string) (hub.Identity, error) {
							return hub.Identity{}, wait(ctx, "token verifier")
						}))
					}
					s := tr.start(t, opts...)
					call := func(at string) hub.HandlerFunc {
						return func(ctx context.Context, _ *hub.Conn, _ []byte) (any, error) { return nil, wait(ctx, at) }
					}
					s.Handle("light", call("call"))
					s.Handle("heavy", call("heavy call"), hub.Heavy())
					s.OnConnect(func(ctx context.Context, _ *hub.Conn) error { return wait(ctx, "OnConnect") })
					s.OnJoin(func(ctx context.Context, _ *hub.Conn, _ string) error { return wait(ctx, "OnJoin") })
					s.OnPublish(func(ctx context.Context, _ *hub.Conn, _ *hub.Publication) error { return wait(ctx, "OnPublish") })
					s.OnMessage(func(ctx context.Context, _ *hub.Conn, _ hub.Message) { _ = wait(ctx, "OnMessage") })
					gone := make(chan error, 1)
					s.OnDisconnect(func(_ context.Context, _ *hub.Conn, err error) { gone <- err })

					var c *client
					if strings.HasPrefix(callback, "plain") {
						c = s.connect(t, nil)
					} else {
						c = s.connect(t, nil, protocol.Subprotocol)
						c.write(`{"op":"hello"}`)
					}
					if m := triggers[callback]; m != "" {
						c.welcomed()
						c.write(m)
					}
					ctx := receive(t, callback, contexts)
					end.end(c)
					finished(t, "the context", ctx.Done())
					if ctx.Err() == nil {
						t.Error("the context is done without an error")
					}
					if n := s.Stats().Failures; n != 0 {
						t.Errorf("%d failures counted for a client that has gone", n)
					}
					if triggers[callback] == "" {
						return // refused
					}
					var ce *hub.CloseError
					if err := receive(t, "OnDisconnect", gone); !errors.As(err, &ce) || ce.Code != end.code {
						t.Errorf("OnDisconnect was told %v, want %v", err, end.code)
					}
				})
			}
		}
	})
}

// TestContextEndsWithBufferedClose: the close frame came with the request.
func TestContextEndsWithBufferedClose(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		s := tr.start(t, hub.WithHeartbeat(heartbeat.Disabled()))
		ended := make(chan struct{})
		s.OnMessage(func(ctx context.Context, _ *hub.Conn, _ hub.Message) {
			<-ctx.Done()
			close(ended)
		})
		c := s.dial(t)
		c.writeBytes(append(masked(finBit|textFrame, `{"op":"send","data":1}`), goingAway()...))
		finished(t, "the context", ended)
	})
}

// TestSentBeforeLeaving: what a client sent before it left is done, though a handler before it took its time.
func TestSentBeforeLeaving(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		s := tr.start(t, hub.WithOpenRooms("open"))
		s.Handle("slow", func(ctx context.Context, _ *hub.Conn, _ []byte) (any, error) {
			<-ctx.Done()
			return nil, nil
		})
		listener := s.dial(t)
		listener.ask(`{"op":"join","id":1,"room":"open"}`)
		c := s.dial(t)
		c.write(`{"op":"call","id":1,"method":"slow"}`)
		for range 3 {
			c.write(`{"op":"publish","room":"open","data":"last words"}`)
		}
		_ = c.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseGoingAway, ""), time.Now().Add(patience))
		_ = c.tcp().CloseWrite()
		for range 3 {
			listener.expect(`{"op":"message","room":"open","data":"last words"}`)
		}
	})
}

// TestContextStays: a client that is there keeps its handler's context, whatever it sends meanwhile.
func TestContextStays(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		s := tr.start(t)
		entered, release := make(chan struct{}), make(chan struct{})
		s.Handle("slow", func(ctx context.Context, _ *hub.Conn, _ []byte) (any, error) {
			entered <- struct{}{}
			select {
			case <-ctx.Done():
			case <-release:
			}
			return ctx.Err() == nil, nil
		})
		c := s.dial(t)
		// Of the message that follows the call a part has been read, and the rest begins like a close frame.
		follows := []byte{finBit | textFrame, 0x80 | 20, finBit | closeFrame, 0x80, 0, 0}
		for i, b := range []byte(`{"op":"ping","id":9}`) {
			follows = append(follows, b^follows[2+i&3])
		}
		c.writeBytes(append(masked(finBit|textFrame, `{"op":"call","id":1,"method":"slow"}`), follows[:2]...))
		finished(t, "the call", entered)
		c.writeBytes(follows[2:])
		time.Sleep(1200 * time.Millisecond) // not waiting for anything: a wrong hub has looked twice
		close(release)
		c.expect(`{"op":"ok","id":1,"data":true}`, `{"op":"ok","id":9}`)
	})
}

// errorLog keeps what is logged as an error.
type errorLog struct {
	mu  sync.Mutex
	out strings.Builder
}

func (l *errorLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.out.Write(p)
}

func (l *errorLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.out.String()
}

func (l *errorLog) option() hub.Option {
	return hub.WithLogger(slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelError})))
}

// TestHangUpIsNoFault: that a client leaves while its publish or its join is under way is not logged as an error.
func TestHangUpIsNoFault(t *testing.T) {
	for _, op := range []string{`{"op":"join","id":1,"room":"open"}`, `{"op":"publish","id":1,"room":"open","data":1}`} {
		overEach(t, func(t *testing.T, tr transport) {
			var l errorLog
			b := &stuck{memoryBroker: newMemory(t), entered: make(chan struct{}, 1)}
			s := tr.start(t, hub.WithBroker(b), hub.WithOpenRooms("open"), l.option(), hub.WithCloseTimeout(time.Millisecond))
			conns := s.watchConns()
			c := s.dial(t)
			conn := receive(t, "OnConnect", conns)
			c.write(op)
			receive(t, "the broker", b.entered)
			_ = c.ws.Close()
			_ = conn.Close(protocol.CloseNormal, "") // which cuts it soon
			s.shutdown(t)
			if got := l.String(); got != "" {
				t.Errorf("logged: %s", got)
			}
		})
	}
}
