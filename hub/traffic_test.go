package hub_test

import (
	"bytes"
	"compress/flate"
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"net"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/gohubkit/hubkit/heartbeat"
	"github.com/gohubkit/hubkit/hub"
)

// trafficConn counts what a client writes and reads, within TLS.
type trafficConn struct {
	net.Conn
	wrote, read *atomic.Int64
}

func (c trafficConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.wrote.Add(int64(n))
	return n, err
}

func (c trafficConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.read.Add(int64(n))
	return n, err
}

// measured is a client that counts what the hub is to count of it.
type measured struct {
	*client
	conn           *hub.Conn
	wrote, read    atomic.Int64
	request        int64 // bytes of the handshake, which the hub does not count
	sent, received int64 // messages
}

func (s *server) dialMeasured(t *testing.T, compress bool, conns <-chan *hub.Conn) *measured {
	t.Helper()
	m := new(measured)
	d := s.dialer()
	d.EnableCompression = compress
	d.NetDialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		nc, err := new(net.Dialer).DialContext(ctx, network, addr)
		return trafficConn{nc, &m.wrote, &m.read}, err
	}
	d.NetDialTLSContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conf := d.TLSClientConfig.Clone()
		conf.ServerName = "127.0.0.1"
		nc, err := (&tls.Dialer{Config: conf}).DialContext(ctx, network, addr)
		return trafficConn{nc, &m.wrote, &m.read}, err
	}
	m.client = s.connectWith(t, d, nil)
	m.request = m.wrote.Load()
	m.welcomed()
	m.received++
	m.conn = receive(t, "OnConnect", conns)
	return m
}

func (m *measured) write(frame string) {
	m.t.Helper()
	m.client.write(frame)
	m.sent++
}

// until reads messages until each of some texts has been in one, in any order.
func (m *measured) until(texts ...string) {
	m.t.Helper()
	for len(texts) > 0 {
		p := m.next()
		m.received++
		texts = slices.DeleteFunc(texts, func(text string) bool { return strings.Contains(p, text) })
	}
}

// TestTraffic: the bytes and messages of a connection are those that its client has counted: of rooms in batches, with io_uring
// and from the backlog of a client that reads late, compressed, answers in one part and in two, control frames, and a message in
// fragments.
func TestTraffic(t *testing.T) {
	for _, compress := range []bool{false, true} {
		t.Run(map[bool]string{false: "plain", true: "compressed"}[compress], func(t *testing.T) {
			overEach(t, func(t *testing.T, tr transport) {
				tr.sendBuffer = smallBuffers
				const members, burst, size = 6, 40, 8 << 10
				s := tr.start(t, hub.WithOpenRooms("*"), hub.WithRooms("here", hub.Presence()), hub.WithCompression(flate.BestSpeed, 100),
					hub.WithBacklog(10*burst, 10*burst*size), hub.WithMaxMessage(4*size), hub.WithoutRateLimit(), hub.WithWriteTimeout(patience))
				conns := s.watchConns()
				var all []*measured
				for range members {
					m := s.dialMeasured(t, compress, conns)
					m.write(`{"op":"join","id":1,"room":"a"}`)
					m.until(`"id":1`)
					all = append(all, m)
				}
				first := all[0]
				first.write(`{"op":"join","id":2,"room":"here"}`)
				first.until(`"id":2`)
				first.write(`{"op":"presence","id":3,"room":"here"}`)
				first.until(`"id":3`)
				for i := range burst {
					if _, err := s.Publish(t.Context(), "a", payload(i, size)); err != nil {
						t.Fatal(err)
					}
				}
				for _, m := range all {
					m.write(`{"op":"ping","id":4}`)
					if err := m.ws.WriteControl(websocket.PingMessage, []byte("are you there"), time.Now().Add(patience)); err != nil {
						t.Fatal(err)
					}
					w, err := m.ws.NextWriter(websocket.TextMessage)
					if err != nil {
						t.Fatal(err)
					}
					for _, part := range []string{`{"op":"ping",`, strings.Repeat(" ", size), `"id":5}`} { // more than gorilla's buffer
						if _, err := io.WriteString(w, part); err != nil {
							t.Fatal(err)
						}
					}
					if err := w.Close(); err != nil {
						t.Fatal(err)
					}
					m.sent++
					if err := m.conn.Send([]byte(`"alone"`)); err != nil {
						t.Fatal(err)
					}
				}
				for _, m := range all {
					m.until(`"alone"`, `"id":5`)
				}
				if _, err := s.Publish(t.Context(), "a", []byte(`"the last"`)); err != nil {
					t.Fatal(err)
				}
				for i, m := range all {
					m.until(`"the last"`)
					await(t, "all is counted", func() bool {
						st := m.conn.Info()
						return st.SentBytes >= m.read.Load() && st.ReceivedBytes >= m.wrote.Load()-m.request && st.Delivered == burst+1
					})
					got := m.conn.Info()
					if got.SentBytes != m.read.Load() || got.SentMessages != m.received {
						t.Errorf("client %d read %d bytes and %d messages, the hub sent %d and %d", i, m.read.Load(), m.received, got.SentBytes, got.SentMessages)
					}
					if wrote := m.wrote.Load() - m.request; got.ReceivedBytes != wrote || got.ReceivedMessages != m.sent {
						t.Errorf("client %d wrote %d bytes and %d messages, the hub received %d and %d", i, wrote, m.sent, got.ReceivedBytes, got.ReceivedMessages)
					}
				}
			})
		})
	}
}

