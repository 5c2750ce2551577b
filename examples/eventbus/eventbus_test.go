package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/gohubkit/hubkit/client"
	"github.com/gohubkit/hubkit/internal/redistest"
	"github.com/gohubkit/hubkit/internal/testenv"
	"github.com/gohubkit/hubkit/protocol"
)

// asService makes the test binary the example itself.
const asService = "HUBKIT_EXAMPLE_EVENTBUS"

func TestMain(m *testing.M) {
	if os.Getenv(asService) != "" {
		main()
		return
	}
	testenv.Main(m, goleak.IgnoreCurrent())
}

const patience = 20 * time.Second

// start starts one of the two services and returns its host and port.
func start(t *testing.T, r *redistest.Server, which string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := testenv.Start(t, testenv.Command{
		Path:  self,
		Args:  []string{which, "-addr", "127.0.0.1:0", "-redis", r.Addr()},
		Env:   []string{asService + "=1"},
		Ready: func(line string) bool { return strings.HasPrefix(line, "eventbus: ") },
	})
	t.Cleanup(func() {
		p.Stop()
		if err := p.Wait(context.Background()); err != nil {
			t.Errorf("%s ended with %v", which, err)
		}
	})
	_, host, _ := strings.Cut(p.ReadyLine(), "http://")
	return host
}

func put(t *testing.T, api, id, body string, want int) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://"+api+"/orders/"+id, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if text, _ := io.ReadAll(res.Body); res.StatusCode != want {
		t.Fatalf("PUT %s %s: %d %s, want %d", id, body, res.StatusCode, text, want)
	}
}

