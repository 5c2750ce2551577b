package main

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/gohubkit/hubkit/hub"
)

func ordersRoom(user string) string { return "orders:" + user }

// newHub makes a hub that authenticates users by their existing cookie.
func newHub(s *sessions) (*hub.Hub, error) {
	h, err := hub.New(
		hub.WithAuthenticator(func(r *http.Request) (hub.Identity, error) {
			user, err := s.user(r)
			if err != nil {
				return hub.Identity{}, hub.ErrUnauthorized // answered with 401; any other error with 503
			}
			return hub.Identity{User: user}, nil
		}),
		hub.WithRooms("orders:*", hub.History(100, time.Hour)),
		hub.WithDrain(2*time.Second),
	)
	if err != nil {
		return nil, err
	}
	h.OnJoin(func(_ context.Context, c *hub.Conn, room string) error {
		if room != ordersRoom(c.Identity().User) {
			return hub.ErrForbidden
		}
		return nil
	})
	return h, nil
}

// publisher publishes an order to its user's pages. The order is stored already, so a failure is logged and not
// returned. A page that missed the message finds the order in the list.
func publisher(h *hub.Hub) func(context.Context, order) {
	return func(ctx context.Context, o order) {
		if _, err := h.PublishJSON(ctx, ordersRoom(o.User), o, hub.IdempotencyKey(o.ID, 0)); err != nil {
			slog.Error("order not published", "order", o.ID, "err", err)
		}
	}
}

// logout ends the user's sessions, and then the connections that were authenticated with them.
func logout(s *sessions, h *hub.Hub) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.end(userOf(r))
		expire(w)
		if _, err := h.Disconnect(r.Context(), hub.ByUser(userOf(r)), &hub.CloseError{Reason: "logged out"}); err != nil {
			http.Error(w, "try again", http.StatusServiceUnavailable)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
}