// TestTrafficOfBeats: beats that the poller takes without a reader count too, and refused messages do.
func TestTrafficOfBeats(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		s := tr.start(t, hub.WithRateLimit(0.001, 12))
		m := s.dialMeasured(t, false, s.watchConns())
		for range 5 {
			m.write(`{"op":"ping","id":1}`)
			m.until(`"id":1`)
			if err := m.ws.WriteControl(websocket.PingMessage, nil, time.Now().Add(patience)); err != nil {
				t.Fatal(err)
			}
			if err := m.ws.WriteControl(websocket.PongMessage, nil, time.Now().Add(patience)); err != nil {
				t.Fatal(err)
			}
		}
		m.write(`{"op":"ping","id":2}`)
		m.until(`"id":2`)
		await(t, "what was sent is counted", func() bool { return m.conn.Info().SentBytes >= m.read.Load() }) // after it is in the socket
		got := m.conn.Info()
		if wrote := m.wrote.Load() - m.request; got.ReceivedBytes != wrote || got.ReceivedMessages != m.sent {
			t.Errorf("the client wrote %d bytes and %d messages, the hub received %d and %d", wrote, m.sent, got.ReceivedBytes, got.ReceivedMessages)
		}
		if got.SentMessages != m.received {
			t.Errorf("the client read %d messages, the hub sent %d", m.received, got.SentMessages)
		}
	})
}

// TestTrafficOfStream: an event stream's bytes are those of the answer, and its messages the events.
func TestTrafficOfStream(t *testing.T) {
	s := start(t, hub.WithOpenRooms("*"), hub.WithHeartbeat(heartbeat.Policy{Interval: 100 * time.Millisecond, Timeout: 100 * time.Millisecond}))
	conns := s.watchConns()
	web := httptest.NewServer(s.SSE())
	t.Cleanup(web.Close)
	nc, err := net.Dial("tcp", web.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	if _, err := io.WriteString(nc, "GET /?room=a HTTP/1.1\r\nHost: hub\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	c := receive(t, "OnConnect", conns)
	var got []byte
	reads := func(what string) {
		t.Helper()
		for !bytes.Contains(got, []byte(what)) {
			buf := make([]byte, 4<<10)
			_ = nc.SetReadDeadline(time.Now().Add(patience))
			n, err := nc.Read(buf)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, buf[:n]...)
		}
	}
	reads("event:joined")
	reads("\n:\n") // a beat
	for i := range 3 {
		data, _ := json.Marshal(i)
		if _, err := s.Publish(t.Context(), "a", data); err != nil {
			t.Fatal(err)
		}
	}
	reads(`"data":2`)
	await(t, "both have the same", func() bool {
		_ = nc.SetReadDeadline(time.Now().Add(time.Millisecond))
		buf := make([]byte, 4<<10)
		n, _ := nc.Read(buf)
		got = append(got, buf[:n]...)
		return c.Info().SentBytes == int64(len(got))
	})
	if events := int64(bytes.Count(got, []byte("data:"))); c.Info().SentMessages != events {
		t.Errorf("%d messages, want the %d events of\n%s", c.Info().SentMessages, events, got)
	}
}
