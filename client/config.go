package client

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"time"

	"github.com/gohubkit/hubkit/backoff"
)

type config struct {
	url string

	policy           *backoff.Policy
	token            func(context.Context) (string, error)
	header           http.Header
	jar              http.CookieJar
	dial             DialFunc
	tls              *tls.Config
	interval         time.Duration
	timeout          time.Duration
	handshakeTimeout time.Duration
	writeTimeout     time.Duration
	queueLen         int
	queueBytes       int
	retryWindow      time.Duration
	rate             float64
	burst            int
	rateSet          bool
	inbox            int
	readLimit        int64
	compression      bool
	log              *slog.Logger
	onState          func(State)
	onMessage        func(Message)
	onRoomMessage    func(Message)

	policySet, tokenSet, jarSet, dialSet, tlsSet, heartbeatSet, logSet bool
	onStateSet, onMessageSet, onRoomMessageSet                         bool
}

func newJar() http.CookieJar {
	jar, err := cookiejar.New(nil)
	if err != nil {
		panic("client: " + err.Error()) // it never fails
	}
	return jar
}

// newConfig applies the options and reports every fault.
func newConfig(address string, opts []Option) (*config, error) {
	c := &config{
		url:              address,
		policy:           backoff.Default(),
		jar:              newJar(),
		dial:             new(net.Dialer).DialContext,
		interval:         DefaultPingInterval,
		timeout:          DefaultPongTimeout,
		handshakeTimeout: DefaultHandshakeTimeout,
		writeTimeout:     DefaultWriteTimeout,
		queueLen:         DefaultQueue,
		queueBytes:       DefaultQueueBytes,
		retryWindow:      DefaultRetryWindow,
		rate:             DefaultRate,
		burst:            DefaultBurst,
		inbox:            DefaultInbox,
		readLimit:        DefaultReadLimit,
		log:              slog.Default(),
	}
	var faults []error
	for i, o := range opts {
		if o == nil {
			faults = append(faults, invalid("option %d is nil", i))
			continue
		}
		o(c)
	}
	faults = append(faults, c.faults()...)
	return c, errors.Join(faults...)
}

func (c *config) faults() (faults []error) {
	require := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, invalid(format, args...))
		}
	}
	u, err := url.Parse(c.url)
	switch {
	case err != nil:
		require(false, "URL: %w", err)
	default:
		require(u.Scheme == "ws" || u.Scheme == "wss", "URL scheme is %q, must be ws or wss", u.Scheme)
		require(u.Host != "", "URL without a host")
		require(u.User == nil, "URL with user information; use WithToken or WithHeader")
		require(u.Fragment == "", "URL with a fragment")
	}
	require(!c.policySet || c.policy != nil, "WithBackoff: nil policy")
	require(!c.tokenSet || c.token != nil, "WithToken: nil function")
	require(!c.jarSet || c.jar != nil, "WithCookies: nil jar")
	require(!c.dialSet || c.dial != nil, "WithDialer: nil function")
	require(!c.tlsSet || c.tls != nil, "WithTLS: nil configuration")
	require(!c.logSet || c.log != nil, "WithLogger: nil logger")
	require(!c.onStateSet || c.onState != nil, "OnState: nil function")
	require(!c.onMessageSet || c.onMessage != nil, "OnMessage: nil function")
	require(!c.onRoomMessageSet || c.onRoomMessage != nil, "OnRoomMessage: nil function")
	for name := range c.header {
		require(!slices.Contains(handshakeHeaders, http.CanonicalHeaderKey(name)),
			"WithHeader: %s belongs to the handshake", name)
	}
	require(c.interval > 0 && c.timeout > 0,
		"WithHeartbeat: interval %v and timeout %v, must be positive", c.interval, c.timeout)
	require(c.handshakeTimeout > 0, "WithHandshakeTimeout: %v, must be positive", c.handshakeTimeout)
	require(c.writeTimeout > 0, "WithWriteTimeout: %v, must be positive", c.writeTimeout)
	require(c.queueLen > 0 && c.queueBytes > 0,
		"WithQueue: %d requests and %d bytes, must be positive", c.queueLen, c.queueBytes)
	require(c.retryWindow >= 0, "WithRetryWindow: %v, must not be negative", c.retryWindow)
	require(c.rate > 0 && c.burst > 0, "WithRate: %v per second and a burst of %d, must be positive", c.rate, c.burst)
	require(c.inbox > 0, "WithInbox: %d events, must be positive", c.inbox)
	require(c.readLimit > 0, "WithReadLimit: %d bytes, must be positive", c.readLimit)
	return faults
}

// handshakeHeaders are those that the WebSocket handshake sets itself.
var handshakeHeaders = []string{
	"Connection",
	"Sec-Websocket-Accept",
	"Sec-Websocket-Extensions",
	"Sec-Websocket-Key",
	"Sec-Websocket-Protocol",
	"Sec-Websocket-Version",
	"Upgrade",
}
