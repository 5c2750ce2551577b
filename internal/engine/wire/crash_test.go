package wire

import (
	"context"
	"errors"
	"net"
	"runtime"
	"testing"
	"time"
)

// faulty is a connection of the application's with a fault in one of its methods.
type faulty struct {
	net.Conn
	write, deadline func()
}

func (f *faulty) Write(p []byte) (int, error) {
	f.write()
	return f.Conn.Write(p)
}

func (f *faulty) SetWriteDeadline(t time.Time) error {
	f.deadline()
	return f.Conn.SetWriteDeadline(t)
}

// catching is an owner whose goroutines survive, as the hub's do.
type catching struct {
	*rig
	caught chan any
}

func (c *catching) Run(f func()) {
	c.flushers.Go(func() {
		defer func() { c.caught <- recover() }()
		f()
	})
}

// TestCrash: a connection that crashes the goroutine that writes to it fails, like any other that cannot be written to.
func TestCrash(t *testing.T) {
	fine := func() {}
	bad := func() { panic("a fault") }
	for _, tt := range []struct {
		name            string
		write, deadline func()
		panics          any
	}{
		{"Write panics", bad, fine, "a fault"},
		{"SetWriteDeadline panics", fine, bad, "a fault"},
		{"Write ends the goroutine", runtime.Goexit, fine, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			conn, peer := net.Pipe()
			r := newRigOn(t, generous, &faulty{conn, tt.write, tt.deadline}, peer)
			owner := &catching{r, make(chan any, 1)}
			r.owner = owner
			if err := r.SendOne(oneFrame("a")); err != nil {
				t.Fatal(err)
			}
			if err := r.failedOnce(t); !errors.Is(err, ErrCrashed) {
				t.Errorf("the owner was told %v", err)
			}
			if v := <-owner.caught; v != tt.panics {
				t.Errorf("the goroutine ended with %v", v)
			}
			if err := r.SendOne(oneFrame("b")); !errors.Is(err, net.ErrClosed) {
				t.Errorf("a frame after that: %v", err)
			}
			if err := r.Drained(context.Background()); !errors.Is(err, net.ErrClosed) {
				t.Errorf("waiting for the backlog: %v", err)
			}
		})
	}
}
