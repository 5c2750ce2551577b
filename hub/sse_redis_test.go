package hub_test

import (
	"context"
	"log/slog"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/broker/redis"
	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/internal/redistest"
	"github.com/gohubkit/hubkit/internal/testenv"
)

// TestSSESurvivesServers: a stream in three rooms goes from node to node, each of which is killed while messages are published. All
// messages come once, in order.
func TestSSESurvivesServers(t *testing.T) {
	r := redistest.Start(t)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	serve := func() (*testenv.Process, *streams) {
		p := testenv.Start(t, testenv.Command{
			Path:  exe,
			Env:   []string{childEnv + "=" + confinedJob, childSize + "=0", childRedis + "=" + r.Addr()},
			Ready: func(line string) bool { return strings.HasPrefix(line, childReady+" ") },
		})
		s := testStreams(t, "http://"+strings.TrimPrefix(p.ReadyLine(), childReady+" ")+"/sse")
		return p, s
	}
	b, err := redis.New([]string{r.Addr()}, redis.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		t.Fatal(err)
	}
	publisher := start(t, hub.WithNode("publisher"), hub.WithBroker(b), hub.WithRooms("kept:*", hub.DefaultHistory()))
	rooms := []string{"kept:a", "kept:b", "kept:c"}
	ctx, stop := context.WithCancel(t.Context())
	published := make([]int, len(rooms))
	// Half of what a room keeps may be published and not read, so that a node which starts slowly makes no gap.
	ahead := make(map[string]chan struct{}, len(rooms))
	var wg sync.WaitGroup
	for i, room := range rooms {
		unread := make(chan struct{}, 500)
		ahead[room] = unread
		wg.Go(func() {
			for {
				select {
				case unread <- struct{}{}:
				case <-ctx.Done():
					return
				}
				if _, err := publisher.Publish(t.Context(), room, []byte(strconv.Itoa(published[i]+1))); err != nil {
					t.Errorf("publish: %v", err)
					return
				}
				published[i]++
				time.Sleep(time.Millisecond)
			}
		})
	}
	defer wg.Wait()
	defer stop()

	query := "room=" + strings.Join(rooms, "&room=") + "&history=1000"
	got := map[string]int{}
	take := func(e *eventStream) bool {
		t.Helper()
		ev, err := e.read()
		switch {
		case err != nil:
			return false
		case ev.name == "gap":
			t.Fatal(ev)
		case ev.name != "message":
			return true
		}
		f := ev.frame(t)
		n, err := strconv.Atoi(string(f.Data))
		if room := string(f.Room); err != nil || n != got[room]+1 {
			t.Fatalf("%s after %d: %s", room, got[room], ev)
		}
		got[string(f.Room)]++
		<-ahead[string(f.Room)]
		return true
	}
	id := ""
	const nodes = 4
	for node := range nodes {
		process, s := serve()
		e := s.open(query, http.Header{"Last-Event-Id": {id}})
		for more := 200; more > 0; more-- {
			if !take(e) {
				t.Fatal("the stream ended")
			}
		}
		if node < nodes-1 {
			process.Kill()
			for take(e) {
			}
			id = e.lastID
			continue
		}
		stop()
		wg.Wait()
		for i, room := range rooms {
			for got[room] < published[i] {
				if !take(e) {
					t.Fatal("the stream ended")
				}
			}
		}
		process.Kill()
		if ev, err := e.read(); err == nil && ev.name == "message" {
			t.Errorf("one more: %s", ev)
		}
	}
	for i, room := range rooms {
		if got[room] != published[i] || published[i] == 0 {
			t.Errorf("%s: %d of %d", room, got[room], published[i])
		}
	}
}

// testStreams asks for streams at an address.
func testStreams(t *testing.T, address string) *streams {
	client := &http.Client{Transport: &http.Transport{DisableCompression: true}}
	t.Cleanup(client.CloseIdleConnections)
	return &streams{posts: &posts{t: t, client: client}, address: address}
}
