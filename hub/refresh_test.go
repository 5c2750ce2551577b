package hub_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/hub"
)

// TestOnRefresh: it is told of every token that was accepted in place, in the order of the functions and before the client, and of
// no other.
func TestOnRefresh(t *testing.T) {
	s := start(t, hub.WithTokenVerifier(timedToken))
	s.OnJoinGrant(grantFor(time.Hour, false))
	var called calls
	for n := range 2 {
		s.OnRefresh(func(_ context.Context, c *hub.Conn, room string) {
			called.note(fmt.Sprintf("%d %s %q %v", n, c.Identity().User, room, c.Identity().ExpiresAt.IsZero()))
		})
	}
	c := s.dialV1(t, `{"op":"hello","token":"ada"}`)
	c.ask(`{"op":"join","id":1,"room":"a"}`)
	called.expect(t)
	for _, tt := range []struct {
		token, answer string
		calls         []string
	}{
		{`"token":"ada 3600000"`, "ok", []string{`0 ada "" false`, `1 ada "" false`}},
		{`"token":"ada"`, "ok", []string{`0 ada "" true`, `1 ada "" true`}},
		{`"token":"ada","room":"a"`, "ok", []string{`0 ada "a" true`, `1 ada "a" true`}},
		{`"token":"eve"`, "error", nil},
		{`"token":"ada","room":"b"`, "error", nil},
	} {
		if r := c.ask(`{"op":"token","id":1,` + tt.token + `}`); r.Op != tt.answer {
			t.Errorf("%s: %+v", tt.token, r)
		}
		called.expect(t, tt.calls...)
	}
}
