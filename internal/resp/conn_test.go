package resp_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/internal/redistest"
	"github.com/gohubkit/hubkit/internal/resp"
)

func options() *resp.Options {
	return &resp.Options{
		Dialer: new(net.Dialer), ClientName: "resp", Timeout: 5 * time.Second, WriteTimeout: 5 * time.Second, Buffer: 4 << 10,
	}
}

func dial(t *testing.T, addr string, o *resp.Options) *resp.Conn {
	t.Helper()
	c, err := resp.Dial(t.Context(), addr, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// ask sends a command and returns a copy of the answer, and how often the connection was about to wait.
func ask(t *testing.T, c *resp.Conn, words ...string) (v resp.Value, waits int) {
	t.Helper()
	if _, err := c.Write(resp.AppendCommand(nil, words...)); err != nil {
		t.Fatal(err)
	}
	for {
		v, ok, err := c.Next()
		if err != nil {
			t.Fatal(err)
		}
		if ok {
			return clone(v), waits
		}
		if err := c.Fill(func() { waits++ }); err != nil {
			t.Fatal(err)
		}
	}
}

// A connection is made as it was asked for, and brings answers and pushes.
func TestDial(t *testing.T) {
	s := redistest.Start(t)
	s.Do("ACL", "SETUSER", "someone", "on", ">secret", "~*", "&*", "+@all")
	o := options()
	o.User, o.Password, o.Database = "someone", "secret", 2
	c := dial(t, s.Addr(), o)
	if c.Role() != "master" {
		t.Errorf("role %q, want master", c.Role())
	}
	for want, words := range map[string][]string{"resp": {"CLIENT", "GETNAME"}, "someone": {"ACL", "WHOAMI"}} {
		if v, waits := ask(t, c, words...); string(v.Text) != want || waits == 0 {
			t.Errorf("%v: %q after %d waits, want %q", words, v.Text, waits, want)
		}
	}
	if v, _ := ask(t, c, "SUBSCRIBE", "channel"); v.Kind != resp.Push || string(v.Elems[0].Text) != "subscribe" {
		t.Errorf("%+v, want that it is subscribed", v)
	}
	if v, _ := ask(t, c, "PING"); string(v.Text) != "PONG" {
		t.Errorf("%+v, want PONG", v)
	}
	ping := resp.AppendCommand(nil, "PING")
	n, err := c.Send(ping)
	if err == nil && n < len(ping) { // where it cannot tell
		_, err = c.Write(ping[n:])
	}
	if err != nil {
		t.Error(err)
	}
	if v, _ := ask(t, c, "ECHO", "x"); string(v.Text) != "PONG" {
		t.Errorf("%+v, want PONG", v)
	}
	o.Password = ""
	c = dial(t, s.Addr(), o) // no password: the default user
	if v, _ := ask(t, c, "ACL", "WHOAMI"); string(v.Text) != "default" {
		t.Errorf("user %q, want default", v.Text)
	}
}

func TestDialRefused(t *testing.T) {
	s := redistest.Start(t)
	o := options()
	o.User, o.Password = "nobody", "wrong"
	var refused resp.Error
	if _, err := resp.Dial(t.Context(), s.Addr(), o); !errors.As(err, &refused) || refused.Code() != "WRONGPASS" {
		t.Errorf("%v, want WRONGPASS", err)
	}
	o = options()
	o.Database = 1 << 20
	if _, err := resp.Dial(t.Context(), s.Addr(), o); !errors.As(err, &refused) {
		t.Errorf("%v, want an error of the server", err)
	}
	s.Kill()
	if _, err := resp.Dial(t.Context(), s.Addr(), options()); err == nil {
		t.Error("no error without a server")
	}
}

// silent takes connections and says nothing.
func silent(t *testing.T) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var tasks sync.WaitGroup
	var mu sync.Mutex
	var conns []net.Conn
	tasks.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, c)
			mu.Unlock()
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		tasks.Wait()
		for _, c := range conns {
			_ = c.Close()
		}
	})
	return l.Addr().String()
}

// Dial gives up when its time is over, or its context.
func TestDialTimeout(t *testing.T) {
	addr := silent(t)
	o := options()
	o.Timeout = 50 * time.Millisecond
	if _, err := resp.Dial(t.Context(), addr, o); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v, want DeadlineExceeded", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	if _, err := resp.Dial(ctx, addr, options()); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want Canceled", err)
	}
}

// Close ends a read that waits, and one that the server ends is at its end.
func TestReadEnds(t *testing.T) {
	s := redistest.Start(t)
	for name, end := range map[string]struct {
		do   func(*resp.Conn)
		want error
	}{
		"closed here":  {func(c *resp.Conn) { _ = c.Close() }, net.ErrClosed},
		"closed there": {func(*resp.Conn) { s.Do("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes") }, io.EOF},
	} {
		c := dial(t, s.Addr(), options())
		waiting, ended := make(chan struct{}), make(chan error, 1)
		go func() { ended <- c.Fill(func() { close(waiting) }) }()
		<-waiting
		end.do(c)
		if err := <-ended; !errors.Is(err, end.want) {
			t.Errorf("%s: %v, want %v", name, err, end.want)
		}
	}
}

// A server that takes nothing does not hold up a writer for longer than the write timeout, nor does Close wait for
// it.
func TestWriteEnds(t *testing.T) {
	s := redistest.Start(t)
	o := options()
	o.WriteTimeout = 100 * time.Millisecond
	c := dial(t, s.Addr(), o)
	s.Pause()
	defer s.Continue()
	much := make([]byte, 64<<20)
	if _, err := c.Write(much); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%v, want DeadlineExceeded", err)
	}
	ended := make(chan error, 1)
	o = options()
	s.Continue()
	c = dial(t, s.Addr(), o)
	s.Pause()
	go func() {
		_, err := c.Write(much)
		ended <- err
	}()
	time.AfterFunc(50*time.Millisecond, func() { _ = c.Close() })
	if err := <-ended; err == nil {
		t.Error("no error after Close")
	}
	if err := c.Close(); err == nil {
		t.Error("second Close: no error")
	}
	if _, err := c.Write(much); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Write after Close: %v, want ErrClosed", err)
	}
	if err := c.Fill(func() {}); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Fill after Close: %v, want ErrClosed", err)
	}
}
