package hub_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/protocol"
	"github.com/gorilla/websocket"
)

// triggers are what calls each callback: a handshake, and maybe a request.
var triggers = map[string]string{
	"origin check":   "",
	"authenticator":  "",
	"OnHandshake":    "",
	"token verifier": "",
	"OnConnect":      "",
	"OnDisconnect":   "",
	"OnJoin":         `{"op":"join","id":1,"room":"a"}`,
	"OnPublish":      `{"op":"publish","id":1,"room":"a","data":1}`,
	"OnMessage":      `{"op":"send","id":1,"data":1}`,
	"call":           `{"op":"call","id":1,"method":"light"}`,
	"heavy call":     `{"op":"call","id":1,"method":"heavy"}`,
}

// poke has a client call a callback, whatever becomes of the client. wait returns when it is gone.
func (s *trap) poke(callback string, verifier bool) (wait func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		d := s.dialer()
		if verifier {
			d.Subprotocols = []string{protocol.Subprotocol}
		}
		ws, resp, err := d.Dial(s.url, nil)
		if err != nil {
			return
		}
		_ = resp.Body.Close()
		defer func() { _ = ws.Close() }()
		if verifier {
			_ = ws.WriteMessage(websocket.TextMessage, []byte(`{"op":"hello"}`))
		}
		if m := triggers[callback]; m != "" {
			_ = ws.WriteMessage(websocket.TextMessage, []byte(m))
		}
		for {
			_, p, err := ws.ReadMessage()
			if err != nil || callback == "OnDisconnect" && strings.Contains(string(p), "welcome") {
				return
			}
		}
	}()
	return func() { <-done }
}

// TestCloseInCallback: Close and Shutdown do not wait for the callback that calls them, and the hub ends after it.
func TestCloseInCallback(t *testing.T) {
	for _, tr := range []transport{poller, goroutines} {
		for callback := range triggers {
			for _, how := range []string{"Close", "Shutdown"} {
				t.Run(strings.Join([]string{tr.name, callback, how}, "/"), func(t *testing.T) {
					s := newTrap(t, tr, true)
					got := make(chan error, 1)
					s.set(callback, func() error {
						s.set("", nil)
						if how == "Close" {
							got <- s.Close()
							return nil
						}
						ctx, cancel := context.WithTimeout(context.Background(), patience)
						defer cancel() // before Shutdown has done its work
						got <- s.Shutdown(ctx)
						return nil
					})
					wait := s.poke(callback, true)
					if err := receive(t, how, got); !errors.Is(err, hub.ErrCallback) {
						t.Errorf("%s returned %v, want ErrCallback", how, err)
					}
					wait()
					if err := s.Close(); how == "Close" && !errors.Is(err, hub.ErrClosed) {
						t.Errorf("the second Close returned %v", err)
					}
					await(t, "the hub is empty", func() bool { return s.Stats().Conns == 0 })
				})
			}
		}
	}
}

// TestShutdownOfBlockedCallbacks: Shutdown keeps to its context, whatever callback does not return.
func TestShutdownOfBlockedCallbacks(t *testing.T) {
	for _, tr := range []transport{poller, goroutines} {
		for callback := range triggers {
			t.Run(tr.name+"/"+callback, func(t *testing.T) {
				t.Parallel() // each waits for what remains
				s := newTrap(t, tr, true)
				entered, release := make(chan struct{}, 1), make(chan struct{})
				s.set(callback, func() error {
					entered <- struct{}{}
					<-release
					return nil
				})
				wait := s.poke(callback, true)
				receive(t, callback, entered)
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
				defer cancel()
				ended := make(chan error, 1)
				go func() { ended <- s.Shutdown(ctx) }()
				if err := receive(t, "Shutdown", ended); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("Shutdown returned %v, want DeadlineExceeded", err)
				}
				close(release)
				wait()
				await(t, "the hub is empty", func() bool { return s.Stats().Conns == 0 })
			})
		}
	}
}
