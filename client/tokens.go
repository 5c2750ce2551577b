package client

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/gohubkit/hubkit/backoff"
	"github.com/gohubkit/hubkit/protocol"
)

const (
	// renewFrom and renewTo are the shares of the validity between which the client sends a new token unasked: after the
	// moment at which a server asks.
	renewFrom, renewTo = 0.8, 0.9
	// renewPause is the shortest time from one token to the next, whatever the server asks for.
	renewPause = time.Second
	// renewWaitMost bounds the wait after an error of the token function.
	renewWaitMost = 30 * time.Second
)

// tokens are those that one connection needs while it lasts. connection.mu guards renewals and fetching.
type tokens struct {
	renewals map[string]*renewal // by room; that of the identity has none
	fetching bool                // one at a time
	fetches  sync.WaitGroup
	ctx      context.Context // ends with the connection
	cancel   context.CancelFunc
}

// renewal is of the identity, or of the right to be in a room.
type renewal struct {
	at       time.Time // when to fetch a token, or when an answer is overdue; zero for never
	last     time.Time // when the last fetch began
	busy     bool      // a token is fetched or unanswered
	second   bool      // the server has refused a token
	failures int       // of the function, in a row
}

func (t *tokens) begin(ctx context.Context) { t.ctx, t.cancel = context.WithCancel(ctx) }

// due takes the renewal whose time has come, if any. Otherwise it makes wait end when there is one.
func (t *tokens) due(now time.Time, wait *time.Duration) (room string, ok bool) {
	if t.fetching {
		return "", false // its end kicks
	}
	var first *renewal
	for name, r := range t.renewals {
		if !r.at.IsZero() && (first == nil || r.at.Before(first.at)) {
			room, first = name, r
		}
	}
	if first == nil {
		return "", false
	}
	if d := first.at.Sub(now); d > 0 {
		*wait = min(*wait, d)
		return "", false
	}
	t.fetching, first.busy, first.last = true, true, now
	return room, true
}

// expires notes for how long the identity, whose room is empty, or the right to be in a room is valid; zero for ever.
func (l *connection) expires(room string, d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if d <= 0 {
		l.tokens.rest(room)
		return
	}
	share := renewFrom + rand.Float64()*(renewTo-renewFrom)
	r := l.tokens.renewal(room)
	*r = renewal{at: time.Now().Add(time.Duration(share * float64(d))), last: r.last}
	signal(l.kick)
}

// rest sends no more tokens unless the server asks.
func (t *tokens) rest(room string) {
	if r := t.renewals[room]; r != nil {
		*r = renewal{last: r.last}
	}
}

func (t *tokens) renewal(room string) *renewal {
	r := t.renewals[room]
	if r == nil {
		if t.renewals == nil {
			t.renewals = make(map[string]*renewal)
		}
		r = new(renewal)
		t.renewals[room] = r
	}
	return r
}

// refresh handles the server's wish for a new token.
func (l *connection) refresh(ev *protocol.Event) {
	room := string(ev.Room)
	if l.c.tokenOf(room) == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.tokens.renewal(room)
	if r.busy {
		return
	}
	now := time.Now()
	if r.at = r.last.Add(renewPause); r.at.Before(now) {
		r.at = now
	}
	r.second = false
	signal(l.kick)
}

// tokenOf returns the function that gives the token of a room, or of the identity if room is empty. It is nil if there is
// none, or if the client is not in the room.
func (c *Client) tokenOf(room string) func(context.Context) (string, error) {
	if room == "" {
		return c.config.token
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.subs[room]
	if s == nil {
		s = c.given[room]
	}
	switch {
	case s == nil:
		return nil
	case s.token != nil:
		return s.token
	}
	return c.config.token
}

// renew fetches a token and sends it.
func (l *connection) renew(room string) {
	f := l.c.tokenOf(room)
	if f == nil {
		l.mu.Lock()
		delete(l.tokens.renewals, room)
		l.tokens.fetching = false
		l.mu.Unlock()
		signal(l.kick)
		return
	}
	timeout := l.c.config.handshakeTimeout
	l.tokens.fetches.Go(func() {
		ctx, cancel := context.WithTimeout(l.tokens.ctx, timeout)
		defer cancel()
		token, err := f(ctx)
		if err == nil {
			l.mu.Lock()
			if r := l.tokens.renewals[room]; r != nil {
				r.at = time.Now().Add(timeout) // for the answer
			}
			l.mu.Unlock()
			err = l.sendToken(room, token)
		}
		l.fetched(room, err)
	})
}

var errTokenSize = errors.New("client: the token is larger than a message may be")

// sendToken queues a token. The connection waits for its fetches to end before it takes what is queued away, so that no token
// goes over the next connection, which has begun with a newer one.
func (l *connection) sendToken(room, token string) error {
	r := &request{op: protocol.OpToken, room: room, token: token, done: make(chan struct{})}
	if most := l.limits.Message; most > 0 && len(r.append(nil)) > most {
		return fmt.Errorf("%w: %d bytes", errTokenSize, most)
	}
	l.c.queue.push(r)
	return nil
}

// fetched ends a fetch. An error is no verdict: there is time to try again, and the server decides in the end.
func (l *connection) fetched(room string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tokens.fetching = false
	signal(l.kick)
	r := l.tokens.renewals[room]
	switch {
	case r == nil || l.tokens.ctx.Err() != nil:
	case err == nil:
		r.failures = 0
	case backoff.IsPermanent(err) || errors.Is(err, errTokenSize):
		l.tokens.rest(room)
		l.c.config.log.Error("hubkit client cannot renew a token", "room", room, "error", err)
	default:
		r.busy = false
		wait := min(time.Second<<min(r.failures, 10), renewWaitMost)
		r.failures++
		r.at = time.Now().Add(wait/2 + rand.N(wait/2+1))
		l.c.config.log.Warn("hubkit client could not renew a token", "room", room, "error", err)
	}
}

// renewed handles the answer to a token.
func (l *connection) renewed(room string, expires time.Duration, err error) {
	if err == nil {
		l.expires(room, expires)
		return
	}
	e, _ := errors.AsType[*protocol.Error](err)
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.tokens.renewals[room]
	if r == nil {
		return
	}
	l.c.config.log.Warn("hubkit client's new token was refused", "room", room, "error", err)
	r.busy = false
	switch {
	case e.Code.Retry():
		after := max(e.RetryAfter, renewPause)
		r.at = time.Now().Add(after + rand.N(after))
	case e.Code == protocol.CodeUnauthorized && !r.second:
		r.second, r.at = true, time.Now()
	default: // until the server ends the connection, or the stay in the room
		l.tokens.rest(room)
	}
	signal(l.kick)
}
