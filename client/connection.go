package client

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/gohubkit/hubkit/protocol"
)

const (
	// farewell is how long a connection may take to end in order.
	farewell = time.Second
	// lastAnswers is how long a client that was asked to reconnect waits for answers.
	lastAnswers = 5 * time.Second
	// rejoinDelay is when a refused join is tried again, if the server does not say.
	rejoinDelay = time.Second
	// tellAgain is when a full inbox is tried again by a goroutine that must not wait for it.
	tellAgain = 100 * time.Millisecond
)

// connection is one of them to the server. Three goroutines belong to it: Run's watches over it, one reads, one writes.
type connection struct {
	c       *Client
	ws      *websocket.Conn
	deflate bool            // messages may be compressed
	cbor    bool            // rather than JSON
	out     []byte          // the writer's, for that
	state   State           // Connected
	limits  protocol.Limits // as welcome told
	pace    *pace           // once there is a welcome
	pulse   *pulse
	kick    chan struct{} // Run's goroutine has something new to watch

	greeted []*Subscription // in the hello
	tokens  tokens

	// Of the reader.
	buf    []byte
	event  protocol.Event
	rest   io.Reader // of a frame above the read limit
	tooBig error     // of the welcome's data

	// progress is the reader's until readEnd is closed: something came of this connection that was not there before.
	progress bool

	stop     chan struct{} // the connection ends: deliver nothing more, write nothing more but goodbye
	goodbye  []byte        // the payload of a last close frame, set before stop is closed; nil for none
	readEnd  chan struct{}
	readErr  error
	writeEnd chan struct{}
	writeErr error

	mu      sync.Mutex
	ping    bool      // a ping is to be written
	pong    []byte    // of a pong to be written
	ponging bool      // a pong is to be written
	away    time.Time // when to reconnect; zero if the server did not ask
	again   []retry   // joins to be tried again
	untold  []event   // of Run's goroutine, which must not wait for the inbox
}

type retry struct {
	sub *Subscription
	at  time.Time
}

func newConnection(c *Client, ws *websocket.Conn, deflate bool) *connection {
	l := &connection{
		c:        c,
		ws:       ws,
		deflate:  deflate,
		cbor:     ws.Subprotocol() == protocol.SubprotocolCBOR,
		pulse:    newPulse(c.config.interval, c.config.timeout),
		kick:     make(chan struct{}, 1),
		stop:     make(chan struct{}),
		readEnd:  make(chan struct{}),
		writeEnd: make(chan struct{}),
	}
	ws.SetPingHandler(func(payload string) error {
		l.pulse.hear()
		l.mu.Lock()
		l.pong, l.ponging = append(l.pong[:0], payload...), true
		l.mu.Unlock()
		signal(c.queue.ready)
		return nil
	})
	ws.SetPongHandler(func(string) error {
		if trip, ok := l.pulse.answered(); ok {
			c.counters.roundTrip.Store(int64(trip))
		}
		return nil
	})
	ws.SetCloseHandler(func(int, string) error { return nil }) // the writer answers, see run
	return l
}

// run keeps the connection until it is lost or has to end, and returns why.
func (l *connection) run(ctx context.Context) error {
	l.c.config.log.Info("hubkit client connected", "conn", l.state.Conn, "node", l.state.Node)
	l.tokens.begin(ctx)
	l.c.adopt(l)
	l.c.state(ctx, l.state)
	if l.tooBig != nil {
		l.c.state(ctx, State{Status: Dropped, Err: l.tooBig})
	}
	begin := time.Now()
	go func() {
		defer close(l.readEnd)
		l.readErr = l.read()
	}()
	go func() {
		defer close(l.writeEnd)
		l.writeErr = l.write()
	}()
	why := l.watch(ctx)
	l.close(why)
	if !l.away.IsZero() {
		why = &goAwayError{at: l.away, err: why}
	}
	l.c.loop.note(why, l.progress || time.Since(begin) >= loopLasting)
	l.c.abandon(why)
	return why
}

// watch returns when the connection has to end.
func (l *connection) watch(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return ended(ctx)
		case <-l.readEnd:
			return l.readErr
		case <-l.writeEnd:
			return l.lost()
		case <-l.kick:
		case <-l.c.queue.idle:
		case <-timer.C:
		}
		wait, err := l.check(time.Now())
		if err != nil {
			return err
		}
		timer.Reset(wait)
	}
}

