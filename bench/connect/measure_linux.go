package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/gohubkit/hubkit/internal/wsload"
	"github.com/gohubkit/hubkit/protocol"
)

// result is a round.
type result struct {
	took       time.Duration
	hub, redis float64 // microseconds of processor time for each client
	commands   []string
}

func (r result) String() string {
	return fmt.Sprintf("hub %.1f µs, Redis %.1f µs a client; %.0f clients/s; %s",
		r.hub, r.redis, float64(*conns)/r.took.Seconds(), strings.Join(r.commands, " "))
}

// measure is a round: all clients connect to a fresh hub.
func measure(last bool) (r result, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	dir, err := os.MkdirTemp("", "connect")
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	server, err := startRedis(ctx, dir)
	if err != nil {
		return r, err
	}
	defer server.stop()
	h, err := startHub(server.addr, last)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, h.stop()) }()
	time.Sleep(300 * time.Millisecond) // what begins with the hub is not the clients'
	before, err := h.used()
	if err != nil {
		return r, err
	}
	r0, err := server.used(ctx)
	if err != nil {
		return r, err
	}
	began := time.Now()
	c, err := connect(ctx, h.addr)
	if err != nil {
		return r, err
	}
	defer c.client.Close()
	r.took = time.Since(began)
	after, err := h.used()
	if err != nil {
		return r, err
	}
	r1, err := server.used(ctx)
	if err != nil {
		return r, err
	}
	r.hub = float64((after - before).Microseconds()) / float64(*conns)
	r.redis = float64((r1 - r0).Microseconds()) / float64(*conns)
	r.commands, err = server.commands(ctx)
	return r, err
}

// redisServer is a redis-server process.
type redisServer struct {
	addr   string
	cmd    *exec.Cmd
	client rueidis.Client
}

func startRedis(ctx context.Context, dir string) (*redisServer, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &redisServer{addr: l.Addr().String()}
	_, port, _ := net.SplitHostPort(s.addr)
	_ = l.Close()
	s.cmd = exec.CommandContext(ctx, "redis-server", "--bind", "127.0.0.1", "--port", port, "--dir", dir, "--save", "", "--loglevel", "warning") //nolint:gosec // a port
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	for {
		s.client, err = rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{s.addr}, DisableCache: true, ForceSingleClient: true})
		if err == nil {
			return s, nil
		}
		select {
		case <-ctx.Done():
			s.stop()
			return nil, err
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (s *redisServer) stop() {
	if s.client != nil {
		s.client.Close()
	}
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

func (s *redisServer) info(ctx context.Context, section string) (map[string]string, error) {
	text, err := s.client.Do(ctx, s.client.B().Info().Section(section).Build()).ToString()
	fields := make(map[string]string)
	for line := range strings.Lines(text) {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			fields[k] = v
		}
	}
	return fields, err
}

// used is the processor time of Redis so far.
func (s *redisServer) used(ctx context.Context) (time.Duration, error) {
	fields, err := s.info(ctx, "cpu")
	if err != nil {
		return 0, err
	}
	user, err1 := strconv.ParseFloat(fields["used_cpu_user"], 64)
	sys, err2 := strconv.ParseFloat(fields["used_cpu_sys"], 64)
	return time.Duration((user + sys) * float64(time.Second)), errors.Join(err1, err2)
}

// commands lists how often each command was executed, those of scripts too, for each thousand clients.
func (s *redisServer) commands(ctx context.Context) (list []string, err error) {
	fields, err := s.info(ctx, "commandstats")
	for k, v := range fields {
		name, ok := strings.CutPrefix(k, "cmdstat_")
		calls, _, _ := strings.Cut(strings.TrimPrefix(v, "calls="), ",")
		n, err := strconv.Atoi(calls)
		if ok && err == nil && n >= *conns/1000 {
			list = append(list, fmt.Sprintf("%s=%d", name, n*1000/(*conns)))
		}
	}
	slices.Sort(list)
	return list, err
}

// crowd is the clients. It belongs to the client's one loop.
type crowd struct {
	client *wsload.Client
	event  protocol.Event
	joined []int8
	next   int
	there  int
	failed chan error
	done   chan struct{}
}

// connect returns when all clients are in both their rooms.
func connect(ctx context.Context, addr string) (*crowd, error) {
	c := &crowd{joined: make([]int8, *conns), failed: make(chan error, 1), done: make(chan struct{})}
	var err error
	c.client, err = wsload.New(wsload.Options{
		Addr: addr, Conns: *conns, Subprotocol: protocol.Subprotocol, Handler: c,
		Path: func(i int) string { return "/?user=u" + strconv.Itoa(i) },
	})
	if err != nil {
		return nil, err
	}
	c.client.Do(0, func() {
		for range *window {
			c.dial()
		}
	})
	select {
	case <-c.done:
		return c, nil
	case err = <-c.failed:
	case <-ctx.Done():
		err = ctx.Err()
	}
	c.client.Close()
	return nil, err
}

func (c *crowd) dial() {
	if c.next == *conns {
		return
	}
	c.next++
	if err := c.client.Dial(c.next - 1); err != nil {
		c.fail(err)
	}
}

func (c *crowd) fail(err error) {
	select {
	case c.failed <- err:
	default:
	}
}

// Opened implements wsload.Handler.
func (c *crowd) Opened(i int, _ string) {
	room := small + strconv.Itoa(i%max(1, *conns / *members))
	q := protocol.Request{Op: protocol.OpHello, Resume: []protocol.Resume{{Room: []byte(common)}, {Room: []byte(room)}}}
	c.client.Send(i, wsload.Text, protocol.AppendRequest(nil, &q))
}

// Message implements wsload.Handler.
func (c *crowd) Message(i int, data []byte) {
	if err := c.event.Decode(data); err != nil {
		c.fail(err)
		return
	}
	switch c.event.Op {
	case protocol.OpWelcome:
	case protocol.OpOK:
		if c.joined[i]++; c.joined[i] < 2 {
			return
		}
		if c.there++; c.there == *conns {
			close(c.done)
			return
		}
		c.dial()
	default:
		c.fail(fmt.Errorf("connection %d: %s", i, data))
	}
}

// Pong implements wsload.Handler.
func (c *crowd) Pong(int, []byte) {}

// Closed implements wsload.Handler.
func (c *crowd) Closed(i int, err error) { c.fail(fmt.Errorf("connection %d: %w", i, err)) }
