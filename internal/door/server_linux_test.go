package door

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestPanics: a handler that panics ends its connection and is logged, unless it means to.
func TestPanics(t *testing.T) {
	onBoth(t, func(t *testing.T, s side) {
		r := s.start(t, &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/panic":
				_, _ = io.WriteString(w, "kept back")
				panic("oh")
			case "/abort":
				panic(http.ErrAbortHandler)
			case "/late":
				w.(http.Flusher).Flush()
				panic("after the head")
			case "/code":
				w.WriteHeader(7)
			}
		})})
		for path, want := range map[string]string{
			"/panic": "http: panic serving", "/abort": "", "/late": "after the head", "/code": "invalid WriteHeader code 7",
		} {
			before := len(r.logged.String())
			c := r.say(upgrade(path))
			rest, err := io.ReadAll(c)
			if sent := path == "/late"; (len(rest) > 0) != sent || err != nil && !eof(err) {
				t.Errorf("%s: %q, %v", path, rest, err)
			}
			log := r.logged.String()[before:]
			if !strings.Contains(log, want) || want == "" && log != "" || strings.Contains(want, "serving") &&
				(!strings.Contains(log, c.LocalAddr().String()) || !strings.Contains(log, "goroutine ")) {
				t.Errorf("%s: %s", path, log)
			}
		}
	})
}

// TestGoexit: of a handler that ends its goroutine nothing more is sent.
func TestGoexit(t *testing.T) {
	onBoth(t, func(t *testing.T, s side) {
		r := s.start(t, &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "kept back")
			runtime.Goexit()
		})})
		if rest, err := io.ReadAll(r.say(upgrade("/"))); len(rest) > 0 || err != nil {
			t.Errorf("%q, %v", rest, err)
		}
	})
}

// TestContext: a request's context has the server, the address and what BaseContext says; it ends with the client, and with the
// handler.
func TestContext(t *testing.T) {
	type key struct{}
	onBoth(t, func(t *testing.T, s side) {
		base, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "base"))
		defer cancel()
		contexts, release := make(chan context.Context), make(chan struct{})
		srv := &http.Server{BaseContext: func(net.Listener) context.Context { return base }}
		srv.Handler = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet {
				contexts <- r.Context()
				<-release
			}
		})
		r := s.start(t, srv)
		c := r.say(upgrade("/"))
		ctx := <-contexts
		if v := ctx.Value(key{}); v != "base" {
			t.Errorf("value %v", v)
		}
		if v := ctx.Value(http.ServerContextKey); v != srv {
			t.Errorf("server %v", v)
		}
		if v, ok := ctx.Value(http.LocalAddrContextKey).(net.Addr); !ok || v.String() != c.RemoteAddr().String() {
			t.Errorf("local address %v", v)
		}
		if _, ok := ctx.Deadline(); ok || ctx.Err() != nil {
			t.Errorf("%v", ctx.Err())
		}
		child, stop := context.WithTimeout(ctx, patience)
		defer stop()
		_ = c.Close()
		<-child.Done()
		if !errors.Is(child.Err(), context.Canceled) || !errors.Is(ctx.Err(), context.Canceled) {
			t.Errorf("after the client has left: %v", child.Err())
		}
		release <- struct{}{}

		// Half a client is none.
		c = r.say(upgrade("/"))
		ctx = <-contexts
		_ = c.CloseWrite()
		<-ctx.Done()
		release <- struct{}{}

		// One that nobody has looked at ends with the handler.
		for _, early := range []bool{false, true} {
			c = r.say(upgrade("/"))
			ctx := <-contexts
			if early && ctx.Err() != nil {
				t.Error(ctx.Err())
			}
			release <- struct{}{}
			if _, err := answer(c); err != nil {
				t.Error(err)
			}
			await(t, "the context's end", func() bool { return errors.Is(ctx.Err(), context.Canceled) })
		}

		r.say(upgrade("/"))
		ctx = <-contexts
		cancel()
		<-ctx.Done()
		release <- struct{}{}
	})
}

// TestReadDeadline: the context of a request that has been read does not end with the server's ReadTimeout, but with a deadline
// that the handler sets.
func TestReadDeadline(t *testing.T) {
	const short = 50 * time.Millisecond
	onBoth(t, func(t *testing.T, s side) {
		var asked atomic.Int64
		r := s.start(t, &http.Server{ReadTimeout: short, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked.Add(1)
			select {
			case <-r.Context().Done():
				t.Error("ended")
			case <-time.After(2 * short):
			}
			if err := http.NewResponseController(w).SetReadDeadline(time.Now().Add(short)); err != nil {
				t.Error(err)
			}
			<-r.Context().Done()
			_, _ = io.WriteString(w, "over")
		})})
		for range 20 {
			c := r.dial()
			_, _ = io.WriteString(c, upgrade("/"))
			got, err := answer(c)
			if asked.Load() == 0 { // the machine is busy, and the time was over before the head was read
				continue
			}
			if err != nil || !strings.HasSuffix(got, "over") {
				t.Errorf("%q, %v", got, err)
			}
			return
		}
		t.Error("no head is read in time")
	})
}

