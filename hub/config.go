package hub

import (
	"compress/flate"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/heartbeat"
	"github.com/gohubkit/hubkit/internal/admission"
	"github.com/gohubkit/hubkit/internal/core/rate"
	"github.com/gohubkit/hubkit/internal/engine/decoder"
	"github.com/gohubkit/hubkit/internal/engine/frame"
	"github.com/gohubkit/hubkit/preflight"
	"github.com/gohubkit/hubkit/protocol"
	"github.com/gohubkit/hubkit/workerpool"
)

// config is what the options say. New sets the defaults first, applies the options, and then validates the whole.
type config struct {
	node   string
	logger *slog.Logger

	broker    broker.Broker
	pool      *workerpool.Pool
	heartbeat heartbeat.Policy

	authenticate func(*http.Request) (Identity, error)
	verifyToken  func(ctx context.Context, token string) (Identity, error)
	origins      []originPattern
	checkOrigin  func(*http.Request) bool
	affinity     *Affinity
	tracer       Tracer // nil for none

	admission   admission.Config // MaxConns is the bound in force once validate has run
	resumeKeys  [][]byte         // the first signs
	asked       int              // MaxConns of the option, or zero
	preflight   []preflight.Option
	noPreflight bool
	report      preflight.Report
	// memoryBudget is in bytes; zero means none once validate has run.
	memoryBudget int64

	raw          bool
	subprotocols []string
	rules        []*rule
	open         []string
	outage       OutagePolicy

	maxMessage      int
	maxRooms        int
	backlogMessages int
	backlogBytes    int
	messages, bytes rate.Limit // of each connection
	costs           Costs
	perUserHere     userLimit
	perUserOverall  userLimit
	linger          time.Duration

	maxAge, maxIdle time.Duration // zero means no bound
	maxAgePace      int           // connections a second; zero means the default
	rightsTick      time.Duration // grain of the ends of rights; zero means the default

	writeTimeout     time.Duration
	readTimeout      time.Duration
	handshakeTimeout time.Duration
	closeTimeout     time.Duration
	drain            time.Duration

	compress      bool
	compressLevel int
	compressMin   int
	deflater      *frame.Deflater

	slowPaths []FastPath // those that WithoutFastPaths turns off

	newDecoders func(limit int) (*decoder.Pool, error)
}

func defaults() config {
	return config{
		logger:           slog.Default(),
		heartbeat:        heartbeat.Default(),
		maxMessage:       64 << 10,
		maxRooms:         128,
		backlogMessages:  256,
		backlogBytes:     1 << 20,
		messages:         rate.New(100, 200),
		costs:            DefaultCosts(),
		linger:           time.Second,
		writeTimeout:     5 * time.Second,
		readTimeout:      30 * time.Second,
		handshakeTimeout: 10 * time.Second,
		closeTimeout:     2 * time.Second,
		drain:            30 * time.Second,
		compressLevel:    flate.BestSpeed,
		compressMin:      128,
		newDecoders:      decoder.NewPool,
	}
}

func newConfig(opts []Option) (config, error) {
	c := defaults()
	errs := append(setAll(&c, opts), c.validate()...)
	if err := errors.Join(errs...); err != nil {
		return c, fmt.Errorf("%w: %w", ErrOption, err)
	}
	return c, nil
}

// setAll applies options and returns every fault in them.
func setAll[O ~func(*T) error, T any](to *T, opts []O) (faults []error) {
	for i, o := range opts {
		if o == nil {
			faults = append(faults, fmt.Errorf("option %d is nil", i))
		} else if err := o(to); err != nil {
			faults = append(faults, err)
		}
	}
	return faults
}

// apply returns what the options of a call say.
func apply[T any, O ~func(*T) error](opts []O) (T, error) {
	if len(opts) == 0 { // as a rule; what options change is on the heap
		var none T
		return none, nil
	}
	to := new(T)
	if err := errors.Join(setAll(to, opts)...); err != nil {
		return *to, fmt.Errorf("%w: %w", ErrOption, err)
	}
	return *to, nil
}

// validate finds faults that no option can see alone.
func (c *config) validate() (errs []error) {
	fault := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if c.raw && c.verifyToken != nil {
		fault("WithTokenVerifier needs the hello of protocol v1, which a raw hub does not have")
	}
	if c.raw && len(c.open) > 0 {
		fault("WithOpenRooms: on a raw hub rooms are joined by the server only")
	}
	if !c.raw && len(c.subprotocols) > 0 {
		fault("WithSubprotocols is for raw hubs; protocol v1 has its own")
	}
	if c.checkOrigin != nil && len(c.origins) > 0 {
		fault("WithOrigins and WithOriginCheck exclude each other")
	}
	if a := c.affinity; a != nil && c.node != "" && !a.fits(c.node) {
		fault("WithAffinity: a cookie cannot hold the node's name %q", c.node)
	}
	if c.maxMessage > c.backlogBytes {
		fault("the message limit of %d bytes exceeds the backlog of %d: raise WithBacklog or lower WithMaxMessage", c.maxMessage, c.backlogBytes)
	}
	if c.bytes.Enabled() && !c.bytes.Fits(c.maxMessage) {
		fault("WithByteRateLimit: the burst is smaller than the message limit of %d bytes: a message of that size could never be sent", c.maxMessage)
	}
	if c.maxAgePace > 0 && c.maxAge == 0 && c.maxIdle == 0 {
		fault("WithMaxAgePace needs WithMaxAge or WithMaxIdle")
	}
	_, history := c.broker.(broker.History)
	_, presence := c.broker.(broker.Presence)
	seen := make(map[string]bool)
	for _, r := range c.rules {
		if seen[r.pattern] {
			fault("rooms %q: two rules for the same pattern", r.pattern)
		}
		seen[r.pattern] = true
		if c.broker != nil && r.Retention.Enabled() && !history {
			fault("rooms %q: this broker has no history", r.pattern)
		}
		if c.broker != nil && r.Presence && !presence {
			fault("rooms %q: this broker has no presence", r.pattern)
		}
		if err := r.overflowFault(); err != nil {
			errs = append(errs, err)
		}
		if c.raw && (r.Presence || r.Retention.Enabled()) {
			fault("rooms %q: history and presence need protocol v1", r.pattern)
		}
		if c.raw && (r.Publisher != 0 || r.Times) {
			fault("rooms %q: ShowPublisher and ShowTime need protocol v1", r.pattern)
		}
	}
	if len(c.resumeKeys) > 0 && c.admission.Rate == 0 {
		fault("WithResumeKey needs WithAdmission")
	}
	if err := c.admission.Validate(); err != nil {
		errs = append(errs, err)
	}
	if err := c.check(); err != nil {
		errs = append(errs, err)
	} else {
		c.deriveBudget()
	}
	if c.compress {
		d, err := frame.NewDeflater(c.compressLevel)
		if err != nil {
			fault("compression level %d: %w", c.compressLevel, err)
		}
		c.deflater = d
	}
	return errs
}

// announced are the limits that a welcome tells the client.
func (c *config) announced() protocol.Limits {
	l := protocol.Limits{Message: c.maxMessage, Rooms: c.maxRooms}
	l.Rate, l.Burst = c.messages.Announced()
	rate, burst := c.bytes.Announced()
	l.ByteRate, l.ByteBurst = int(rate), burst
	return l
}