// lost returns why writing failed. A server that closes says why, but the writer may be the first to notice.
func (l *connection) lost() error {
	_ = l.ws.SetReadDeadline(time.Now().Add(farewell))
	t := time.NewTimer(farewell)
	defer t.Stop()
	select {
	case <-l.readEnd:
		if _, ok := errors.AsType[*CloseError](l.readErr); ok {
			return l.readErr
		}
	case <-t.C:
	}
	return l.writeErr
}

// check does what is due and returns when to check again.
func (l *connection) check(now time.Time) (time.Duration, error) {
	wait, ping, err := l.pulse.check(now)
	if err != nil {
		return 0, err
	}
	l.mu.Lock()
	if ping {
		l.ping = true
		signal(l.c.queue.ready)
	}
	away := l.away
	var due []*Subscription
	rest := l.again[:0]
	for _, r := range l.again {
		if d := r.at.Sub(now); d > 0 {
			wait = min(wait, d)
			rest = append(rest, r)
		} else {
			due = append(due, r.sub)
		}
	}
	clear(l.again[len(rest):])
	l.again = rest
	if !l.tell() {
		wait = min(wait, tellAgain)
	}
	room, token := l.tokens.due(now, &wait)
	l.mu.Unlock()
	if token {
		l.renew(room)
	}
	l.c.joinAgain(l, due)
	if away.IsZero() {
		return wait, nil
	}
	if d := away.Sub(now); d > 0 {
		return min(wait, d), nil
	}
	l.c.queue.pause()
	d := away.Add(lastAnswers).Sub(now)
	if d <= 0 || l.c.queue.unanswered() == 0 {
		return 0, errGoAway
	}
	return min(wait, d), nil
}

// tell puts what is untold in the inbox, as far as there are places. It reports whether there were enough. mu is held.
func (l *connection) tell() bool {
	for len(l.untold) > 0 {
		select {
		case l.c.inbox <- l.untold[0]:
			l.untold[0] = event{}
			l.untold = l.untold[1:]
		default:
			return false
		}
	}
	return true
}

// goAway sets when to reconnect: not before the time the server asked for.
func (l *connection) goAway(h protocol.Hint) {
	after := h.RetryAfter + rand.N(h.Spread+1)
	l.mu.Lock()
	l.away = time.Now().Add(after)
	l.mu.Unlock()
	signal(l.kick)
}

func (l *connection) retryJoin(s *Subscription, after time.Duration) {
	if after <= 0 {
		after = rejoinDelay
	}
	l.mu.Lock()
	l.again = append(l.again, retry{s, time.Now().Add(after + rand.N(after))})
	l.mu.Unlock()
	signal(l.kick)
}

// close ends the connection: with a close frame, where the server may still read one, and without
// waiting for long. When it returns, both goroutines have ended.
func (l *connection) close(why error) {
	var serverClosed bool
	l.goodbye, serverClosed = goodbye(why)
	close(l.stop)
	l.tokens.cancel()
	signal(l.c.queue.ready)
	if l.goodbye != nil {
		t := time.NewTimer(farewell)
		if wait(l.writeEnd, t.C) && !serverClosed {
			wait(l.readEnd, t.C)
		}
		t.Stop()
	}
	_ = l.ws.Close()
	<-l.writeEnd
	<-l.readEnd
	l.tokens.fetches.Wait()
}

func wait(done <-chan struct{}, timeout <-chan time.Time) bool {
	select {
	case <-done:
		return true
	case <-timeout:
		return false
	}
}

// goodbye returns the payload of the close frame to send, nil for none, and whether the server has
// sent one.
func goodbye(why error) (payload []byte, serverClosed bool) {
	if e, ok := errors.AsType[*CloseError](why); ok {
		return websocket.FormatCloseMessage(int(e.Code), ""), true
	}
	switch {
	case errors.Is(why, errTooBig):
		return websocket.FormatCloseMessage(websocket.CloseMessageTooBig, ""), false
	case errors.Is(why, errNotText):
		return websocket.FormatCloseMessage(websocket.CloseInvalidFramePayloadData, ""), false
	case errors.Is(why, errGoAway), errors.Is(why, errStalled):
		return websocket.FormatCloseMessage(websocket.CloseGoingAway, ""), false
	case errors.Is(why, errBinary):
		return websocket.FormatCloseMessage(websocket.CloseUnsupportedData, ""), false
	case errors.Is(why, ErrProtocol):
		return websocket.FormatCloseMessage(websocket.CloseProtocolError, ""), false
	case errors.Is(why, context.Canceled), errors.Is(why, context.DeadlineExceeded), errors.Is(why, ErrClosed):
		return websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""), false
	}
	return nil, false
}
