package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime/pprof"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/gohubkit/hubkit/broker/redis"
	"github.com/gohubkit/hubkit/hub"
)

var (
	conns   = flag.Int("conns", 15000, "how many clients connect")
	members = flag.Int("members", 10, "members of each small room")
	window  = flag.Int("window", 128, "connections on their way at once")
	rounds  = flag.Int("rounds", 3, "rounds, each with hub and Redis of its own")
	fast    = flag.Bool("fast", false, "have the hub accept by Hub.Serve and not by net/http")
	profile = flag.String("profile", "", "write the hub's processor profile of the last round to this file")
	asHub   = flag.String("hub", "", "be the hub, of the Redis at this address; for internal use")
	program = flag.String("program", "", "have the hub be another build of this `command`, to compare it")
)

func main() {
	log.SetFlags(0)
	flag.Parse()
	if *asHub != "" {
		if err := serve(*asHub); err != nil {
			log.Fatal("connect: hub: ", err)
		}
		return
	}
	for i := range *rounds {
		r, err := measure(i == *rounds-1)
		if err != nil {
			log.Fatal("connect: ", err)
		}
		fmt.Println(r)
	}
}

const (
	common = "all"
	small  = "small:"
)

// serve is the hub's process. Each line on its standard input is answered with the processor time that it has used, in microseconds.
func serve(redisAddr string) error {
	rb, err := redis.New([]string{redisAddr})
	if err != nil {
		return err
	}
	h, err := hub.New(hub.WithBroker(rb), hub.WithAuthenticator(func(r *http.Request) (hub.Identity, error) {
		return hub.Identity{User: r.URL.Query().Get("user")}, nil
	}), hub.WithLogger(slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))),
		hub.WithRooms(small+"*", hub.History(100, 10*time.Minute)), hub.WithOpenRooms(common, small+"*"))
	if err != nil {
		return err
	}
	lc := net.ListenConfig{KeepAlive: -1} // the heartbeat finds dead peers
	l, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		if *fast {
			log.Fatal(h.Serve(srv, l))
		}
		log.Fatal(srv.Serve(l))
	}()
	fmt.Println(l.Addr())
	if *profile != "" {
		f, err := os.Create(*profile)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
	}
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			return err
		}
		fmt.Println((u.Utime.Nano() + u.Stime.Nano()) / 1000)
	}
	pprof.StopCPUProfile()
	return in.Err()
}

// child is a hub's process.
type child struct {
	cmd  *exec.Cmd
	in   interface{ Close() error }
	ask  func() error
	out  *bufio.Scanner
	addr string
}

func startHub(redisAddr string, profiled bool) (*child, error) {
	command := *program
	if command == "" {
		command = os.Args[0]
	}
	args := []string{"-hub", redisAddr, fmt.Sprintf("-fast=%v", *fast)}
	if profiled && *profile != "" {
		args = append(args, "-profile", *profile)
	}
	cmd := exec.CommandContext(context.Background(), command, args...) //nolint:gosec // this command, or another build of it
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	c := &child{cmd: cmd, in: in, out: bufio.NewScanner(out)}
	c.ask = func() error { _, err := in.Write([]byte("\n")); return err }
	c.addr, err = c.line()
	return c, err
}

func (c *child) line() (string, error) {
	if !c.out.Scan() {
		return "", errors.Join(errors.New("the hub has ended"), c.out.Err())
	}
	return c.out.Text(), nil
}

// used is the processor time of the hub so far.
func (c *child) used() (time.Duration, error) {
	if err := c.ask(); err != nil {
		return 0, err
	}
	text, err := c.line()
	if err != nil {
		return 0, err
	}
	us, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	return time.Duration(us) * time.Microsecond, err
}

func (c *child) stop() error { return errors.Join(c.in.Close(), c.cmd.Wait()) }
