package redis_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/broker/redis"
)

func TestOptionFaults(t *testing.T) {
	tests := []struct {
		name string
		addr string
		opt  redis.Option
		want string
	}{
		{"address", "localhost", nil, `address "localhost"`},
		{"sentinel", "", redis.WithSentinel(""), "name of the master is empty"},
		{"sentinel auth", "", redis.WithSentinelAuth("u", "p"), "WithSentinelAuth needs WithSentinel"},
		{"user", "", redis.WithAuth("u", ""), `user "u" has no password`},
		{"TLS", "", redis.WithTLS(nil), "TLS configuration is nil"},
		{"database", "", redis.WithDatabase(-1), "database -1"},
		{"empty prefix", "", redis.WithPrefix(""), `prefix ""`},
		{"prefix with a brace", "", redis.WithPrefix("a{b"), `prefix "a{b"`},
		{"client name", "", redis.WithClientName("a b"), `client name "a b"`},
		{"dial timeout", "", redis.WithDialTimeout(0), "dial timeout of 0s"},
		{"I/O timeout", "", redis.WithIOTimeout(-1), "I/O timeout of -1ns"},
		{"publish", "", redis.WithPublishConns(3), "3 connections to publish"},
		{"publish none", "", redis.WithPublishConns(0), "0 connections to publish"},
		{"subscribe", "", redis.WithSubscribeConns(65), "65 connections to subscribe"},
		{"presence", "", redis.WithPresenceTTL(time.Minute, 31*time.Second), "presence TTL of 1m0s"},
		{"metadata", "", redis.WithMetadataTTL(0), "metadata TTL of 0s"},
		{"keys", "", redis.WithIdempotencyKeys(0, 1), "0 idempotency keys of the service and 1 of a publisher"},
		{"keys of publishers", "", redis.WithIdempotencyKeys(1, 0), "0 of a publisher"},
		{"backoff", "", redis.WithBackoff(nil), "backoff policy is nil"},
	}
	var all []redis.Option
	for _, tt := range tests {
		addrs := []string{"127.0.0.1:6379"}
		if tt.addr != "" {
			addrs = []string{tt.addr}
		}
		var opts []redis.Option
		if tt.opt != nil {
			opts = append(opts, tt.opt)
			all = append(all, tt.opt)
		}
		_, err := redis.New(addrs, opts...)
		if !errors.Is(err, broker.ErrInvalid) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want ErrInvalid about %s", tt.name, err, tt.want)
		}
	}
	_, err := redis.New(nil, append(all, nil)...)
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"at least one address", "is nil", "database -1", "prefix", "dial timeout", "backoff"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("all at once: %v, want also: %s", err, want)
		}
	}
}

func TestSentinelCredentials(t *testing.T) {
	_, err := redis.New([]string{"[::1]:26379"}, redis.WithSentinel("main"), redis.WithSentinelAuth("", "secret"), redis.WithAuth("", "other"))
	if err != nil {
		t.Error(err)
	}
}

func TestStartNeedsName(t *testing.T) {
	b := newBroker(t, []string{"127.0.0.1:1"})
	if err := b.Start(t.Context(), "", struct{ broker.Receiver }{}); !errors.Is(err, broker.ErrInvalid) {
		t.Errorf("Start without a name: %v, want ErrInvalid", err)
	}
}
