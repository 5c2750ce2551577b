package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gorilla/websocket"

	"github.com/gohubkit/hubkit/protocol"
)

var errTimeout = errors.New("client: handshake timed out")

// connect makes a connection that the server has welcomed.
func (c *Client) connect(ctx context.Context) (*link, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.config.handshakeTimeout, errTimeout)
	defer cancel()
	token, err := c.fetchToken(ctx)
	if err != nil {
		return nil, err
	}
	ws, err := c.dial(ctx, token)
	if err != nil {
		return nil, err
	}
	release := guard(ctx, func() { _ = ws.Close() })
	l := newLink(c, ws)
	err = l.greet(token)
	if !release() {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		_ = ws.Close()
		return nil, err
	}
	return l, nil
}

// guard has f called when ctx is done, until release, which reports whether f was not called. When
// release has returned, f is not running.
func guard(ctx context.Context, f func()) (release func() bool) {
	called := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(called)
		f()
	})
	return func() bool {
		if stop() {
			return true
		}
		<-called
		return false
	}
}

func (c *Client) fetchToken(ctx context.Context) (string, error) {
	if c.config.token == nil {
		return "", nil
	}
	token, err := c.config.token(ctx)
	if err != nil {
		return "", fmt.Errorf("client: token: %w", err)
	}
	return token, nil
}

func (c *Client) dial(ctx context.Context, token string) (*websocket.Conn, error) {
	// gorilla looks at ctx's deadline while it waits for the answer, but not at its end.
	var release func() bool
	d := websocket.Dialer{
		NetDialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := c.config.dial(ctx, network, addr)
			if err == nil {
				release = guard(ctx, func() { _ = conn.Close() })
			}
			return conn, err
		},
		Proxy:             http.ProxyFromEnvironment,
		TLSClientConfig:   c.config.tls,
		Subprotocols:      []string{protocol.Subprotocol},
		EnableCompression: c.config.compression,
		ReadBufferSize:    4096,
		WriteBufferSize:   4096,
	}
	header := c.config.header.Clone()
	if header == nil {
		header = make(http.Header)
	}
	if token != "" && header.Get("Authorization") == "" {
		header.Set("Authorization", "Bearer "+token)
	}
	c.config.addCookies(header)
	ws, resp, err := d.DialContext(ctx, c.address(), header)
	if resp != nil {
		c.config.keepCookies(resp)
		_ = resp.Body.Close()
	}
	canceled := release != nil && !release()
	switch {
	case err == nil && canceled:
		_ = ws.Close()
		return nil, context.Cause(ctx)
	case err == nil && ws.Subprotocol() != protocol.Subprotocol:
		_ = ws.Close()
		return nil, fmt.Errorf("%w: it does not speak %s", ErrProtocol, protocol.Subprotocol)
	case err == nil:
		return ws, nil
	case resp != nil && resp.StatusCode != http.StatusSwitchingProtocols:
		return nil, &HandshakeError{StatusCode: resp.StatusCode, After: retryAfter(resp.Header, time.Now())}
	case ctx.Err() != nil:
		return nil, fmt.Errorf("%w: %w", context.Cause(ctx), err)
	default:
		return nil, fmt.Errorf("client: dial: %w", err)
	}
}

// address is the URL to connect to, with the ticket of the last welcome.
func (c *Client) address() string {
	if c.ticket == "" {
		return c.config.url // never welcomed yet, or by a server that has none
	}
	sep := "?"
	if strings.Contains(c.config.url, "?") {
		sep = "&"
	}
	return c.config.url + sep + protocol.ResumeParam + "=" + c.ticket
}

// greet sends hello and waits for the welcome.
func (l *link) greet(token string) error {
	hello := protocol.Request{
		Op:      protocol.OpHello,
		Token:   []byte(token),
		Session: []byte(l.c.session),
		Resume:  l.c.resumes(l),
	}
	if err := l.writeFrame(protocol.AppendRequest(nil, &hello)); err != nil {
		return err
	}
	var refused error
	for {
		frame, err := l.readFrame()
		if err != nil {
			return refusal(refused, err)
		}
		if err := l.event.Decode(frame); err != nil {
			return fmt.Errorf("%w: %w", ErrProtocol, err)
		}
		switch l.event.Op {
		case protocol.OpWelcome:
			l.welcome(&l.event)
			return nil
		case protocol.OpError:
			refused = l.event.Err() // the close frame that follows says more
		case protocol.OpUnknown:
		default:
			return fmt.Errorf("%w: %v before welcome", ErrProtocol, l.event.Op)
		}
	}
}

// refusal makes an error of the answer to hello, if there was one, and of how the connection ended.
func refusal(refused, err error) error {
	if _, ok := errors.AsType[*CloseError](err); ok || refused == nil {
		return err
	}
	switch {
	case errors.Is(refused, protocol.CodeUnauthorized):
		return &CloseError{Code: protocol.CloseUnauthorized, Reason: refused.Error()}
	case errors.Is(refused, protocol.CodeForbidden):
		return &CloseError{Code: protocol.CloseForbidden, Reason: refused.Error()}
	}
	return fmt.Errorf("client: hello: %w", refused)
}

func (l *link) welcome(ev *protocol.Event) {
	c := l.c
	c.session = string(ev.Session)
	c.ticket = ticketOf(ev.Ticket)
	l.state = State{Status: Connected, Conn: string(ev.Conn), Node: string(ev.Node), Data: clone(ev.Data)}
	interval := c.config.interval
	if ev.Ping > 0 && !c.config.heartbeatSet {
		interval = ev.Ping
	}
	l.pulse = newPulse(interval, c.config.timeout)
}

// ticketOf returns a ticket that can stand in a URL as it is, which those of hubs can, and empty for any other.
func ticketOf(ticket []byte) string {
	if len(ticket) > protocol.MaxTicket {
		return ""
	}
	s := string(ticket)
	if url.QueryEscape(s) != s {
		return ""
	}
	return s
}

// resumes lists the rooms to be resumed by the hello. Those who want history must join for it.
func (c *Client) resumes(l *link) (rooms []protocol.Resume) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.sorted() {
		s.joined, s.asked = false, nil
		if s.history > 0 && s.next.IsZero() || len(rooms) == protocol.MaxResume {
			continue
		}
		rooms = append(rooms, protocol.Resume{
			Room:     []byte(s.room),
			Position: protocol.Position{Epoch: []byte(s.next.Epoch), Offset: s.next.Offset},
		})
		s.asked = l
		l.greeted = append(l.greeted, s)
	}
	return rooms
}

// adopt makes l the live connection, and joins and leaves what the hello could not know of.
func (c *Client) adopt(l *link) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.live = l
	clear(c.leaving)
	for _, s := range l.greeted {
		if c.subs[s.room] != s {
			c.leave(s.room)
		}
	}
	for _, s := range c.sorted() {
		if s.asked != l {
			c.join(s)
		}
	}
	l.greeted = nil
}

// abandon is adopt's counterpart.
func (c *Client) abandon(why error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.live = nil
	c.queue.cut(why)
}
