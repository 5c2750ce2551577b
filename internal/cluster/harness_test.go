package cluster_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/internal/redistest"
	"github.com/gohubkit/hubkit/internal/testenv"
	"github.com/gohubkit/hubkit/protocol"
)

// patience is how long a test waits for what must come.
const patience = 30 * time.Second

func eventually(t testing.TB, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// node is a hub in a process of its own.
type node struct {
	t    testing.TB
	name string
	args []string
	proc *testenv.Process
	addr atomic.Value // string: another after every restart
}

// at is where the node listens.
func (n *node) at() string { return n.addr.Load().(string) }

// startNode starts a node on the Redis servers at addrs. It ends with the test.
func startNode(t testing.TB, name string, addrs []string, args ...string) *node {
	t.Helper()
	n := &node{t: t, name: name, args: append([]string{"-node", name, "-redis", strings.Join(addrs, ",")}, args...)}
	n.start()
	t.Cleanup(n.stop)
	return n
}

// startNodes starts nodes on one server.
func startNodes(t testing.TB, r *redistest.Server, names ...string) []*node {
	t.Helper()
	return startNodesWith(t, r, nil, names...)
}

// hasty has a node notice within little time that Redis hangs.
var hasty = []string{"-dial", "2s", "-io", "1500ms"}

func startNodesWith(t testing.TB, r *redistest.Server, args []string, names ...string) []*node {
	t.Helper()
	nodes := make([]*node, len(names))
	for i, name := range names {
		nodes[i] = startNode(t, name, []string{r.Addr()}, args...)
	}
	return nodes
}

// start starts the node, again where it was stopped or killed.
func (n *node) start() {
	n.t.Helper()
	self, err := os.Executable()
	if err != nil {
		n.t.Fatal(err)
	}
	const ready = "node at "
	n.proc = testenv.Start(n.t, testenv.Command{
		Path: self, Args: n.args, Env: []string{asNode + "=1"},
		Ready:     func(line string) bool { return strings.HasPrefix(line, ready) },
		StopGrace: patience, // a node with thousands of connections takes its time
	})
	n.addr.Store(strings.TrimPrefix(n.proc.ReadyLine(), ready))
}

// stop ends the node in order, and wants it to end well.
func (n *node) stop() {
	select {
	case <-n.proc.Done():
		return // killed, or stopped before
	default:
	}
	n.proc.Stop()
	if err := n.proc.Wait(context.Background()); err != nil {
		n.t.Errorf("node %s ended with %v", n.name, err)
	}
}

// web keeps no connection: nodes die.
var web = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 15 * time.Second}

// ask asks the node for something and decodes the answer into out. A node that says that its broker is lost is an
// error that matches broker.ErrUnavailable.
func (n *node) ask(out any, path, body string, args ...string) error {
	q := make(url.Values)
	for i := 0; i < len(args); i += 2 {
		q.Set(args[i], args[i+1])
	}
	res, err := web.Post("http://"+n.at()+path+"?"+q.Encode(), "", strings.NewReader(body))
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	switch {
	case err != nil:
		return err
	case res.StatusCode == http.StatusServiceUnavailable:
		return fmt.Errorf("node %s: %w: %s", n.name, broker.ErrUnavailable, text)
	case res.StatusCode != http.StatusOK:
		return errors.New("node " + n.name + ": " + string(text))
	case out == nil:
		return nil
	}
	return json.Unmarshal(text, out)
}

// must is ask for what has to succeed.
func must[T any](n *node, path, body string, args ...string) (out T) {
	n.t.Helper()
	if err := n.ask(&out, path, body, args...); err != nil {
		n.t.Fatal(err)
	}
	return out
}

func (n *node) publish(room, data string) broker.Position {
	n.t.Helper()
	return must[broker.Result](n, "/publish", data, "room", room).Position
}

func (n *node) ready() bool      { n.t.Helper(); return must[bool](n, "/ready", "") }
func (n *node) stats() nodeStats { n.t.Helper(); return must[nodeStats](n, "/stats", "") }

// awaitUsers waits until the node sees just these users in a room, one connection each.
func (n *node) awaitUsers(room string, users ...string) {
	n.t.Helper()
	var last protocol.Presence
	eventually(n.t, fmt.Sprintf("%v in %s", users, room), func() bool {
		if last = (protocol.Presence{}); n.ask(&last, "/presence", "", "room", room) != nil || last.Count != len(users) {
			return false
		}
		for _, u := range users {
			found := false
			for _, m := range last.Members {
				found = found || m.User == u
			}
			if !found {
				return false
			}
		}
		return true
	})
}

// subscribers is how many nodes Redis would hand a room's message to.
func subscribers(r *redistest.Server, room string) string {
	_, n, _ := strings.Cut(r.Do("PUBSUB", "NUMSUB", "hubkit:{"+room+"}"), "\n")
	return n
}

// channels is how many channels the connections of a node are subscribed to.
func channels(t testing.TB, r *redistest.Server, name string) (n int) {
	t.Helper()
	for line := range strings.Lines(r.Do("CLIENT", "LIST", "TYPE", "PUBSUB")) {
		fields := strings.Fields(line)
		mine, subs := false, 0
		for _, f := range fields {
			if v, ok := strings.CutPrefix(f, "sub="); ok {
				var err error
				if subs, err = strconv.Atoi(v); err != nil {
					t.Fatal(err)
				}
			}
			mine = mine || f == "name="+name
		}
		if mine {
			n += subs
		}
	}
	return n
}
