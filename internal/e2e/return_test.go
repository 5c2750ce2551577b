package e2e_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/client"
	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/protocol"
)

// TestDisconnectUser: a user who is put out stays out, and others stay in.
func TestDisconnectUser(t *testing.T) {
	ctx := start(t)
	s := serve(t, nil, hub.WithTokenVerifier(func(_ context.Context, token string) (hub.Identity, error) {
		return hub.Identity{User: token}, nil
	}))
	arrive := func(name string) *user {
		u := connect(t, s.url(), client.WithToken(func(context.Context) (string, error) { return name, nil }))
		u.await(ctx, client.Connected)
		return u
	}
	adas, bob := []*user{arrive("ada"), arrive("ada")}, arrive("bob")
	h, _ := s.current()
	done, err := h.Disconnect(ctx, hub.ByUser("ada"), &hub.CloseError{Reason: "behave"})
	must(t, err)
	if n := done.Total(); n != len(adas) {
		t.Errorf("%d connections were closed, want %d", n, len(adas))
	}
	for _, ada := range adas {
		err := receive(ctx, t, "the end of Run", ada.ended)
		if e := as[*client.CloseError](t, err); e.Code != protocol.CloseDisconnected || e.Reason != "behave" {
			t.Errorf("Run returned %v", err)
		}
		if st := ada.await(ctx, client.Closed); st.Err == nil {
			t.Error("the last state has no error")
		}
	}
	must(t, bob.Send(ctx, []byte(`"still here"`)))
	await(ctx, t, "only bob's connection stands", func() bool { return len(s.standing()) == 1 })
}

// TestTokens: every connection brings a token fetched for it, and one that has expired is replaced.
func TestTokens(t *testing.T) {
	ctx := start(t)
	var mu sync.Mutex
	var seen []string
	s := serve(t, nil, hub.WithTokenVerifier(func(_ context.Context, token string) (hub.Identity, error) {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, token)
		if len(seen) == 2 {
			return hub.Identity{}, &hub.CloseError{Code: protocol.CloseTokenExpired}
		}
		return hub.Identity{User: "ada"}, nil
	}))
	fetched := 0
	u := connect(t, s.url(), client.WithToken(func(context.Context) (string, error) {
		fetched++ // from Run's goroutine, which has ended below
		return fmt.Sprintf("token %d", fetched), nil
	}))
	u.await(ctx, client.Connected)
	must(t, u.Send(ctx, []byte(`"the hub has taken me"`))) // OnConnect comes after the welcome
	_ = s.standing()[0].Close(protocol.CloseReconnect, "")
	if e := as[*client.CloseError](t, u.await(ctx, client.Disconnected).Err); e.Code != protocol.CloseReconnect {
		t.Errorf("disconnected by %v", e)
	}
	if e := as[*client.CloseError](t, u.await(ctx, client.Disconnected).Err); e.Code != protocol.CloseTokenExpired {
		t.Errorf("disconnected by %v", e)
	}
	u.await(ctx, client.Connected)
	must(t, u.Close())
	mu.Lock()
	defer mu.Unlock()
	if want := []string{"token 1", "token 2", "token 3"}; !slices.Equal(seen, want) || fetched != len(want) {
		t.Errorf("the server saw %q, %d were fetched, want %q", seen, fetched, want)
	}
}

// TestHint: the client comes back when the server says, not when its own policy would.
func TestHint(t *testing.T) {
	ctx := start(t)
	const after, spread = 300 * time.Millisecond, 200 * time.Millisecond
	var mu sync.Mutex
	var tries []time.Time
	s := serve(t, nil)
	h, _ := s.current()
	h.OnConnect(func(context.Context, *hub.Conn) error {
		mu.Lock()
		defer mu.Unlock()
		tries = append(tries, time.Now())
		if len(tries) == 1 {
			return &hub.CloseError{Code: protocol.CloseTryAgainLater, RetryAfter: after, Spread: spread, Reason: "full"}
		}
		return nil
	})
	u := connect(t, s.url())
	st := u.await(ctx, client.Disconnected)
	if e := as[*client.CloseError](t, st.Err); e.Code != protocol.CloseTryAgainLater || e.Hint != (protocol.Hint{RetryAfter: after, Spread: spread, Reason: "full"}) {
		t.Errorf("disconnected by %+v", e)
	}
	if st.Wait < after || st.Wait > after+spread {
		t.Errorf("comes back in %v, want %v to %v", st.Wait, after, after+spread)
	}
	u.await(ctx, client.Connected)
	must(t, u.Send(ctx, []byte(`"in"`)))
	mu.Lock()
	defer mu.Unlock()
	if len(tries) != 2 || tries[1].Sub(tries[0]) < after {
		t.Errorf("tries at %v, want two with %v between", tries, after)
	}
}
