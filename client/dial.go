package client

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"time"

	"github.com/gorilla/websocket"

	"github.com/gohubkit/hubkit/protocol"
)

// dial makes a connection and its handshake. All of TLS is ours, above what gorilla dials: its proxies stay below, and what
// the server says can be looked at.
func (c *Client) dial(ctx context.Context, token string) (*websocket.Conn, *wire, error) {
	address, err := url.Parse(c.address())
	if err != nil {
		return nil, nil, fmt.Errorf("client: dial: %w", err)
	}
	site := c.config.site() // for the proxy's sake by http or https
	header := c.config.header.Clone()
	if header == nil {
		header = make(http.Header)
	}
	var secure *tls.Config
	if address.Scheme == "wss" {
		if secure = c.config.tls.Clone(); secure == nil {
			secure = new(tls.Config)
		}
		if secure.ServerName == "" {
			secure.ServerName = address.Hostname()
		}
		if header.Get("Host") == "" {
			header.Set("Host", address.Host)
		}
		if address.Port() == "" {
			address.Host = net.JoinHostPort(address.Hostname(), "443")
		}
		address.Scheme = "ws"
	}
	var w *wire
	// gorilla looks at ctx's deadline while it waits for the answer, but not at its end.
	var release func() bool
	d := websocket.Dialer{
		NetDialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := c.config.dial(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			release = guard(ctx, func() { _ = conn.Close() })
			w = &wire{Conn: conn, offered: c.config.compression, count: &c.counters}
			return w, nil
		},
		Proxy: func(*http.Request) (*url.URL, error) {
			return http.ProxyFromEnvironment(&http.Request{URL: site})
		},
		TLSClientConfig:   secure, // only for what gorilla says of its errors
		Subprotocols:      c.config.subprotocols(),
		EnableCompression: c.config.compression,
		ReadBufferSize:    4096,
		WriteBufferSize:   4096,
	}
	if token != "" && header.Get("Authorization") == "" {
		header.Set("Authorization", "Bearer "+token)
	}
	c.config.addCookies(header)
	reached := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { w.reached(ctx, secure) },
	})
	ws, resp, err := d.DialContext(reached, address.String(), header)
	if resp != nil {
		c.config.keepCookies(resp)
		_ = resp.Body.Close()
	}
	canceled := release != nil && !release()
	switch {
	case err == nil && canceled:
		_ = ws.Close()
		return nil, nil, context.Cause(ctx)
	case err == nil && !c.config.speaks(ws):
		_ = ws.Close()
		return nil, nil, fmt.Errorf("%w: it does not speak %s", ErrProtocol, protocol.Subprotocol)
	case err == nil:
		return ws, w, nil
	case resp != nil && resp.StatusCode != http.StatusSwitchingProtocols:
		return nil, nil, &HandshakeError{StatusCode: resp.StatusCode, After: retryAfter(resp.Header, time.Now())}
	case ctx.Err() != nil:
		return nil, nil, fmt.Errorf("%w: %w", context.Cause(ctx), err)
	default:
		return nil, nil, fmt.Errorf("client: dial: %w", err)
	}
}

// address is the URL to connect to, with the ticket of the last welcome.
func (c *Client) address() string {
	if c.ticket == "" {
		return c.config.url // never welcomed yet, or by a server that has no tickets
	}
	sep := "?"
	if strings.Contains(c.config.url, "?") {
		sep = "&"
	}
	return c.config.url + sep + protocol.ResumeParam + "=" + c.ticket
}
