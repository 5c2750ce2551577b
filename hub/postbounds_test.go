package hub_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/workerpool"
)

// TestPostRate: the limits are a user's, or an anonymous client's address's, whatever connections they come over.
func TestPostRate(t *testing.T) {
	s := start(t, hub.WithOpenRooms("*"), hub.WithAuthenticator(asUser), hub.WithRateLimit(0.001, 2), hub.WithTrustedProxies("127.0.0.1"))
	p := s.posts(t)
	for _, who := range []http.Header{
		as("ada"), as("eve"), as(""), as("", "X-Forwarded-For", "192.0.2.1"), as("", "X-Forwarded-For", "192.0.2.2"),
		as("", "X-Forwarded-For", "2001:db8::1"), as("", "X-Forwarded-For", "2001:db8:0:1::1"),
	} {
		for range 2 {
			if a := p.post("room=r", who, `1`); a.status != 200 {
				t.Errorf("%v: %d %s", who, a.status, a.body)
			}
		}
		a := p.post("room=r", who, `1`)
		if a.status != 429 || a.Code != "rate_limited" || a.RetryAfter < 900_000 || a.header.Get("Retry-After") == "" {
			t.Errorf("%v: %d %s", who, a.status, a.body)
		}
	}
	// Another address of the same network, and the user from elsewhere.
	for _, who := range []http.Header{as("", "X-Forwarded-For", "2001:db8::ffff"), as("ada", "X-Forwarded-For", "192.0.2.3")} {
		if a := p.post("room=r", who, `1`); a.status != 429 {
			t.Errorf("%v: %d %s", who, a.status, a.body)
		}
	}
	c := s.dialAs(t, "ada") // a connection has limits of its own
	c.alive()
	if st := s.Stats(); st.Limited != 9 || st.Published != 14 {
		t.Errorf("limited %d, published %d", st.Limited, st.Published)
	}
}

// TestPostByteRate: bytes are counted when they have come.
func TestPostByteRate(t *testing.T) {
	s := start(t, hub.WithOpenRooms("*"), hub.WithMaxMessage(100), hub.WithByteRateLimit(1, 150))
	p := s.posts(t)
	body := `"` + strings.Repeat("x", 98) + `"`
	p.expect("room=r", nil, body, 200, `{"op":"ok","room":"r"}`)
	if a := p.post("room=r", nil, body); a.status != 429 || a.RetryAfter < 40_000 {
		t.Errorf("%d %s", a.status, a.body)
	}
	p.expect("room=r", nil, `1`, 200, `{"op":"ok","room":"r"}`)
}

// holding makes POSTs of a method that answers when it is let go.
func (p *posts) holding(s *server, opts ...hub.HandleOption) (begun chan string, release func()) {
	begun = make(chan string, 100)
	held := make(chan struct{})
	s.Handle("hold", func(_ context.Context, _ *hub.Conn, data []byte) (any, error) {
		begun <- string(data)
		<-held
		return nil, nil
	}, opts...)
	var once sync.Once
	release = func() { once.Do(func() { close(held) }) }
	p.t.Cleanup(release)
	return begun, release
}

// inBackground makes a POST whose answer comes later.
func (p *posts) inBackground(query string, header http.Header, body string) <-chan answer {
	out := make(chan answer, 1)
	go func() {
		a, err := p.do(context.WithoutCancel(p.t.Context()), http.MethodPost, query, header, strings.NewReader(body))
		if err != nil {
			a.body = err.Error()
		}
		out <- a
	}()
	return out
}

// TestPostAdmission: requests under way are bounded as connections are, and neither keeps the other out.
func TestPostAdmission(t *testing.T) {
	s := start(t, hub.WithMaxPerIP(1))
	p := s.posts(t)
	begun, release := p.holding(s)
	c := s.dial(t)
	first := p.inBackground("method=hold", nil, "1")
	receive(t, "the first", begun)
	if a := p.post("method=hold", nil, "2"); a.status != 503 || a.Code != "unavailable" || a.header.Get("Retry-After") == "" || !a.closes {
		t.Errorf("%d %s", a.status, a.body)
	}
	c.alive()
	release()
	if a := receive(t, "the answer", first); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
	p.expect("method=hold", nil, "3", 200, `{"op":"ok"}`) // its place is free

	s = start(t, hub.WithOpenRooms("*"), hub.WithAdmission(0.001, 2))
	p = s.posts(t)
	for range 2 {
		p.expect("room=r", nil, "1", 200, `{"op":"ok","room":"r"}`)
	}
	if a := p.post("room=r", nil, "1"); a.status != 503 || a.header.Get("Retry-After") == "" {
		t.Errorf("%d %s", a.status, a.body)
	}
	s.dial(t).alive()
}

