package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/gohubkit/hubkit/bench/internal/latency"
	"github.com/gohubkit/hubkit/internal/wsload"
)

// config is the command line.
type config struct {
	addr, publisher, redis string
	room                   string
	conns, rooms, n, size  int
	publishers             int
	rate                   float64
	settle, stall          time.Duration
	subprotocol            string
	hello, join, echoFrame string
	appPing, appPong       string
	window, loops, sources int
	sample                 int
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

func run() error {
	var c config
	test := flag.String("test", "fanout", "idle, fanout, paced, rooms, nodes, echo, storm or churn")
	timeout := flag.Duration("timeout", 3*time.Minute, "give up after this long")
	flag.StringVar(&c.addr, "addr", "127.0.0.1:8080", "server at `host:port`")
	flag.StringVar(&c.publisher, "publisher", "", "server at `host:port` that publishes, for nodes")
	flag.StringVar(&c.redis, "redis", "", "Redis at `host:port` between the two, for nodes")
	flag.StringVar(&c.room, "room", "bench", "room, or the start of the names of -rooms")
	flag.IntVar(&c.conns, "conns", 1000, "connections")
	flag.IntVar(&c.rooms, "rooms", 100, "rooms, for the tests rooms and nodes")
	flag.IntVar(&c.n, "n", 1000, "messages, echoes or, for churn, connections")
	flag.IntVar(&c.publishers, "publishers", 1, "goroutines of the server that publish")
	flag.IntVar(&c.size, "size", 128, "`bytes` of a payload")
	flag.Float64Var(&c.rate, "rate", 0, "messages a second; 0 for full rate")
	flag.DurationVar(&c.settle, "settle", time.Second, "rest after the connections are open")
	flag.DurationVar(&c.stall, "stall", 5*time.Second, "count as lost what has not come after this long without progress")
	flag.StringVar(&c.subprotocol, "subprotocol", "", "WebSocket subprotocol to offer")
	flag.StringVar(&c.hello, "hello", "", "first `frame` of every connection")
	flag.StringVar(&c.join, "join", "", "`frame` that joins room %s")
	flag.StringVar(&c.echoFrame, "echo-frame", "%s", "`frame` around the payload %s of an echo")
	flag.StringVar(&c.appPing, "app-ping", "", "`frame` that is a ping of the server's protocol")
	flag.StringVar(&c.appPong, "app-pong", "", "`frame` that answers it")
	flag.IntVar(&c.window, "window", 128, "connections each loop opens at once")
	flag.IntVar(&c.loops, "loops", 1, "epoll loops")
	flag.IntVar(&c.sources, "sources", 4, "loopback addresses to connect from")
	flag.IntVar(&c.sample, "sample", 1, "record the latency of one payload in so many")
	flag.Parse()

	fn, ok := tests[*test]
	if !ok {
		return fmt.Errorf("no test %q", *test)
	}
	ctx, cancel := context.WithTimeout(context.Background(), *timeout)
	defer cancel()
	res, err := fn(ctx, &c)
	if err != nil {
		return fmt.Errorf("%s: %w", *test, err)
	}
	res.Test = *test
	return json.NewEncoder(os.Stdout).Encode(res)
}

// options says what the connections of a test do.
func (c *config) options(echo bool) wsload.Options {
	room := func(int) string { return c.room }
	if c.rooms > 0 {
		room = func(i int) string { return c.room + strconv.Itoa(i%c.rooms) }
	}
	o := wsload.Options{
		Addr: c.addr, Conns: c.conns, Subprotocol: c.subprotocol,
		AppPing: c.appPing, AppPong: c.appPong, EchoSize: c.size,
		Window: c.window, Loops: c.loops, Sources: c.sources, Sample: c.sample, Recorder: latency.Recorder,
	}
	query := ""
	if echo {
		query = "&echo=1"
		o.EchoBefore, o.EchoAfter, _ = strings.Cut(c.echoFrame, "%s")
	}
	o.Path = func(i int) string { return "/ws?room=" + room(i) + query }
	if c.hello != "" || c.join != "" {
		o.Greeting = func(i int) (frames []string) {
			if c.hello != "" {
				frames = append(frames, c.hello)
			}
			if c.join != "" && !echo {
				frames = append(frames, strings.ReplaceAll(c.join, "%s", room(i)))
			}
			return frames
		}
	}
	return o
}
