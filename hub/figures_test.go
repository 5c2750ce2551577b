package hub_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/heartbeat"
	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/protocol"
)

// TestRefusalsByReason: every refused handshake has a reason, and the reasons add up.
func TestRefusalsByReason(t *testing.T) {
	s := start(t, hub.WithMaxPerIP(1), hub.WithAuthenticator(func(r *http.Request) (hub.Identity, error) {
		switch r.Header.Get("As") {
		case "nobody":
			return hub.Identity{}, hub.ErrUnauthorized
		case "blocked":
			return hub.Identity{}, hub.ErrForbidden
		case "teapot":
			return hub.Identity{}, &hub.HTTPError{Status: http.StatusTeapot}
		case "broken":
			return hub.Identity{}, context.DeadlineExceeded
		case "crash":
			panic("a bug")
		}
		return hub.Identity{}, nil
	}))
	resp, err := http.Get(s.http.URL)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	s.refused(t, http.Header{"Origin": {"https://evil.example"}})
	for _, who := range []string{"nobody", "blocked", "teapot", "broken", "crash"} {
		s.refused(t, http.Header{"As": {who}})
	}
	s.dial(t)
	s.refused(t, nil)
	st := s.Stats()
	want := map[hub.RefusalReason]int64{
		hub.RefusedRequest: 1, hub.RefusedOrigin: 1, hub.RefusedUnauthorized: 1, hub.RefusedForbidden: 1,
		hub.RefusedByApplication: 1, hub.RefusedUnavailable: 2, hub.RefusedAddress: 1,
	}
	sum := int64(0)
	for why, n := range st.Refusals {
		if n != want[why] {
			t.Errorf("%d were refused for %v, want %d", n, why, want[why])
		}
		if strings.Contains(why.String(), "(") {
			t.Errorf("reason %d has no name", why)
		}
		sum += n
	}
	if sum != 8 || st.Refused != sum {
		t.Errorf("%d refused, of which %d have a reason; want 8", st.Refused, sum)
	}
	if c := s.SumConns(); c.Handshaking != 0 || c.Open != 1 {
		t.Errorf("%+v", c)
	}
}

// TestPostsByReason: requests of Post are counted apart from handshakes, accepted or refused for a reason.
func TestPostsByReason(t *testing.T) {
	s := start(t, hub.WithOpenRooms("*"), hub.WithAuthenticator(func(r *http.Request) (hub.Identity, error) {
		if r.Header.Get("X-User") == "" {
			return hub.Identity{}, hub.ErrUnauthorized
		}
		return hub.Identity{User: r.Header.Get("X-User")}, nil
	}))
	p := s.posts(t)
	p.post("room=r", as("ada"), `123`)
	p.post("method=none", as("ada"), `1`)
	p.post("room=r", nil, `1`)
	p.post("room=r", as("ada", "Origin", "https://evil.example"), `1`)
	if _, err := p.do(t.Context(), http.MethodGet, "room=r", as("ada"), nil); err != nil {
		t.Fatal(err)
	}
	st := s.Stats()
	want := map[hub.RefusalReason]int64{hub.RefusedUnauthorized: 1, hub.RefusedOrigin: 1, hub.RefusedRequest: 1}
	for why, n := range st.Posts.Refusals {
		if n != want[why] {
			t.Errorf("%d were refused for %v, want %d", n, why, want[why])
		}
	}
	if st.Posts.Accepted != 2 || st.Posts.Refused != 3 || st.Refused != 0 || st.Accepted != 0 || st.ReceivedBytes != 4 {
		t.Errorf("%+v; handshakes: %d accepted, %d refused; %d bytes", st.Posts, st.Accepted, st.Refused, st.ReceivedBytes)
	}
}