// TestPostHandshakesAreBounded: the authenticator has no more to do at a time than WithMaxHandshakes says, and a call that
// takes long is no handshake.
func TestPostHandshakesAreBounded(t *testing.T) {
	entered, let := make(chan struct{}, 10), make(chan struct{})
	s := start(t, hub.WithMaxHandshakes(1), hub.WithAuthenticator(func(r *http.Request) (hub.Identity, error) {
		if r.Header.Get("X-User") == "slow" {
			entered <- struct{}{}
			<-let
		}
		return hub.Identity{}, nil
	}))
	p := s.posts(t)
	begun, release := p.holding(s)
	held := p.inBackground("method=hold", nil, "1")
	receive(t, "the call", begun)
	slow := p.inBackground("method=none", as("slow"), "1")
	receive(t, "the authenticator", entered)
	if a := p.post("method=none", nil, "1"); a.status != 503 {
		t.Errorf("%d %s", a.status, a.body)
	}
	close(let)
	if a := receive(t, "the slow one", slow); a.status != 404 {
		t.Errorf("%d %s", a.status, a.body)
	}
	release()
	receive(t, "the call's answer", held)
}

// TestPostHeavyTakesTurns: heavy calls of one user are one after another, and have a share of the pool.
func TestPostHeavyTakesTurns(t *testing.T) {
	pool, err := workerpool.New(workerpool.WithWorkers(4), workerpool.WithQueue(4), workerpool.WithKeyShare(2))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pool.Close(context.Background()) })
	s := start(t, hub.WithAuthenticator(asUser), hub.WithWorkerPool(pool))
	p := s.posts(t)
	begun, release := p.holding(s, hub.Heavy())
	first := p.inBackground("method=hold", as("ada"), "1")
	receive(t, "the first call", begun)
	second := p.inBackground("method=hold", as("ada"), "2")
	await(t, "the second waits", func() bool { return pool.Stats().Queued == 1 })
	if a := p.post("method=hold", as("ada"), "3"); a.status != 503 || a.Code != "busy" || a.header.Get("Retry-After") == "" {
		t.Errorf("beyond the share: %d %s", a.status, a.body)
	}
	other := p.inBackground("method=hold", as("bob"), "4")
	if got := receive(t, "another user's", begun); got != "4" {
		t.Errorf("%s began", got)
	}
	release()
	for _, c := range []<-chan answer{first, second, other} {
		if a := receive(t, "an answer", c); a.status != 200 {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
}

// TestPostBody: a body has so long to come, and together they have so much memory. A handler may take longer than that, and the
// connection is good for the next request.
func TestPostBody(t *testing.T) {
	t.Parallel() // it takes a while, and little else
	const patience = time.Second
	s := start(t, hub.WithOpenRooms("*"), hub.WithReadTimeout(patience), hub.WithWriteTimeout(patience), hub.WithMemoryBudget(2000))
	p := s.posts(t)
	var remote sync.Map
	s.Handle("lasting", func(ctx context.Context, c *hub.Conn, data []byte) (any, error) {
		remote.Store(c.RemoteAddr().String(), true)
		d := time.Duration(0)
		if string(data) == "1" {
			d = patience + patience/4
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(d):
			return "done", nil
		}
	})
	for _, long := range []string{"1", "0", "0"} {
		p.expect("method=lasting", nil, long, 200, `{"op":"ok","data":"done"}`)
	}
	sockets := 0
	remote.Range(func(any, any) bool { sockets++; return true })
	if sockets != 1 {
		t.Errorf("%d connections for requests one after another", sockets)
	}
	r, w := io.Pipe()
	go func() { _, _ = io.WriteString(w, `{"half":`) }()
	a, err := p.do(t.Context(), http.MethodPost, "room=r", nil, r)
	if err != nil || a.status != 408 || !a.closes {
		t.Errorf("half a body: %d %s, %v", a.status, a.body, err)
	}
	_ = w.Close()
	if a := p.post("room=r", nil, `"`+strings.Repeat("x", 4000)+`"`); a.status != 503 || a.Code != "busy" {
		t.Errorf("beyond the memory: %d %s", a.status, a.body)
	}
	p.expect("room=r", nil, `"`+strings.Repeat("x", 1000)+`"`, 200, `{"op":"ok","room":"r"}`)
	await(t, "nothing is held", func() bool { return s.Stats().Memory.Held == 0 })
	if n := s.Stats().Memory.Shed; n != 0 {
		t.Errorf("%d connections were closed for it", n)
	}
}

// TestPostConn: what a handler can do with the Conn of a request.
func TestPostConn(t *testing.T) {
	s := start(t, hub.WithAuthenticator(asUser), hub.WithTrustedProxies("127.0.0.1"))
	type key struct{}
	s.OnHandshake(func(r *http.Request, c *hub.Conn) error {
		c.Set(key{}, r.Header.Get("X-Plan"))
		return c.Close(4100, "has no effect")
	})
	var last *hub.Conn
	s.Handle("conn", func(ctx context.Context, c *hub.Conn, _ []byte) (any, error) {
		if last != nil && last.ID() == c.ID() {
			t.Errorf("two requests have the ID %s", c.ID())
		}
		last = c
		if err := c.Send([]byte("1")); !errors.Is(err, hub.ErrClosed) {
			t.Errorf("Send: %v", err)
		}
		if err := c.Join(ctx, "r"); !errors.Is(err, hub.ErrClosed) {
			t.Errorf("Join: %v", err)
		}
		if err := c.Leave(ctx, "r"); err != nil || len(c.Rooms()) != 0 {
			t.Errorf("Leave: %v, in %v", err, c.Rooms())
		}
		_ = c.Close(4100, "has no effect")
		if err := c.Send([]byte("1")); !errors.Is(err, hub.ErrClosed) || ctx.Err() != nil {
			t.Errorf("Send after Close: %v, %v", err, ctx.Err())
		}
		if _, ok := c.RemoteAddr().(*net.TCPAddr); !ok {
			t.Errorf("RemoteAddr is %T", c.RemoteAddr())
		}
		return []string{c.Identity().User, c.ClientAddr().String(), c.Session(), c.Get(key{}).(string)}, nil
	})
	p := s.posts(t)
	header := as("ada", "X-Forwarded-For", "192.0.2.1", "X-Plan", "pro")
	p.expect("method=conn&session=mine", header, "", 200, `{"op":"ok","data":["ada","192.0.2.1","mine","pro"]}`)
	a := p.post("method=conn", header, "")
	var got []string
	if err := json.Unmarshal(a.Data, &got); err != nil || got[2] != last.ID() {
		t.Errorf("%s: %v", a.body, err)
	}
	finished(t, "the request's context", last.Context().Done())
	if st := s.Stats(); st.Conns != 0 || st.Users != 0 {
		t.Errorf("left over: %+v", st)
	}
}

// TestPostContextEnds: with the client that leaves, and with the hub that closes.
func TestPostContextEnds(t *testing.T) {
	for _, opts := range [][]hub.HandleOption{nil, {hub.Heavy()}} {
		s := start(t)
		p := s.posts(t)
		begun, ended := make(chan struct{}, 1), make(chan error, 1)
		s.Handle("wait", func(ctx context.Context, _ *hub.Conn, _ []byte) (any, error) {
			begun <- struct{}{}
			<-ctx.Done()
			ended <- ctx.Err()
			return nil, ctx.Err()
		}, opts...)
		ctx, cancel := context.WithCancel(t.Context())
		go func() { _, _ = p.do(ctx, http.MethodPost, "method=wait", nil, strings.NewReader("1")) }()
		receive(t, "the call", begun)
		cancel()
		if err := receive(t, "the end with the client", ended); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}

		last := p.inBackground("method=wait", nil, "1")
		receive(t, "the call", begun)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if err := receive(t, "the end with the hub", ended); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		receive(t, "its answer", last)
	}
}

