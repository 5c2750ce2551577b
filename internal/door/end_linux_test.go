package door

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// held is a server whose handler waits.
type held struct {
	*running
	at, release chan struct{}
}

func (s side) hold(t *testing.T) *held {
	h := &held{at: make(chan struct{}), release: make(chan struct{})}
	h.running = s.start(t, &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			return
		}
		h.at <- struct{}{}
		select {
		case <-h.release:
		case <-r.Context().Done():
		}
		_, _ = io.WriteString(w, "done")
	})})
	return h
}

// TestShutdownWaits: Shutdown returns when the handlers under way have answered. It does not wait for clients that have sent half a
// head.
func TestShutdownWaits(t *testing.T) {
	onBoth(t, func(t *testing.T, s side) {
		r := s.hold(t)
		c := r.say(upgrade("/"))
		<-r.at
		half := r.say("GET / HT")
		time.Sleep(10 * time.Millisecond)
		stopped := make(chan error, 1)
		go func() { stopped <- r.Shutdown(within(t, patience)) }()
		if err := r.ended(); !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("Serve: %v", err)
		}
		select {
		case err := <-stopped:
			t.Fatalf("Shutdown did not wait: %v", err)
		case <-time.After(50 * time.Millisecond):
		}
		if _, err := net.Dial("tcp", r.l.Addr().String()); err == nil {
			t.Error("somebody still listens")
		}
		r.release <- struct{}{}
		if got, err := answer(c); err != nil {
			t.Errorf("%q, %v", got, err)
		}
		if _, err := io.ReadAll(half); err != nil && !eof(err) {
			t.Errorf("half a head: %v", err)
		}
		if err := <-stopped; err != nil {
			t.Errorf("Shutdown: %v", err)
		}
	})
}

// TestShutdownGivesUp: with its context, and Close then ends the rest.
func TestShutdownGivesUp(t *testing.T) {
	onBoth(t, func(t *testing.T, s side) {
		r := s.hold(t)
		c := r.say(upgrade("/"))
		<-r.at
		if err := r.Shutdown(within(t, 20*time.Millisecond)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Shutdown: %v", err)
		}
		if err := r.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Errorf("Close: %v", err)
		}
		if rest, err := io.ReadAll(c); len(rest) > 0 || err != nil && !eof(err) {
			t.Errorf("%q, %v", rest, err)
		}
	})
}

// TestClose cuts everything that was not hijacked, and ends the requests' contexts.
func TestClose(t *testing.T) {
	onBoth(t, func(t *testing.T, s side) {
		r := s.hold(t)
		conns := []net.Conn{r.say(upgrade("/"))}
		<-r.at
		conns = append(conns, r.say("GET / HTTP/1.1\r\nHost"), r.dial())
		time.Sleep(10 * time.Millisecond)
		if err := r.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		if err := r.ended(); !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("Serve: %v", err)
		}
		for _, c := range conns {
			if rest, err := io.ReadAll(c); len(rest) > 0 || err != nil && !eof(err) {
				t.Errorf("%q, %v", rest, err)
			}
		}
	})
}

// TestClosedBefore: a server that has been closed does not serve.
func TestClosedBefore(t *testing.T) {
	onBoth(t, func(t *testing.T, s side) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		srv := new(http.Server)
		_ = srv.Close()
		if err := s.serve(srv, l); !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("Serve: %v", err)
		}
		if err := l.Close(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("the listener was open: %v", err)
		}
		if err := s.serve(new(http.Server), l); err == nil || errors.Is(err, http.ErrServerClosed) {
			t.Errorf("Serve of a closed listener: %v", err)
		}
	})
}

// TestCloseAtOnce closes servers as they start.
func TestCloseAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, s side) {
		for i := range 50 {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			srv := &http.Server{Handler: http.HandlerFunc(recorder)}
			served := make(chan error)
			go func() { served <- s.serve(srv, l) }()
			c, _ := net.Dial("tcp", l.Addr().String())
			if c != nil {
				_, _ = io.WriteString(c, upgrade("/"))
			}
			time.Sleep(time.Duration(i) * 20 * time.Microsecond)
			if i%2 == 0 {
				_ = srv.Close()
			} else if err := srv.Shutdown(within(t, patience)); err != nil {
				t.Error(err)
			}
			if err := <-served; !errors.Is(err, http.ErrServerClosed) {
				t.Errorf("Serve: %v", err)
			}
			if c != nil {
				_ = c.Close()
			}
		}
	})
}

// TestListenerClosed: Serve returns when somebody else closes the listener, and what was accepted goes on.
func TestListenerClosed(t *testing.T) {
	onBoth(t, func(t *testing.T, s side) {
		r := s.hold(t)
		c := r.say(upgrade("/"))
		<-r.at
		_ = r.l.Close()
		if err := r.ended(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Serve: %v", err)
		}
		r.release <- struct{}{}
		if got, err := answer(c); err != nil {
			t.Errorf("%q, %v", got, err)
		}
	})
}

// TestHijackedStays: neither Shutdown nor Close touches what was hijacked.
func TestHijackedStays(t *testing.T) {
	onBoth(t, func(t *testing.T, s side) {
		conns := make(chan net.Conn, 1)
		r := s.start(t, &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet {
				c, _, err := w.(http.Hijacker).Hijack()
				if err != nil {
					t.Error(err)
				}
				conns <- c
			}
		})})
		c := r.say(upgrade("/"))
		own := <-conns
		if err := r.Shutdown(within(t, patience)); err != nil {
			t.Error(err)
		}
		_ = r.Close()
		_, _ = io.WriteString(own, "still here")
		_ = own.Close()
		if rest, err := io.ReadAll(c); string(rest) != "still here" || err != nil {
			t.Errorf("%q, %v", rest, err)
		}
	})
}
