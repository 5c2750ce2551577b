package dash_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/gohubkit/hubkit/broker/redis"
	"github.com/gohubkit/hubkit/dash"
	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/internal/redistest"
)

type nodesAnswer struct {
	Nodes []struct {
		hub.NodeInfo
		Drains bool
		Stats  struct {
			Conns       struct{ Open int }
			Published   int64
			Delivered   int64
			BytesOut    int64 `json:"bytes_out"`
			Latency     struct{ Counts []int64 }
			Broker      struct{ Subscribing, SubscribingUp int }
			Descriptors struct{ Open, Limit int }
			Limits      struct {
				Safe   int `json:"safe_conns"`
				Limits []struct{ Name, Value string }
			}
		}
	}
	Silent []string
}

// cluster starts nodes n1, n2 on one Redis.
func cluster(t *testing.T, n int, opts ...dash.Option) (all []*site) {
	t.Helper()
	r := redistest.Start(t)
	for i := range n {
		b, err := redis.New([]string{r.Addr()})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, start(t, []hub.Option{hub.WithBroker(b), hub.WithNode(fmt.Sprint("n", i+1)), hub.WithRooms("kept:*", hub.History(10, time.Hour))}, opts...))
	}
	eventually(t, "the nodes know each other", func() bool {
		nodes, err := all[0].hub.Nodes(t.Context())
		return err == nil && len(nodes) == n
	})
	return all
}

// TestCluster: over a real Redis, each dashboard shows and does what concerns both nodes.
func TestCluster(t *testing.T) {
	drained := make(chan string, 4)
	all := cluster(t, 2, dash.WithActions(allowAction), dash.WithDrain(func() { drained <- "a node" }))
	a, b := all[0], all[1]
	ada, bob := a.join("ada", "r", "kept:1"), b.join("bob", "r")
	var nodes nodesAnswer
	eventually(t, "both nodes answer in time", func() bool {
		nodes = nodesAnswer{}
		a.get("api/nodes", &nodes)
		return len(nodes.Nodes) == 2 && len(nodes.Silent) == 0
	})
	for i, n := range nodes.Nodes {
		if n.Node != fmt.Sprint("n", i+1) || n.Conns != 1 || n.Stats.Conns.Open != 1 || !n.Ready || !n.Drains ||
			n.Stats.BytesOut == 0 || len(n.Stats.Latency.Counts) == 0 || n.Stats.Broker.Subscribing == 0 || len(n.Stats.Limits.Limits) == 0 {
			t.Errorf("%+v", n)
		}
	}
	var rooms struct{ Rooms []hub.RoomInfo }
	b.get("api/rooms?room=r", &rooms)
	if len(rooms.Rooms) != 2 || rooms.Rooms[0].Members != 1 {
		t.Errorf("%+v", rooms)
	}
	var published struct{ Offset uint64 }
	if res := b.post("api/publish", `{"room":"kept:1","data":{"a":[1]}}`, &published); res.StatusCode != http.StatusOK || published.Offset != 1 {
		t.Errorf("%s %+v", res.Status, published)
	}
	if m := await(t, ada, "message"); m["room"] != "kept:1" {
		t.Errorf("%v", m)
	}
	if res := b.post("api/remove", `{"user":"ada","room":"kept:1","reason":"enough"}`, nil); res.StatusCode != http.StatusOK {
		t.Error(res.Status)
	}
	await(t, ada, "left")
	var done hub.Disconnected
	if res := a.post("api/disconnect", `{"user":"bob","code":4100,"reason":"bye"}`, &done); res.StatusCode != http.StatusOK || done.Nodes["n2"] != 1 || done.Nodes["n1"] != 0 {
		t.Errorf("%s %+v", res.Status, done)
	}
	for {
		if _, _, err := bob.ReadMessage(); err != nil {
			if !websocket.IsCloseError(err, 4100) {
				t.Error(err)
			}
			break
		}
	}
	for _, want := range []string{"action=publish", "action=disconnect", "addr=127.0.0.1", "user=bob", "reason=bye"} {
		if !strings.Contains(a.logs.String()+b.logs.String(), want) {
			t.Errorf("the log has nothing of %s:\n%s%s", want, a.logs, b.logs)
		}
	}
	for range 2 { // the second is the same drain
		var said struct {
			Node     string
			Draining bool
		}
		if res := a.post("api/drain", `{"node":"n2"}`, &said); res.StatusCode != http.StatusOK || said.Node != "n2" || !said.Draining {
			t.Errorf("%s %+v", res.Status, said)
		}
	}
	<-drained
	var f failure
	if res := a.post("api/drain", `{"node":"n3"}`, &f); res.StatusCode != http.StatusNotFound || f.Error.Code != "no_such_node" {
		t.Errorf("%s %+v", res.Status, f)
	}
	if len(drained) > 0 {
		t.Error("more than one drain was begun")
	}
}

