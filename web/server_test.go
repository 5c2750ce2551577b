package web_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/gohubkit/hubkit/broker/redis"
	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/internal/redistest"
	"github.com/gohubkit/hubkit/internal/testenv"
)

// asNode makes the test binary a node of a service: its name, address and Redis, by spaces.
const asNode = "HUBKIT_WEB_NODE"

func TestMain(m *testing.M) {
	if conf := os.Getenv(asNode); conf != "" {
		if err := serveNode(strings.Fields(conf)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	// Package ants, under the worker pool, starts goroutines when it is imported.
	testenv.Main(m, goleak.IgnoreCurrent())
}

func serveNode(conf []string) error {
	b, err := redis.New([]string{conf[2]})
	if err != nil {
		return err
	}
	h, err := hub.New(
		hub.WithBroker(b), hub.WithNode(conf[0]), hub.WithDrain(200*time.Millisecond),
		hub.WithRooms("room:*", hub.History(100_000, time.Hour), hub.Presence()), hub.WithOpenRooms("room:*"),
	)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/ws", h)
	mux.Handle("/events", h.SSE())
	mux.Handle("/post", h.Post())
	mux.HandleFunc("/blocked", func(w http.ResponseWriter, r *http.Request) { // what a proxy makes of WebSockets
		if r.Header.Get("Upgrade") != "" {
			http.Error(w, "no upgrades here", http.StatusBadRequest)
			return
		}
		h.ServeHTTP(w, r)
	})
	mux.Handle("/hubkit/", hub.Script())
	mux.HandleFunc("/conns", func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, h.Stats().Conns) })
	mux.Handle("/", http.FileServer(http.Dir("testdata")))
	ln, err := net.Listen("tcp", conf[1])
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	go func() {
		<-stop
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = h.Shutdown(ctx)
		_ = srv.Close()
	}()
	fmt.Println("ready")
	if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// node is a node that a test starts again and again on the same port.
type node struct {
	t           *testing.T
	name, addr  string
	redis       string
	proc        *testenv.Process
	reservation io.Closer
}

func newNodes(t *testing.T, names ...string) []*node {
	t.Helper()
	store := redistest.Start(t)
	nodes := make([]*node, len(names))
	for i, name := range names {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		nodes[i] = &node{t: t, name: name, addr: ln.Addr().String(), redis: store.Addr(), reservation: ln}
	}
	for _, n := range nodes {
		_ = n.reservation.Close()
		n.start()
	}
	return nodes
}

func (n *node) start() {
	n.t.Helper()
	self, err := os.Executable()
	if err != nil {
		n.t.Fatal(err)
	}
	n.proc = testenv.Start(n.t, testenv.Command{
		Path:  self,
		Env:   []string{asNode + "=" + n.name + " " + n.addr + " " + n.redis},
		Ready: func(line string) bool { return line == "ready" },
	})
}

func (n *node) url(room string) string { return "http://" + n.addr + "/page.html#" + room }