// TestHijack: what has come early is read first, and the connection is an ordinary one.
func TestHijack(t *testing.T) {
	onBoth(t, func(t *testing.T, s side) {
		taken, done := make(chan struct{}), make(chan struct{})
		r := s.start(t, &http.Server{WriteTimeout: patience, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodGet {
				return
			}
			defer close(done)
			conn, rw, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close() //nolint:errcheck // it was read
			if _, err := w.Write([]byte("x")); !errors.Is(err, http.ErrHijacked) {
				t.Errorf("Write: %v", err)
			}
			if _, _, err := w.(http.Hijacker).Hijack(); !errors.Is(err, http.ErrHijacked) {
				t.Errorf("second Hijack: %v", err)
			}
			if _, ok := conn.(*net.TCPConn); !ok {
				t.Errorf("%T", conn)
			}
			if conn.RemoteAddr().String() != r.RemoteAddr || conn.LocalAddr().String() != r.Context().Value(http.LocalAddrContextKey).(net.Addr).String() {
				t.Errorf("%v, %v", conn.RemoteAddr(), conn.LocalAddr())
			}
			if n := rw.Reader.Buffered(); n != len("early") {
				t.Errorf("%d bytes buffered", n)
			}
			close(taken)
			line, err := rw.ReadString('\n')
			if line != "early and late\n" || err != nil {
				t.Errorf("%q, %v", line, err)
			}
			_, _ = rw.WriteString("answer")
			_ = rw.Flush()
		})})
		c := r.say(upgrade("/") + "early")
		select { // so that the rest does not come with it
		case <-taken:
		case <-done:
		}
		_, _ = io.WriteString(c, " and late\n")
		if rest, err := io.ReadAll(c); string(rest) != "answer" || err != nil {
			t.Errorf("%q, %v", rest, err)
		}
		<-done
	})
}

// TestHijackRaw: the descriptor is handed out with what has come early.
func TestHijackRaw(t *testing.T) {
	taken, done := make(chan struct{}), make(chan struct{})
	r := theDoor.start(t, &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			return
		}
		defer close(done)
		<-time.After(0)
		_ = r.Context().Err() // so that the client's end is looked for
		conn, early, err := w.(interface {
			HijackRaw() (net.Conn, []byte, error)
		}).HijackRaw()
		if err != nil || string(early) != "early" {
			t.Errorf("%q, %v", early, err)
			return
		}
		close(taken)
		defer conn.Close() //nolint:errcheck // it was read
		if conn.RemoteAddr().String() != r.RemoteAddr || conn.LocalAddr().String() != r.Context().Value(http.LocalAddrContextKey).(net.Addr).String() {
			t.Errorf("%v, %v", conn.RemoteAddr(), conn.LocalAddr())
		}
		line, err := bufio.NewReader(conn).ReadString('\n')
		if line != "late\n" || err != nil {
			t.Errorf("%q, %v", line, err)
		}
		_, _ = io.WriteString(conn, "answer")
	})})
	c := r.say(upgrade("/") + "early")
	select {
	case <-taken:
	case <-done:
	}
	_, _ = io.WriteString(c, "late\n")
	if rest, err := io.ReadAll(c); string(rest) != "answer" || err != nil {
		t.Errorf("%q, %v", rest, err)
	}
	<-done
}

// TestLateRequest: a second request behind a handshake that was refused is not answered by a door, and does not keep the client
// from reading the answer.
func TestLateRequest(t *testing.T) {
	r := theDoor.start(t, &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(20 * time.Millisecond) // more comes meanwhile
		http.Error(w, "no", http.StatusForbidden)
	})})
	for range 20 {
		begun := time.Now()
		c := r.say(upgrade("/") + "GET /second HTTP/1.1\r\nHost: x\r\n\r\n")
		for range 5 {
			_, _ = io.WriteString(c, strings.Repeat("x", 1000))
		}
		got, err := answer(c)
		if err != nil || !strings.HasPrefix(got, "403") || !strings.HasSuffix(got, "no\n") {
			t.Fatalf("%q, %v", got, err)
		}
		_ = c.CloseWrite()
		if rest, err := io.ReadAll(c); len(rest) > 0 || err != nil && time.Since(begun) < 200*time.Millisecond { // else the door has had enough
			t.Fatalf("%q, %v", rest, err)
		}
	}
}

// TestKeepAlive: other requests stay on their connection, and SetKeepAlivesEnabled has its effect.
func TestKeepAlive(t *testing.T) {
	onBoth(t, func(t *testing.T, s side) {
		r := s.start(t, &http.Server{Handler: http.HandlerFunc(recorder)})
		c := r.dial()
		br := bufio.NewReader(c)
		for i := range 4 {
			if i == 3 {
				r.SetKeepAlivesEnabled(false)
				if _, err := br.ReadByte(); !eof(err) {
					t.Errorf("an idle connection stays: %v", err)
				}
				break
			}
			_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			res, err := http.ReadResponse(br, nil) //nolint:bodyclose // its connection is
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, res.Body)
		}
		for _, head := range []string{upgrade("/"), "GET / HTTP/1.1\r\nHost: x\r\n\r\n"} {
			res, err := http.ReadResponse(bufio.NewReader(r.say(head)), nil) //nolint:bodyclose // its connection is
			if err != nil || !res.Close {
				t.Errorf("%+v, %v", res, err)
			}
		}
	})
}