// TestSilentNode: a node without a dashboard is named, and the others are shown.
func TestSilentNode(t *testing.T) {
	all := cluster(t, 2)
	if err := all[1].hub.HandleSurvey("hubkit.dash.nodes.v1", nil); err != nil {
		t.Fatal(err)
	}
	var nodes nodesAnswer
	all[0].get("api/nodes", &nodes)
	if len(nodes.Nodes) != 1 || !slices.Equal(nodes.Silent, []string{"n2"}) {
		t.Errorf("%+v", nodes)
	}
	var f failure
	one := start(t, nil, dash.WithActions(allowAction))
	if res := one.post("api/drain", fmt.Sprintf(`{"node":%q}`, one.hub.Node()), &f); res.StatusCode != http.StatusConflict || f.Error.Code != "cannot_drain" {
		t.Errorf("%s %+v", res.Status, f)
	}
}

// TestPages: the opaque next leads through all connections, and each filter lists what it names.
func TestPages(t *testing.T) {
	s := start(t, nil)
	for _, user := range names(7, "u%d") {
		s.join(user, "all", "own "+user)
	}
	type page struct {
		Conns []hub.ConnInfo
		Rooms []hub.RoomInfo
		Next  string
	}
	seen := make(map[string]bool)
	for next := ""; ; {
		var p page
		s.get("api/conns?limit=3&after="+next, &p)
		for _, c := range p.Conns {
			if seen[c.User] {
				t.Errorf("%s is listed twice", c.User)
			}
			seen[c.User] = true
		}
		if next = p.Next; next == "" {
			break
		}
	}
	if len(seen) != 7 {
		t.Errorf("%v", seen)
	}
	for path, want := range map[string][2]int{
		"api/conns?user=u3": {1, 0}, "api/conns?room=all": {7, 0}, "api/conns?session=none": {0, 0}, "api/conns?slowest=1": {0, 0}, "api/conns?node=none": {0, 0},
		"api/rooms?largest=1&limit=1": {0, 1}, "api/rooms?contains=own": {0, 7}, "api/rooms?room=all": {0, 1},
	} {
		var p page
		if res := s.do(http.MethodGet, path, "", nil, &p); len(p.Conns) != want[0] || len(p.Rooms) != want[1] {
			t.Errorf("%s: %s, %d connections and %d rooms", path, res.Status, len(p.Conns), len(p.Rooms))
		}
	}
}

// tailOf opens a tail of a room and returns its events.
func (s *site) tailOf(ctx context.Context, room string) (status int, events <-chan string) {
	s.t.Helper()
	return s.tailFrom(ctx, "", "room", room)
}

// tailFrom is tailOf for a room or a connection, as a client of an address that a proxy has told.
func (s *site) tailFrom(ctx context.Context, addr, by, name string) (status int, events <-chan string) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"api/tail?"+by+"="+url.QueryEscape(name), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	if addr != "" {
		r.Header.Set("X-Forwarded-For", addr)
	}
	res, err := http.DefaultClient.Do(r) //nolint:bodyclose // below, in a goroutine
	if err != nil {
		s.t.Fatal(err)
	}
	out := make(chan string, 1000)
	go func() {
		defer close(out)
		defer func() { _ = res.Body.Close() }()
		for in := bufio.NewScanner(res.Body); in.Scan(); {
			if in.Text() != "" { // which ends an event
				out <- in.Text()
			}
		}
	}()
	return res.StatusCode, out
}

// data returns the next message of a tail.
func data(t *testing.T, events <-chan string) (m map[string]any) {
	t.Helper()
	for {
		select {
		case line, ok := <-events:
			if !ok {
				t.Fatal("the tail has ended")
			}
			if text, found := strings.CutPrefix(line, "data: "); found {
				if err := json.Unmarshal([]byte(text), &m); err != nil {
					t.Fatal(err)
				}
				return m
			}
		case <-time.After(10 * time.Second):
			t.Fatal("nothing comes")
		}
	}
}