// TestPostWhileDraining: what is under way is answered, and what comes is refused with a hint.
func TestPostWhileDraining(t *testing.T) {
	s := start(t, hub.WithOpenRooms("*"), hub.WithOrigins("app.example.com"))
	p := s.posts(t)
	begun, release := p.holding(s)
	held := p.inBackground("method=hold", nil, "1")
	receive(t, "the call", begun)
	down := make(chan error, 1)
	go func() { down <- s.Shutdown(context.WithoutCancel(t.Context())) }()
	await(t, "the hub drains", func() bool { return !s.Ready() })
	a := p.post("room=r", as("", "Origin", "https://app.example.com"), "1")
	if a.status != 503 || a.Code != "unavailable" || a.RetryAfter == 0 || a.header.Get("Retry-After") == "" || !a.closes {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a.header.Get("Access-Control-Allow-Origin") == "" {
		t.Error("the page cannot read why")
	}
	select {
	case err := <-down:
		t.Fatalf("Shutdown has not waited: %v", err)
	default:
	}
	release()
	if a := receive(t, "the answer", held); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if err := receive(t, "the end", down); err != nil {
		t.Error(err)
	}
}

// TestPostRevoked: a session that ends while its request is asked about ends that too.
func TestPostRevoked(t *testing.T) {
	var s *server
	s = start(t, hub.WithOpenRooms("*"), hub.WithAuthenticator(func(r *http.Request) (hub.Identity, error) {
		code := hub.CloseError{}
		if r.Header.Get("X-User") == "out" {
			code.Code = 4100
		}
		_, err := s.Disconnect(r.Context(), hub.ByUser("ada"), &code)
		return hub.Identity{User: "ada"}, err
	}))
	p := s.posts(t)
	for _, user := range []string{"in", "out"} {
		if a := p.post("room=r", as(user), "1"); a.status != 401 || a.Code != "unauthorized" {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
	if n := s.Stats().Published; n != 0 {
		t.Errorf("%d published", n)
	}
}
