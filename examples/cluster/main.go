// Cluster is a whole site on one machine: three hubs behind a load balancer, on one Redis.
//
//	go run ./examples/cluster
//
// starts redis-server, the hubs and nginx, all on loopback, and stops them at the end. Open
// http://127.0.0.1:8090. The page shows its node, and counts the messages of a room, one a second. Then type a
// command here, and see what the page does:
//
//	kill a      end a node as a crash would
//	stop a      end it in order: it drains
//	start a     start it again
//	roll        stop and start all nodes, one after the other, as a deploy does
//
// http://127.0.0.1:8090/dash/ shows all nodes, rooms and connections, and can drain a node too.
//
// -proxy selects another load balancer: nginx-cookie, nginx-ip_hash or haproxy. The configurations in conf can be used
// as they are. README.md explains them.
//
// It needs redis-server and nginx, or haproxy, installed, and a system that has signals.
//
// node.go is a node, as in an application. site.go starts and stops everything, and proxy.go has the load balancers.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	err := run(ctx, os.Args[1:], os.Stdin, os.Stdout)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

type config struct {
	addr  string
	proxy string
	dir   string
	drain time.Duration
	tick  time.Duration
}

func parse(args []string) (config, error) {
	var c config
	fs := flag.NewFlagSet("cluster", flag.ContinueOnError)
	fs.StringVar(&c.addr, "addr", "127.0.0.1:8090", "`address` of the site; the four ports after it are the nodes' and Redis's")
	fs.StringVar(&c.proxy, "proxy", "nginx-cookie", "load balancer: nginx-cookie, nginx-ip_hash or haproxy")
	fs.StringVar(&c.dir, "dir", "", "`directory` for the servers' files, kept at the end (default a temporary one)")
	fs.DurationVar(&c.drain, "drain", 3*time.Second, "`time` over which a stopping node closes its connections")
	fs.DurationVar(&c.tick, "tick", time.Second, "`time` between two messages in the page's room, 0 for none")
	if err := fs.Parse(args); err != nil {
		return c, err
	}
	if fs.NArg() > 0 {
		return c, fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}
	if _, ok := proxies[c.proxy]; !ok {
		return c, fmt.Errorf("there is no load balancer %q: nginx-cookie, nginx-ip_hash or haproxy", c.proxy)
	}
	if c.tick < 0 || c.drain <= 0 {
		return c, errors.New("-tick must not be negative, and -drain must be positive")
	}
	return c, nil
}

// next returns the address n ports after addr, on loopback.
func next(addr string, n int) (string, error) {
	a, err := netip.ParseAddrPort(addr)
	if p := int(a.Port()); err != nil || p == 0 || p+ports > 65535 {
		return "", fmt.Errorf("-addr %q: want an IP address and a port, with %d free ones after it", addr, ports)
	}
	return netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), a.Port()+uint16(n)).String(), nil
}

// run runs the site, or the one node that the site starts this program as.
func run(ctx context.Context, args []string, stdin io.Reader, stdout io.Writer) (err error) {
	if len(args) > 0 && args[0] == "node" {
		return runNode(ctx, args[1:])
	}
	conf, err := parse(args)
	if err != nil {
		return err
	}
	s := &site{conf: conf, out: stdout, ended: make(chan *process, 10)}
	defer func() { err = errors.Join(err, s.close()) }()
	if err := s.start(ctx); err != nil {
		return err
	}
	s.say("open http://%s, and type: kill, stop or start with a node's name, or roll; Ctrl-C ends all", conf.addr)
	return s.serve(ctx, commands(stdin))
}

// commands returns the lines of r, until there are no more.
func commands(r io.Reader) <-chan string {
	lines := make(chan string)
	go func() { // ends with the program: a read cannot be called off
		for in := bufio.NewScanner(r); in.Scan(); {
			lines <- strings.TrimSpace(in.Text())
		}
	}()
	return lines
}