// TestHistograms: passes, publications and pings are measured, and bytes are counted both ways.
func TestHistograms(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		t.Parallel() // it waits for a ping
		s := tr.start(t, hub.WithOpenRooms("*"), hub.WithHeartbeat(heartbeat.Policy{
			Interval: 3 * time.Second, Timeout: 3 * time.Second, Tick: 10 * time.Millisecond,
		}))
		c := s.dial(t)
		c.ask(`{"op":"join","id":1,"room":"r"}`)
		const published = 5000 // that none of so many is a sample happens once in 300 million times
		size := int64(0)
		for range published {
			if _, err := s.Publish(t.Context(), "r", []byte(`"0123456789"`)); err != nil {
				t.Fatal(err)
			}
			p, err := c.tryNext()
			if err != nil {
				t.Fatal(err)
			}
			size += int64(len(p))
		}
		go func() { _, _ = c.tryNext() }() // answers the pings
		await(t, "a pass, a publication and a ping are measured", func() bool {
			st := s.Stats()
			return st.Batches.Count() > 0 && st.Batches.Sum == published && st.Latency.Count() > 0 && st.BrokerLatency.Count() > 0 &&
				st.RoundTrips.Count() > 0
		})
		st := s.Stats()
		if st.Latency.Sum <= 0 || st.Latency.Sum > patience.Seconds()*float64(st.Latency.Count()) {
			t.Errorf("latency %+v", st.Latency)
		}
		if st.RoundTrips.Sum <= 0 || len(st.RoundTrips.Counts) != len(st.RoundTrips.Bounds)+1 {
			t.Errorf("round trips %+v", st.RoundTrips)
		}
		if st.SentBytes < size+published*2 {
			t.Errorf("%d bytes sent, the messages alone have %d", st.SentBytes, size+published*2)
		}
		if least := int64(len(`{"op":"join","id":1,"room":"r"}`)); st.ReceivedBytes < least || st.ReceivedBytes > 100*least {
			t.Errorf("%d bytes received", st.ReceivedBytes)
		}
	})
}

// TestSumConns: what waits for a socket is seen in the histograms, and connections are counted by state.
func TestSumConns(t *testing.T) {
	tr := poller
	tr.sendBuffer = 4 << 10
	s := tr.start(t, hub.WithOpenRooms("*"), hub.WithCloseTimeout(patience))
	idle, slow := s.dial(t), s.dial(t)
	slow.ask(`{"op":"join","id":1,"room":"r"}`)
	var c hub.ConnSums
	await(t, "a backlog", func() bool {
		if _, err := s.Publish(t.Context(), "r", []byte(`"`+strings.Repeat("x", 16<<10)+`"`)); err != nil {
			t.Fatal(err)
		}
		c = s.SumConns()
		return c.Open == 2 && c.BacklogMessages.Sum > 0 && c.BacklogBytes.Sum >= 16<<10
	})
	if c.BacklogMessages.Count() != 2 || c.BacklogMessages.Counts[0] != 1 || c.Replaying != 0 {
		t.Errorf("%+v", c)
	}
	s.OnMessage(func(_ context.Context, c *hub.Conn, _ hub.Message) { _ = c.Close(protocol.CloseNormal, "") })
	idle.write(`{"op":"send","data":1}`)
	await(t, "one is closing", func() bool { c := s.SumConns(); return c.Open == 1 && c.Closing == 1 })
}

// TestStreamUnderWay: the request of an event stream is a handshake until it is answered.
func TestStreamUnderWay(t *testing.T) {
	asked, answer := make(chan struct{}), make(chan struct{})
	refuse := false
	s := start(t, hub.WithOpenRooms("*"), hub.WithAuthenticator(func(*http.Request) (hub.Identity, error) {
		asked <- struct{}{}
		<-answer
		if refuse {
			return hub.Identity{}, hub.ErrForbidden
		}
		return hub.Identity{}, nil
	}))
	p := s.streams(t)
	for _, tt := range []struct {
		refuse bool
		status int
	}{{false, http.StatusOK}, {true, http.StatusForbidden}} {
		refuse = tt.refuse
		status := make(chan int, 1)
		go func() { status <- p.request("room=r", nil).StatusCode }() //nolint:bodyclose // request sees to it
		receive(t, "the question who it is", asked)
		if c := s.SumConns(); c.Handshaking != 1 {
			t.Errorf("%d are handshaking, want 1", c.Handshaking)
		}
		answer <- struct{}{}
		if got := receive(t, "the answer", status); got != tt.status {
			t.Errorf("answered with %d, want %d", got, tt.status)
		}
		await(t, "no handshake to be under way", func() bool { return s.SumConns().Handshaking == 0 })
	}
	sse := hub.ConnKind{Transport: "sse", Codec: "json"}
	await(t, "the stream to be counted", func() bool { c := s.SumConns(); return c.Open == 1 && c.Kinds[sse] == 1 })
}

// TestLinksOfMemory: a broker that has no connections tells of none.
func TestLinksOfMemory(t *testing.T) {
	s := start(t)
	st := s.Stats()
	if st.Links.Subscribing != 0 || st.Links.Publishing != 0 {
		t.Errorf("%+v", st.Links)
	}
}