// join makes a client that asks for a room, and returns what became of that.
func join(t *testing.T, hub, room string) (*client.Client, <-chan client.Message, error) {
	t.Helper()
	got := make(chan client.Message, 100)
	c, err := client.New("ws://" + hub + "/ws")
	if err != nil {
		t.Fatal(err)
	}
	sub, err := c.Subscribe(room, func(m client.Message) { got <- m }, client.OnError(func(error) {}))
	if err != nil {
		t.Fatal(err)
	}
	ran := make(chan error, 1)
	go func() { ran <- c.Run(context.Background()) }()
	t.Cleanup(func() {
		_ = c.Close()
		if err := <-ran; !errors.Is(err, client.ErrClosed) {
			t.Errorf("Run: %v", err)
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	return c, got, sub.Ready(ctx)
}

// watching is a client that has joined a room.
func watching(t *testing.T, hub, room string) <-chan client.Message {
	t.Helper()
	_, got, err := join(t, hub, room)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func next(t *testing.T, from <-chan client.Message) client.Message {
	t.Helper()
	select {
	case m := <-from:
		return m
	case <-time.After(patience):
		t.Fatal("no message came")
		return client.Message{}
	}
}

// command returns the redis-cli line of the package comment that contains mark, made to talk to a server.
func command(t *testing.T, r *redistest.Server, mark string) string {
	t.Helper()
	source, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(r.Addr())
	text := strings.ReplaceAll(string(source), "\\\n//", "")
	for line := range strings.Lines(text) {
		args, ok := strings.CutPrefix(line, "//\tredis-cli ")
		if ok && strings.Contains(args, mark) {
			return "redis-cli -h 127.0.0.1 -p " + port + " " + strings.TrimSpace(args)
		}
	}
	t.Fatalf("the package comment has no redis-cli command with %q", mark)
	return ""
}

// shell runs a command at the root of the module, as its documentation says.
func shell(t *testing.T, line string) string {
	t.Helper()
	testenv.RequireTool(t, "redis-cli")
	cmd := exec.CommandContext(t.Context(), "sh", "-c", line)
	cmd.Dir = "../.."
	out, err := cmd.CombinedOutput()
	if err != nil || strings.Contains(string(out), "ERR") {
		t.Fatalf("%s: %v\n%s", line, err, out)
	}
	return strings.TrimSpace(string(out))
}

// What is written to the API reaches a client of the hub, two processes away.
func TestWriteIsDelivered(t *testing.T) {
	r := redistest.Start(t)
	hub, api := start(t, r, "hub"), start(t, r, "api")
	put(t, api, "7", `{"status":"packed"}`, http.StatusOK)
	got := watching(t, hub, "order:7")
	put(t, api, "7", `{"status":"shipped"}`, http.StatusOK)
	put(t, api, "8", `{"status":"packed"}`, http.StatusOK)
	m := next(t, got)
	var o order
	if err := json.Unmarshal(m.Data, &o); err != nil || o != (order{"7", "shipped", 2}) || m.Position.Offset != 2 {
		t.Errorf("message %s at %d, %v; want version 2 of order 7 at 2", m.Data, m.Position.Offset, err)
	}
	put(t, api, "7", `{}`, http.StatusBadRequest)
	put(t, api, strings.Repeat("7", 255), `{"status":"long"}`, http.StatusBadRequest)
}

// The redis-cli commands of the package comment do what it says: the plain one in a room without history, and
// the script in order with what the API publishes, once.
func TestRedisCLI(t *testing.T) {
	r := redistest.Start(t)
	hub, api := start(t, r, "hub"), start(t, r, "api")
	news, orders := watching(t, hub, "news"), watching(t, hub, "order:7")

	if n := shell(t, command(t, r, "PUBLISH 'hubkit:{news}'")); n != "1" {
		t.Errorf("PUBLISH reached %s nodes, want 1", n)
	}
	if m := next(t, news); string(m.Data) != `{"text":"closing at six"}` || !m.Position.IsZero() {
		t.Errorf("message %s at %+v", m.Data, m.Position)
	}

	script := command(t, r, "publish.lua")
	put(t, api, "7", `{"status":"shipped"}`, http.StatusOK)
	first := shell(t, script)
	if again := shell(t, script); strings.TrimSuffix(again, "1")+"0" != first {
		t.Errorf("the same command again answered\n%s\nafter\n%s", again, first)
	}
	put(t, api, "7", `{"status":"returned"}`, http.StatusOK)
	for i, status := range []string{"shipped", "delivered", "returned"} {
		m := next(t, orders)
		var o order
		if err := json.Unmarshal(m.Data, &o); err != nil || o.Status != status || m.Position.Offset != uint64(i+1) {
			t.Fatalf("message %s at %d, %v; want %s at %d", m.Data, m.Position.Offset, err, status, i+1)
		}
	}
	// Who comes later reads the history, the script's message with it.
	var late strings.Builder
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	shown := writer(func(p []byte) (int, error) {
		late.Write(p)
		cancel()
		return len(p), nil
	})
	if err := watch(ctx, "ws://"+hub+"/ws", []string{"order:7"}, shown); err != nil {
		t.Fatal(err)
	}
	if want := `order:7 3 {"id":"7","status":"returned","version":2}`; strings.TrimSpace(late.String()) != want {
		t.Errorf("watch printed %q, want %q", late.String(), want)
	}
}

type writer func([]byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }

// The store takes writes while Redis is away, and says what it has.
func TestWithoutRedis(t *testing.T) {
	r := redistest.Start(t)
	api := start(t, r, "api")
	r.Kill()
	put(t, api, "7", `{"status":"shipped"}`, http.StatusOK)
	res, err := http.Get("http://" + api + "/orders/7")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	var o order
	if err := json.NewDecoder(res.Body).Decode(&o); err != nil || o != (order{"7", "shipped", 1}) {
		t.Errorf("GET: %+v, %v", o, err)
	}
}

func TestBadArguments(t *testing.T) {
	for _, args := range [][]string{
		nil, {"nonsense"}, {"watch"}, {"api", "-nonsense"}, {"watch", "-url", "http://x", "room"},
		{"hub", "-redis", "nowhere"}, {"api", "-redis", "127.0.0.1:1"},
	} {
		if err := run(t.Context(), args, io.Discard); err == nil {
			t.Errorf("run(%q) = nil", args)
		}
	}
}

// A client may listen, and no more.
func TestReadOnly(t *testing.T) {
	r := redistest.Start(t)
	c, _, err := join(t, start(t, r, "hub"), "elsewhere")
	if !isForbidden(err) {
		t.Errorf("joining another room: %v, want forbidden", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := c.Publish(ctx, "news", []byte(`"forged"`)); !isForbidden(err) {
		t.Errorf("publishing: %v, want forbidden", err)
	}
}

func isForbidden(err error) bool {
	e, ok := errors.AsType[*protocol.Error](err)
	return ok && e.Code == protocol.CodeForbidden
}
