package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"github.com/gohubkit/hubkit/client"
	"github.com/gohubkit/hubkit/protocol"
)

// TestStats follows a client from before Run over a connection that is lost to its end.
func TestStats(t *testing.T) {
	var counted atomic.Pointer[countedConn]
	dial := client.WithDialer(func(ctx context.Context, network, addr string) (net.Conn, error) {
		var d net.Dialer
		c, err := d.DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		cc := &countedConn{Conn: c, before: counted.Load()}
		counted.Store(cc)
		return cc, nil
	})
	s := newServer(t)
	states := make(chan client.State, 100)
	c := newClient(t, s.url, dial, client.OnState(func(st client.State) { states <- st }))
	if got := c.Stats(); got.Status != client.Disconnected || got.Connects != 0 || got.BytesOut != 0 || got.Rooms == nil {
		t.Errorf("before Run: %+v", got)
	}
	ready := make(chan struct{})
	subscribe(t, c, "b", func(client.Message) { close(ready) })
	subscribe(t, c, "a", func(client.Message) {})
	if _, err := c.PublishAsync("a", []byte(`"1"`)); err != nil {
		t.Fatal(err)
	}
	if got := c.Stats(); got.Queued != 1 || got.QueuedBytes == 0 || got.Unanswered != 0 || !slices.Equal(got.Rooms, []string{"a", "b"}) {
		t.Errorf("with one request queued: %+v", got)
	}
	r := run(t, c)
	p, _ := s.greet()
	awaitStatus(t, states, client.Connected)
	p.want(protocol.OpPublish)
	for c.Stats().MessagesOut < 2 { // the server may have it before the client has counted it
		time.Sleep(time.Millisecond)
	}
	got := c.Stats()
	if got.Status != client.Connected || got.Conn == "" || got.Node == "" || got.Connects != 1 || got.Reconnects != 0 ||
		got.Queued != 0 || got.Unanswered != 1 || got.QueuedBytes == 0 || got.MessagesIn != 1 {
		t.Errorf("with one request under way: %+v", got)
	}
	p.ok(0, "b", at(0))
	p.message("b", "1", at(1))
	receive(t, ready)
	if got := c.Stats(); got.MessagesIn != 3 {
		t.Errorf("after three messages: %+v", got)
	}
	p.send(protocol.AppendStale(nil))
	awaitStatus(t, states, client.Stale)
	if got := c.Stats(); got.Status != client.Stale {
		t.Errorf("after stale: %+v", got)
	}
	var refused atomic.Bool
	s.answer(func(w http.ResponseWriter, _ *http.Request) bool {
		if refused.Swap(true) {
			return false
		}
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	})
	p.cut()
	awaitStatus(t, states, client.Disconnected)
	p, _ = s.greet()
	awaitStatus(t, states, client.Connected)
	if got := c.Stats(); got.Connects != 2 || got.Reconnects != 1 || got.Failures != 1 {
		t.Errorf("after a reconnect: %+v", got)
	}
	p.cut()
	r.cancel()
	if err := r.end(); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	got = c.Stats()
	in, out := counted.Load().all()
	if got.Status != client.Closed || got.Conn != "" || got.Queued+got.Unanswered+got.QueuedBytes != 0 || got.BytesIn != in || got.BytesOut != out {
		t.Errorf("after Run: %+v, want %d bytes read and %d written", got, in, out)
	}
	raw, err := json.Marshal(client.Stats{Status: client.Live, RoundTrip: 7})
	if want := `{"status":"live","connects":0,"reconnects":0,"failures":0,"messages_in":0,"messages_out":0,"bytes_in":0,"bytes_out":0,"round_trip":7,` +
		`"rooms":null,"queued":0,"queued_bytes":0,"unanswered":0}`; err != nil || string(raw) != want {
		t.Errorf("%s, %v", raw, err)
	}
}

// countedConn counts what passes, with all connections before it.
type countedConn struct {
	net.Conn
	before  *countedConn
	in, out atomic.Int64
}

func (c *countedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.in.Add(int64(n))
	return n, err
}

func (c *countedConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.out.Add(int64(n))
	return n, err
}

func (c *countedConn) all() (in, out int64) {
	for ; c != nil; c = c.before {
		in, out = in+c.in.Load(), out+c.out.Load()
	}
	return in, out
}

// TestStatsRoundTrip: it is the time from a ping to its pong; a pong that nobody asked for tells none.
func TestStatsRoundTrip(t *testing.T) {
	virtual(t, func(t *testing.T, s *server, c *client.Client) {
		run(t, c)
		p, _ := s.greet()
		var takes atomic.Int64
		p.ws.SetPingHandler(func(payload string) error {
			time.Sleep(time.Duration(takes.Load()))
			return p.ws.WriteControl(websocket.PongMessage, []byte(payload), time.Now().Add(time.Second))
		})
		p.listen(true)
		if err := p.ws.WriteControl(websocket.PongMessage, nil, time.Now().Add(time.Second)); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if got := c.Stats().RoundTrip; got != 0 {
			t.Errorf("before the first ping: %v", got)
		}
		for _, trip := range []time.Duration{70 * time.Millisecond, 20 * time.Millisecond} {
			takes.Store(int64(trip))
			time.Sleep(time.Minute)
			synctest.Wait()
			if got := c.Stats().RoundTrip; got != trip {
				t.Errorf("the round trip is %v, want %v", got, trip)
			}
		}
	})
}

// TestStatsDuringTraffic: Stats may be called at any time, by anybody.
func TestStatsDuringTraffic(t *testing.T) {
	s := newServer(t)
	c := newClient(t, s.url)
	run(t, c)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for last := (client.Stats{}); ; {
				select {
				case <-stop:
					return
				default:
				}
				now := c.Stats()
				if now.BytesIn < last.BytesIn || now.MessagesOut < last.MessagesOut || now.Connects < last.Connects || now.Reconnects > now.Connects {
					t.Errorf("%+v after %+v", now, last)
				}
				last = now
			}
		})
	}
	for range 20 {
		sub := subscribe(t, c, "a", func(client.Message) {})
		p, _ := s.greet()
		p.ok(0, "a", at(0))
		p.message("a", "1", at(1))
		p.cut()
		sub.Stop()
	}
	close(stop)
	wg.Wait()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if got := c.Stats(); got.Status != client.Closed || got.Connects == 0 || got.Connects+got.Failures < 20 { // a try that was cut before its welcome was read has failed
		t.Errorf("%+v", got)
	}
	never := newClient(t, s.url)
	if err := never.Close(); err != nil || never.Stats().Status != client.Closed {
		t.Errorf("closed before Run: %+v, %v", never.Stats(), err)
	}
}
