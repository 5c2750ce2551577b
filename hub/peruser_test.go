package hub_test

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/protocol"
	"github.com/gorilla/websocket"
)

// perUser are the two ways to count, which are the same on a node that is alone.
var perUser = map[string]func(int, hub.OnExcess) hub.Option{
	"here": hub.WithMaxPerUser, "overall": hub.WithMaxPerUserOverall,
}

func TestMaxPerUser(t *testing.T) {
	for name, option := range perUser {
		t.Run("refuse new "+name, func(t *testing.T) {
			overEach(t, func(t *testing.T, tr transport) {
				s := tr.start(t, hub.WithAuthenticator(asUser), option(2, hub.RefuseNew))
				first, second := s.dialAs(t, "ada"), s.dialAs(t, "ada")
				third := s.connect(t, http.Header{"X-User": {"ada"}})
				if h := third.hinted(protocol.CloseTryAgainLater); h.RetryAfter == 0 || h.Spread == 0 {
					t.Errorf("refused with the hint %+v", h)
				}
				for _, c := range []*client{first, second, s.dialAs(t, "bob"), s.dial(t), s.dial(t), s.dial(t)} {
					c.alive()
				}
				_ = first.ws.Close()
				await(t, "it is gone", func() bool { return s.Claims() == 2 })
				s.dialAs(t, "ada").alive()
			})
		})
		t.Run("close oldest "+name, func(t *testing.T) {
			overEach(t, func(t *testing.T, tr transport) {
				s := tr.start(t, hub.WithAuthenticator(asUser), option(2, hub.CloseOldest))
				bob, last := s.dialAs(t, "bob"), []*client{s.dialAs(t, "ada"), s.dialAs(t, "ada")}
				for range 3 {
					last = append(last, s.dialAs(t, "ada"))
					last[0].closed(protocol.CloseDisconnected)
					last = last[1:]
					for _, c := range append(last, bob) {
						c.alive()
					}
				}
			})
		})
	}
}

// TestMaxPerUserOfTokens: who a token says that the client is counts, not who it was before.
func TestMaxPerUserOfTokens(t *testing.T) {
	s := start(t, hub.WithAuthenticator(asUser), hub.WithMaxPerUser(1, hub.CloseOldest),
		hub.WithTokenVerifier(func(_ context.Context, token string) (hub.Identity, error) { return hub.Identity{User: token}, nil }))
	eve := s.connect(t, http.Header{"X-User": {"ada"}}, protocol.Subprotocol)
	eve.write(`{"op":"hello","token":"eve"}`)
	eve.welcomed()
	ada := s.dialV1(t, `{"op":"hello","token":"ada"}`)
	eve.alive()
	again := s.dialV1(t, `{"op":"hello","token":"ada"}`)
	ada.closed(protocol.CloseDisconnected)
	eve.alive()
	again.alive()
}

// TestMaxPerUserAtOnce: of connections that come at once as many stay as may.
func TestMaxPerUserAtOnce(t *testing.T) {
	const rounds, at, most = 30, 8, 3
	for name, option := range perUser {
		for _, excess := range []hub.OnExcess{hub.RefuseNew, hub.CloseOldest} {
			t.Run(name, func(t *testing.T) {
				s := start(t, hub.WithAuthenticator(asUser), option(most, excess))
				for range rounds {
					var all sync.WaitGroup
					conns := make([]*websocket.Conn, at)
					for i := range conns {
						all.Go(func() {
							ws, res, err := s.dialer().Dial(s.url, http.Header{"X-User": {"ada"}})
							if err != nil {
								t.Error(err)
								return
							}
							_ = res.Body.Close()
							conns[i] = ws
							if _, _, err := ws.ReadMessage(); err != nil { // a welcome, or a close frame: it has been counted
								return
							}
							go func() { // answers the close frame
								for {
									if _, _, err := ws.ReadMessage(); err != nil {
										return
									}
								}
							}()
						})
					}
					all.Wait()
					await(t, "the others go", func() bool { return s.Stats().Conns == most && s.Claims() == most })
					for _, ws := range conns {
						_ = ws.Close()
					}
					await(t, "all are gone", func() bool { return s.Stats().Conns == 0 && s.Claims() == 0 })
				}
			})
		}
	}
}

// TestMaxPerUserOfWhoHasGone: that a node is silent about a user is logged, and not once more for a connection that has gone meanwhile.
func TestMaxPerUserOfWhoHasGone(t *testing.T) {
	log, x := new(lines), newTown()
	s := x.start(t, 2, hub.WithAuthenticator(asUser), hub.WithMaxPerUserOverall(1, hub.CloseOldest), hub.WithCloseTimeout(patience),
		hub.WithLogger(slog.New(slog.NewTextHandler(log, nil))))[0]
	x.sleep("n2")
	ada := s.connect(t, http.Header{"X-User": {"ada"}})
	await(t, "the connection is there", func() bool { return s.Stats().Conns == 1 })
	for c := range s.Conns() {
		_ = c.Close(protocol.CloseNormal, "")
	}
	ada.closed(protocol.CloseNormal)
	s.shutdown(t) // which waits for what is asked
	if said := log.with("counting a user's connections failed"); len(said) != 1 || !strings.Contains(said[0], "n2") {
		t.Errorf("logged %q, want the silence of n2 once", said)
	}
}
