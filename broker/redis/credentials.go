package redis

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/redis/rueidis"
)

// credentialsTimeout is how long the application's function for credentials may take.
const credentialsTimeout = 5 * time.Second

// asking is a call of the application's function for credentials. All connections that are being made share it.
type asking struct {
	done           chan struct{}
	user, password string
	err            error
}

// credentials returns what a new connection has to authenticate with. It blocks no longer than credentialsTimeout.
func (b *Broker) credentials(ctx context.Context) (user, password string, err error) {
	if b.ask == nil {
		return b.user, b.password, nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, credentialsTimeout, errCredentials)
	defer cancel()
	b.askMu.Lock()
	a := b.asked
	if a == nil {
		a = &asking{done: make(chan struct{})}
		if !b.spawn(func() { b.callForCredentials(a) }) {
			b.askMu.Unlock()
			return "", "", context.Canceled
		}
		b.asked = a
	}
	b.askMu.Unlock()
	select {
	case <-a.done:
		return a.user, a.password, a.err
	case <-ctx.Done():
		return "", "", context.Cause(ctx)
	}
}

var errCredentials = fmt.Errorf("credentials: the function has not returned within %v", credentialsTimeout)

// callForCredentials makes the call. The function is the application's: a panic of it is an error.
func (b *Broker) callForCredentials(a *asking) {
	ctx, cancel := context.WithTimeout(b.ctx, credentialsTimeout)
	defer cancel()
	a.err = errors.New("credentials: the function has ended its goroutine")
	defer func() {
		if v := recover(); v != nil {
			b.log.Error("redis: the function of WithCredentials has panicked", "panic", v, "stack", string(debug.Stack()))
			a.err = fmt.Errorf("credentials: panic: %v", v)
		}
		b.askMu.Lock()
		b.asked = nil
		b.askMu.Unlock()
		close(a.done)
	}()
	user, password, err := b.ask(ctx)
	switch a.err = nil; {
	case err != nil:
		a.err = fmt.Errorf("credentials: %w", err)
	case user != "" && password == "":
		a.err = fmt.Errorf("credentials: user %q has no password", user)
	default:
		a.user, a.password = user, password
	}
}

// credentialsForClient is credentials as rueidis asks for them, which does so for Sentinels too.
func (b *Broker) credentialsForClient(to rueidis.AuthCredentialsContext) (rueidis.AuthCredentials, error) {
	if _, ok := to.Address.(sentinelAddr); ok {
		return rueidis.AuthCredentials{Username: b.sentinelUser, Password: b.sentinelPassword}, nil
	}
	user, password, err := b.credentials(b.ctx)
	return rueidis.AuthCredentials{Username: user, Password: password}, err
}
