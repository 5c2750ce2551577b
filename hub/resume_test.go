package hub_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/broker/memory"
	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/protocol"
)

const fast = 1000

// secretive is a broker with one secret for all nodes, which it does not tell at once.
type secretive struct {
	*memory.Broker
	vault *vault
}

type vault struct {
	mu     sync.Mutex
	calls  int
	secret []byte
}

func (s secretive) Secret(_ context.Context, _ string, fresh []byte) ([]byte, error) {
	v := s.vault
	v.mu.Lock()
	defer v.mu.Unlock()
	v.calls++
	if v.secret == nil {
		v.secret = fresh
	}
	return v.secret, nil
}

// TestTicketsAmongNodes: nodes that share a key accept each other's tickets, and no others.
func TestTicketsAmongNodes(t *testing.T) {
	one, two := []byte(strings.Repeat("1", 16)), []byte(strings.Repeat("2", 16))
	v := &vault{}
	shared := func() hub.Option {
		b, err := memory.New()
		if err != nil {
			t.Fatal(err)
		}
		return hub.WithBroker(secretive{b, v})
	}
	for _, tt := range []struct {
		name     string
		from, to hub.Option
		valid    bool
	}{
		{"one key", hub.WithResumeKey(one), hub.WithResumeKey(one), true},
		{"rotated", hub.WithResumeKey(one), hub.WithResumeKey(two, one), true},
		{"not rotated yet", hub.WithResumeKey(two, one), hub.WithResumeKey(one), false},
		{"keys of their own", hub.WithMaxPerIP(9), hub.WithMaxPerIP(9), false},
		{"the broker's", shared(), shared(), true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			from := start(t, tt.from, hub.WithAdmission(fast, fast))
			to := start(t, tt.to, hub.WithAdmission(fast, fast))
			if strings.HasPrefix(tt.name, "the broker") {
				await(t, "both nodes have asked", func() bool {
					v.mu.Lock()
					defer v.mu.Unlock()
					return v.calls == 2
				})
			}
			url, tries := to.url, int64(0)
			await(t, "the ticket is judged as it should be", func() bool {
				ticket := from.connect(t, nil).welcomed().Ticket
				to.url = url + "?" + protocol.ResumeParam + "=" + ticket
				to.connect(t, nil).welcomed()
				tries++
				st := to.Stats().Admission
				if !tt.valid {
					return st.InvalidTickets == tries
				}
				return st.ValidTickets > 0
			})
		})
	}
	s := start(t)
	if got := s.connect(t, nil).welcomed().Ticket; got != "" {
		t.Errorf("a hub that admits at any rate gave a ticket: %q", got)
	}
	var _ broker.Secrets = secretive{}
}

// TestMaxHandshakesOfVerifiers: what the token verifier holds up is bounded too, and those beyond are told to come back.
func TestMaxHandshakesOfVerifiers(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	s := start(t, hub.WithMaxHandshakes(1), hub.WithTokenVerifier(func(context.Context, string) (hub.Identity, error) {
		once.Do(func() {
			close(entered)
			<-release
		})
		return hub.Identity{}, nil
	}))
	connect := func() *client { // a client is answered just before the hub takes its handshake for done
		c := s.connect(t, nil, protocol.Subprotocol)
		await(t, "the handshake is over", func() bool { return s.Stats().Admission.Handshaking == 0 })
		return c
	}
	first, second := connect(), connect()
	first.write(`{"op":"hello"}`)
	finished(t, "the first is asked who it is", entered)
	second.write(`{"op":"hello"}`)
	second.closed(protocol.CloseTryAgainLater)
	if st := s.Stats().Admission; st.Handshakes != 1 || st.BusyVerifiers != 1 || st.Handshaking != 1 {
		t.Errorf("stats %+v", st)
	}
	if got := s.refused(t, nil); got.body != "too many handshakes" {
		t.Errorf("got %+v", got)
	}
	close(release)
	first.welcomed()
	await(t, "the handshake is over", func() bool { return s.Stats().Admission.Handshaking == 0 })
	third := connect()
	third.write(`{"op":"hello"}`)
	third.welcomed()
	for _, c := range []*client{first, third} {
		_ = c.ws.Close()
	}
	s.settled(t)
}

// TestVerifierDeadline: the verifier has as long as the hello had, and its lateness is no verdict on the token.
func TestVerifierDeadline(t *testing.T) {
	t.Parallel() // it takes a while, and little else
	const timeout = 9 * time.Second
	deadlines := make(chan time.Time, 1)
	begun := time.Now()
	s := start(t, hub.WithHandshakeTimeout(timeout), hub.WithTokenVerifier(func(ctx context.Context, _ string) (hub.Identity, error) {
		by, _ := ctx.Deadline()
		deadlines <- by
		if _, ok := hub.ConnFromContext(ctx); !ok {
			return hub.Identity{}, errors.New("no connection")
		}
		<-ctx.Done()
		return hub.Identity{}, ctx.Err()
	}))
	c := s.connect(t, nil, protocol.Subprotocol)
	time.Sleep(timeout / 3) // of which the verifier has less
	asked := time.Now()
	c.write(`{"op":"hello"}`)
	by := receive(t, "the deadline", deadlines)
	if by.Before(begun.Add(timeout)) || !by.Before(asked.Add(timeout)) {
		t.Errorf("a deadline %v after the hello", by.Sub(asked))
	}
	c.closed(protocol.CloseTryAgainLater)
}

// TestSession: what a client names is kept if it is short and fit for a log, and else ignored.
func TestSession(t *testing.T) {
	s := start(t)
	longest := strings.Repeat("s", protocol.MaxSession)
	for _, tt := range []struct{ sent, want string }{
		{longest, longest},
		{`S\u00e9ance`, "Séance"},
		{longest + "s", ""},
		{`a\nb`, ""},
		{`a\u007f`, ""},
		{`a\u0085`, ""},
	} {
		c := s.connect(t, nil, protocol.Subprotocol)
		c.write(`{"op":"hello","session":"` + tt.sent + `"}`)
		r := c.welcomed()
		if tt.want == "" {
			tt.want = s.SessionOf(r.Conn)
		}
		if r.Session != tt.want {
			t.Errorf("%.20q: session %q, want %q", tt.sent, r.Session, tt.want)
		}
	}
}
