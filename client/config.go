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
	"time"

	"github.com/gohubkit/hubkit/backoff"
)

type config struct {
	cbor bool
	url  string

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
	roomOptions      []SubOption // of rooms that the server puts the client into
	onServerJoin     func(*Subscription)

	heartbeatSet bool
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
	faults := checkAddress(address)
	for i, o := range opts {
		if o == nil {
			faults = append(faults, invalid("option %d is nil", i))
			continue
		}
		faults = append(faults, o(c))
	}
	return c, errors.Join(faults...)
}

func checkAddress(address string) []error {
	u, err := url.Parse(address)
	if err != nil {
		return []error{invalid("URL: %w", err)}
	}
	return []error{
		require(u.Scheme == "ws" || u.Scheme == "wss", "URL scheme is %q, must be ws or wss", u.Scheme),
		require(u.Host != "", "URL without a host"),
		require(u.User == nil, "URL with user information; use WithToken or WithHeader"),
		require(u.Fragment == "", "URL with a fragment"),
	}
}

// tracks reports whether the rooms that the server puts the client into concern anybody.
func (c *config) tracks() bool { return c.onRoomMessage != nil || c.onServerJoin != nil }

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
