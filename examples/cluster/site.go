package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// names are the nodes', as the load balancers' configurations have them.
var names = []string{"a", "b", "c"}

// ports is how many ports after the site's are used: the nodes', and Redis's.
var ports = len(names) + 1

// site is everything that runs. It belongs to the goroutine of run.
type site struct {
	conf  config
	out   io.Writer
	dir   string
	kept  bool // dir stays
	ended chan *process

	redisAddr string
	redis     *process
	proxy     *process
	nodes     []*process // nil where one was not started
	addrs     []string   // of the nodes
	ticks     ticker
}

func (s *site) say(format string, args ...any) {
	_, _ = fmt.Fprintf(s.out, "cluster: "+format+"\n", args...)
}

// start starts Redis, the nodes and the load balancer, each when the one before is ready.
func (s *site) start(ctx context.Context) error {
	if err := s.prepare(); err != nil {
		return err
	}
	if err := s.startRedis(ctx); err != nil {
		return err
	}
	for i := range names {
		if err := s.startNode(ctx, i); err != nil {
			return err
		}
	}
	p := proxies[s.conf.proxy]
	if err := p.write(s.dir, s.conf.addr, s.addrs); err != nil {
		return err
	}
	var err error
	if s.proxy, err = p.start(s.dir, s.ended); err != nil {
		return err
	}
	if err := ready(ctx, s.proxy, "http://"+s.conf.addr+"/"); err != nil {
		return err
	}
	s.say("%s, process %d, leads to them", s.conf.proxy, s.proxy.pid())
	return s.ticks.start(ctx, s.redisAddr, s.conf.tick)
}

// prepare finds the addresses and a directory.
func (s *site) prepare() (err error) {
	s.nodes = make([]*process, len(names))
	for i := range names {
		addr, err := next(s.conf.addr, i+1)
		if err != nil {
			return err
		}
		s.addrs = append(s.addrs, addr)
	}
	if s.redisAddr, err = next(s.conf.addr, ports); err != nil {
		return err
	}
	for _, addr := range append([]string{s.conf.addr, s.redisAddr}, s.addrs...) {
		ln, err := net.Listen("tcp", addr)
		if err != nil {
			return fmt.Errorf("choose another -addr: %w", err)
		}
		if err := ln.Close(); err != nil {
			return err
		}
	}
	if s.kept = s.conf.dir != ""; s.kept {
		if s.dir, err = filepath.Abs(s.conf.dir); err != nil {
			return err
		}
		return os.MkdirAll(s.dir, 0o755) //nolint:gosec // nginx's workers may be another user's
	}
	if s.dir, err = os.MkdirTemp("", "hubkit-cluster-"); err != nil {
		return err
	}
	return os.Chmod(s.dir, 0o755) //nolint:gosec // as above
}

func (s *site) startRedis(ctx context.Context) error {
	path, err := find("redis-server")
	if err != nil {
		return err
	}
	_, port, _ := strings.Cut(s.redisAddr, ":")
	s.redis, err = launch("redis-server", s.ended, path,
		"--bind", "127.0.0.1", "--port", port, "--dir", s.dir, "--save", "", "--loglevel", "warning")
	if err != nil {
		return err
	}
	s.say("redis-server, process %d, at %s", s.redis.pid(), s.redisAddr)
	return answering(ctx, s.redis, s.redisAddr)
}

// startNode starts the node whose name has this index, and returns when it is ready.
func (s *site) startNode(ctx context.Context, i int) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	s.nodes[i], err = launch("node "+names[i], s.ended, self, "node",
		"-name", names[i], "-addr", s.addrs[i], "-redis", s.redisAddr, "-drain", s.conf.drain.String())
	if err != nil {
		return err
	}
	if err := ready(ctx, s.nodes[i], "http://"+s.addrs[i]+"/readyz"); err != nil {
		return err
	}
	s.say("node %s is ready, process %d, at %s", names[i], s.nodes[i].pid(), s.addrs[i])
	return nil
}

// serve carries out commands until ctx ends, or Redis or the load balancer ends.
func (s *site) serve(ctx context.Context, commands <-chan string) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case p := <-s.ended:
			if p == s.redis || p == s.proxy {
				return fmt.Errorf("%s has ended: %v", p.name, p.cmd.ProcessState)
			}
			if !p.meant {
				s.say("%s has ended: %v", p.name, p.cmd.ProcessState)
			}
		case line := <-commands:
			if err := s.do(ctx, line); err != nil && ctx.Err() == nil {
				s.say("%q: %v", line, err)
			}
		}
	}
}

var errCommand = errors.New("type kill, stop or start with a node's name (a, b or c), or roll")

func (s *site) do(ctx context.Context, line string) error {
	verb, name, _ := strings.Cut(line, " ")
	i := index(name)
	switch {
	case verb == "":
		return nil
	case verb == "roll" && name == "":
		return s.roll(ctx)
	case i < 0:
		return errCommand
	case verb == "start":
		if s.nodes[i].running() {
			return errors.New("it is running")
		}
		return s.startNode(ctx, i)
	case verb == "stop":
		return s.stopNode(i)
	case verb == "kill":
		s.nodes[i].kill()
		s.say("node %s is dead", name)
		return nil
	}
	return errCommand
}

func index(name string) int {
	for i, n := range names {
		if n == name {
			return i
		}
	}
	return -1
}

func (s *site) stopNode(i int) error {
	begun := time.Now()
	s.say("node %s drains", names[i])
	if err := s.nodes[i].stop(s.conf.drain + 2*drainSlack); err != nil {
		return err
	}
	s.say("node %s has ended, after %v", names[i], time.Since(begun).Round(10*time.Millisecond))
	return nil
}

// roll replaces the nodes one after the other.
func (s *site) roll(ctx context.Context) error {
	for i := range names {
		if err := errors.Join(s.stopNode(i), ctx.Err()); err != nil {
			return err
		}
		if err := s.startNode(ctx, i); err != nil {
			return err
		}
	}
	s.say("all nodes are new")
	return nil
}

// close ends all processes, each before those that it needs.
func (s *site) close() error {
	errs := []error{s.ticks.stop()}
	stopped := make(chan error, len(s.nodes))
	for _, n := range s.nodes {
		go func() {
			if n == nil || !n.running() {
				stopped <- nil
				return
			}
			stopped <- n.stop(s.conf.drain + 2*drainSlack)
		}()
	}
	for range s.nodes {
		errs = append(errs, <-stopped)
	}
	for _, p := range []*process{s.proxy, s.redis} {
		if p != nil && p.running() {
			errs = append(errs, p.stop(5*time.Second))
		}
	}
	if s.dir != "" && !s.kept {
		errs = append(errs, os.RemoveAll(s.dir))
	}
	return errors.Join(errs...)
}
