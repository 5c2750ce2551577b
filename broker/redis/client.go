package redis

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"net"
	"time"

	"github.com/redis/rueidis"

	"github.com/gohubkit/hubkit/broker"
)

const (
	bufferSize = 64 << 10
	ringScale  = 9 // 512 commands under way on each connection
	// flushDelay is how long a busy connection gathers commands before it writes them; one at a time is not
	// delayed.
	flushDelay = 200 * time.Microsecond
)

// clientOption translates the configuration. Everything that decides how long something may take is set.
func (b *Broker) clientOption() rueidis.ClientOption {
	c := &b.config
	multiplex := bits.Len(uint(c.publishConns)) - 1
	if multiplex == 0 {
		multiplex = -1 // zero would be a choice of rueidis
	}
	dialer := *b.dialer()
	option := rueidis.ClientOption{
		InitAddress:         c.addrs,
		TLSConfig:           c.tls,
		Username:            c.user,
		Password:            c.password,
		ClientName:          c.clientName,
		SelectDB:            c.database,
		Dialer:              dialer,
		DialCtxFn:           b.dials.dial,
		ConnWriteTimeout:    c.ioTimeout,
		PipelineMultiplex:   multiplex,
		ReadBufferEachConn:  bufferSize,
		WriteBufferEachConn: bufferSize,
		RingScaleEachConn:   ringScale,
		MaxFlushDelay:       flushDelay,
		DisableCache:        true,
		DisableRetry:        true, // what to do about a failure is decided here
		AlwaysPipelining:    true, // a call that gives up leaves the connection whole for the others
		Sentinel: rueidis.SentinelOption{
			Dialer:                  sentinelDialer(dialer),
			TLSConfig:               c.tls,
			MasterSet:               c.master,
			Username:                c.sentinelUser,
			Password:                c.sentinelPassword,
			ClientName:              c.clientName,
			TopologyRefreshInterval: steerInterval,
		},
		ClusterOption: rueidis.ClusterOption{ShardsRefreshInterval: steerInterval, MaxMovedRedirections: 8},
	}
	if c.ask != nil {
		option.AuthCredentialsFn = b.credentialsForClient
	}
	return option
}

func (b *Broker) dialer() *net.Dialer {
	return &net.Dialer{
		Timeout: b.dialTimeout,
		// rueidis sends a PING after this much silence, and waits ConnWriteTimeout for the answer.
		KeepAlive: max(b.ioTimeout/4, 1),
	}
}

// dial makes the client. rueidis knows no context here, so the dialing goes on when ctx has ended, no longer
// than the dial timeout for each address, and its fruit is closed.
func (b *Broker) dial(ctx context.Context) (rueidis.Client, error) {
	type outcome struct {
		client rueidis.Client
		err    error
	}
	dialed := make(chan outcome, 1)
	go func() {
		client, err := rueidis.NewClient(b.clientOption())
		dialed <- outcome{client, err}
	}()
	select {
	case o := <-dialed:
		if o.err != nil {
			return nil, unavailable(o.err)
		}
		if o.client.Mode() == rueidis.ClientModeCluster && b.database != 0 {
			o.client.Close()
			return nil, fmt.Errorf("redis: %w: WithDatabase: database %d: a cluster has only database 0", broker.ErrInvalid, b.database)
		}
		return o.client, nil
	case <-ctx.Done():
		b.spawn(func() {
			if o := <-dialed; o.err == nil {
				o.client.Close()
			}
		})
		return nil, ctx.Err()
	}
}

// unavailable marks an error as one that leaves it open whether the server did what it was asked to.
func unavailable(err error) error {
	if errors.Is(err, broker.ErrUnavailable) {
		return err
	}
	return fmt.Errorf("redis: %w: %w", broker.ErrUnavailable, err)
}

// failed turns the error of a command into what the caller gets.
func (b *Broker) failed(err error) error {
	if err == nil {
		return nil
	}
	if b.ctx.Err() != nil {
		return broker.ErrClosed
	}
	return unavailable(err)
}

// isBroken tells whether an error is one of the connection, not an answer of the server and not the
// caller's own impatience.
func isBroken(err error) bool {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, rueidis.Nil) {
		return false
	}
	_, answered := replyOf(err)
	return !answered
}