// TestTail: messages of a room come with their place and size, and with their payload only if that is allowed. Nobody in the room,
// and nobody who counts, sees the tail.
func TestTail(t *testing.T) {
	hidden := start(t, []hub.Option{hub.WithRooms("kept", hub.History(10, time.Hour), hub.Presence())})
	shown := start(t, []hub.Option{hub.WithRooms("kept", hub.History(10, time.Hour))}, dash.WithPayloads(func(_ *http.Request, room string) error {
		if room != "kept" {
			return hub.ErrForbidden
		}
		return nil
	}))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for _, s := range []*site{hidden, shown} {
		status, events := s.tailOf(ctx, "kept")
		if status != 200 || <-events != ": tail" {
			t.Fatal(status)
		}
		if got := s.hub.Room("kept").Members; got != 0 {
			t.Errorf("the tail is a member: %d", got)
		}
		eventually(t, "the room is watched", func() bool { return s.hub.Stats().Rooms == 1 })
		want := `{"a":"<b>"}`
		eventually(t, "the first message comes", func() bool {
			if _, err := s.hub.Publish(t.Context(), "kept", []byte(want)); err != nil {
				t.Fatal(err)
			}
			select {
			case <-events:
				return true
			case <-time.After(50 * time.Millisecond):
				return false
			}
		})
		if _, err := s.hub.Publish(t.Context(), "kept", []byte(want)); err != nil {
			t.Fatal(err)
		}
		m := data(t, events)
		if m["room"] != "kept" || m["offset"].(float64) < 1 || m["epoch"] == "" || m["bytes"] != float64(len(want)) || m["time"] == nil {
			t.Errorf("%v", m)
		}
		if text, _ := json.Marshal(m["data"]); s == shown && fmt.Sprint(m["data"]) != "map[a:<b>]" || s == hidden && m["data"] != nil {
			t.Errorf("%s", text)
		}
		if got := s.hub.Stats().Delivered; got != 0 {
			t.Errorf("%d messages were delivered to nobody", got)
		}
	}
	if status, events := shown.tailOf(ctx, "other"); status != 200 || <-events != ": tail" {
		t.Error(status)
	}
}

// TestTailsAreBounded: there are 16 at once, 8 of them for one address, each shows 50 messages a second and counts the others, and the hub's end ends them.
func TestTailsAreBounded(t *testing.T) {
	s := start(t, []hub.Option{hub.WithTrustedProxies("127.0.0.1/32", "::1/128")})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var all []<-chan string
	for i := range 16 {
		if i == 8 {
			if status, _ := s.tailFrom(ctx, "192.0.2.0", "room", "r"); status != 429 {
				t.Errorf("the 9th of an address is answered with %d", status)
			}
		}
		status, events := s.tailFrom(ctx, fmt.Sprintf("192.0.2.%d", i/8), "room", "r")
		if status != 200 {
			t.Fatal(status)
		}
		all = append(all, events)
	}
	if status, _ := s.tailFrom(ctx, "192.0.2.9", "room", "r"); status != 429 {
		t.Errorf("the 17th is answered with %d", status)
	}
	s.join("ada", "r") // by now all tails are in the room
	sent := int64(0)
	missed, got := int64(0), int64(0)
	for missed == 0 {
		for range 100 {
			if _, err := s.hub.Publish(t.Context(), "r", []byte("1")); err != nil {
				t.Fatal(err)
			}
			sent++
		}
		for more := true; more; {
			select {
			case line := <-all[0]:
				if text, ok := strings.CutPrefix(line, "data: "); ok {
					var m struct{ Missed int64 }
					if err := json.Unmarshal([]byte(text), &m); err != nil {
						t.Fatal(err)
					}
					got++
					missed += m.Missed
				}
			case <-time.After(20 * time.Millisecond):
				more = false
			}
		}
		if sent > 100_000 {
			t.Fatalf("%d messages were sent, %d came and none was left out", sent, got)
		}
	}
	if got+missed > sent {
		t.Errorf("%d came and %d were missed of %d", got, missed, sent)
	}
	if err := s.hub.Close(); err != nil {
		t.Fatal(err)
	}
	for i, events := range all {
		ended := false
		for line := range events {
			ended = ended || line == "event: end"
		}
		if !ended {
			t.Errorf("tail %d is not told of the hub's end", i)
		}
	}
}

// TestNodesAreAskedOnce: whoever asks within a second shares an answer.
func TestNodesAreAskedOnce(t *testing.T) {
	s := start(t, nil)
	asked := make(chan struct{}, 1000)
	if err := s.hub.HandleSurvey("hubkit.dash.nodes.v1", func(context.Context, []byte) (any, error) {
		asked <- struct{}{}
		return s.hub.Info(), nil
	}); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	for range 50 {
		var nodes nodesAnswer
		s.get("api/nodes", &nodes)
		if len(nodes.Nodes) != 1 {
			t.Fatalf("%+v", nodes)
		}
	}
	if most := int(time.Since(began)/time.Second) + 1; len(asked) > most {
		t.Errorf("the node was asked %d times in %v", len(asked), time.Since(began))
	}
}
