package main

import (
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/gohubkit/hubkit/internal/testenv"
)

func TestPlainClients(t *testing.T) {
	s := startServer(t)
	ada, guest := s.dial("ada"), s.dial("")

	ada.send(`{"op":"join","id":1,"room":"chat:lobby"}`)
	ada.await("ok")
	guest.send(`{"op":"join","id":1,"room":"chat:lobby"}`)
	guest.await("ok")
	var who struct {
		User string
		Info struct{ Name string }
	}
	f := ada.await("join")
	for f.Room == "chat:lobby" && json.Unmarshal(f.Data, &who) == nil && who.User == "ada" {
		f = ada.await("join") // Her own may come first.
	}
	if !strings.HasPrefix(who.Info.Name, "guest-") {
		t.Errorf("a client without a name came as %s, want guest-…", f.Data)
	}

	const data = `{ "any": ["JSON", 1.50] }`
	guest.send(`{"op":"publish","id":2,"room":"chat:lobby","data":` + data + `}`)
	if f := ada.await("message"); string(f.Data) != data || f.Offset != 1 {
		t.Errorf("message %s at %d, want %s at 1, untouched", f.Data, f.Offset, data)
	}
	guest.send(`{"op":"join","id":3,"room":"secret"}`)
	for f = guest.next(); f.ID != 3; f = guest.next() {
	}
	if f.Code != "forbidden" {
		t.Errorf("joining a room outside chat: gave %+v, want forbidden", f)
	}
}

func TestMessageTooLarge(t *testing.T) {
	s := startServer(t)
	c := s.dial("ada")
	c.send(`{"op":"publish","id":1,"room":"chat:lobby","data":"` + strings.Repeat("x", maxMessage) + `"}`)
	if code := c.closeCode(t.Context()); code != 1009 {
		t.Errorf("closed with %d, want 1009", code)
	}
}

func TestNames(t *testing.T) {
	for _, tt := range []struct {
		name string
		ok   bool
	}{
		{"ada", true}, {"Ada L.", true}, {"Zoë O'Hara-Ng", true}, {"李雷", true}, {"7", true},
		{strings.Repeat("x", 24), true}, {strings.Repeat("x", 25), false},
		{" ada", false}, {"<b>", false}, {"a\nb", false}, {"a\u202eb", false}, {"\xff", false},
	} {
		r := &http.Request{URL: &url.URL{RawQuery: url.Values{"name": {tt.name}}.Encode()}}
		id, err := introduce(r)
		if (err == nil) != tt.ok {
			t.Errorf("introduce(%q) = %+v, %v", tt.name, id, err)
		}
		if err == nil && (id.User != tt.name || !json.Valid(id.Info)) {
			t.Errorf("introduce(%q) = %q, %s", tt.name, id.User, id.Info)
		}
	}

	s := startServer(t)
	_, res, err := websocket.DefaultDialer.Dial("ws://"+s.addr+"/ws?name=%3Cb%3E", nil)
	if err == nil || res.StatusCode != http.StatusBadRequest {
		t.Fatalf("a bad name: %v, %v, want status 400", res, err)
	}
	_ = res.Body.Close()
}

func TestPageAndProbes(t *testing.T) {
	s := startServer(t)
	for _, tt := range []struct {
		path   string
		status int
		holds  string
	}{
		{"", http.StatusOK, "<!doctype html>"},
		{"hubkit/hubkit.js", http.StatusOK, "hubkit.v1"},
		{"healthz", http.StatusOK, "ok\n"},
		{"readyz", http.StatusOK, "ready\n"},
		{"main.go", http.StatusNotFound, ""},
	} {
		status, body, _ := s.get(tt.path)
		if status != tt.status || !strings.Contains(body, tt.holds) {
			t.Errorf("GET /%s: %d %.60q, want %d with %q", tt.path, status, body, tt.status, tt.holds)
		}
	}
	if _, _, h := s.get(""); !strings.Contains(h.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Errorf("the page's headers: %v", h)
	}
}

// A restart keeps the history and the positions; a crash loses both, and says so.
func TestHistoryOverRestart(t *testing.T) {
	s := startServer(t)
	c := s.dial("ada")
	c.send(`{"op":"publish","id":1,"room":"chat:lobby","data":"one"}`)
	before := c.await("ok")
	s.stop()

	s.start()
	if _, err := os.Stat(s.state); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the state file is still there after the start: %v", err)
	}
	c = s.dial("ada")
	c.send(`{"op":"publish","id":1,"room":"chat:lobby","data":"two"}`)
	if f := c.await("ok"); f.Epoch != before.Epoch || f.Offset != 2 {
		t.Errorf("position %s/%d after the restart, want %s/2", f.Epoch, f.Offset, before.Epoch)
	}
	c.send(`{"op":"join","id":2,"room":"chat:lobby","history":10}`)
	for _, want := range []string{`"one"`, `"two"`} {
		if f := c.await("message"); string(f.Data) != want {
			t.Errorf("history has %s, want %s", f.Data, want)
		}
	}

	s.proc.Kill()
	s.start()
	c = s.dial("ada")
	c.send(`{"op":"join","id":1,"room":"chat:lobby","epoch":"` + before.Epoch + `","offset":2}`)
	if f := c.await("gap"); f.Epoch == before.Epoch {
		t.Errorf("the epoch after a crash is still %s", f.Epoch)
	}
}

func TestCorruptState(t *testing.T) {
	s := newServer(t)
	if err := os.MkdirAll(filepath.Dir(s.state), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.state, []byte("not a snapshot"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.start()
	if kept, err := os.ReadFile(s.state + ".corrupt"); err != nil || string(kept) != "not a snapshot" {
		t.Errorf("the corrupt file was not moved aside: %q, %v", kept, err)
	}
	s.dial("ada")
	s.stop()
	if out := s.proc.Output(); !strings.Contains(out, "empty history") {
		t.Errorf("no word of the corrupt file in the output:\n%s", out)
	}
}

// A server that cannot have its port must not use the history up.
func TestPortTaken(t *testing.T) {
	s := startServer(t)
	s.stop()
	ln, err := net.Listen("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	if err := run(t.Context(), []string{"-addr", s.addr, "-state", s.state}, t.Output()); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("a server on a taken port: %v", err)
	}
	if _, err := os.Stat(s.state); err != nil {
		t.Errorf("the history is gone: %v", err)
	}
}

func TestSecondSignalCutsTheDrain(t *testing.T) {
	s := startServer(t, "-drain", "10m")
	first, second := s.dial("ada"), s.dial("bob")
	if err := s.proc.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := first.closeCode(t.Context()); code != 1012 {
		t.Errorf("the first connection was closed with %d, want 1012", code)
	}
	if status, _, _ := s.get("readyz"); status != http.StatusServiceUnavailable {
		t.Errorf("/readyz while draining: %d, want 503", status)
	}
	if err := s.proc.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-s.proc.Done():
	case <-time.After(20 * time.Second):
		t.Fatal("still there after the second signal")
	}
	_ = second.ws.Close()
	if _, err := os.Stat(s.state); err != nil {
		t.Errorf("the history was not saved: %v", err)
	}
}

func startRedis(t *testing.T, addr string) *testenv.Process {
	t.Helper()
	_, port, _ := strings.Cut(addr, ":")
	return testenv.Start(t, testenv.Command{
		Path:  testenv.RequireTool(t, "redis-server"),
		Args:  []string{"--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", t.TempDir()},
		Ready: func(line string) bool { return strings.Contains(line, "Ready to accept connections") },
	})
}

func TestTwoServersOnRedis(t *testing.T) {
	addr := newServer(t).addr
	startRedis(t, addr)
	a, b := startServer(t, "-redis", addr, "-node", "a"), startServer(t, "-redis", addr, "-node", "b")
	ada, bob := a.dial("ada"), b.dial("bob")
	for _, c := range []*plain{ada, bob} {
		c.send(`{"op":"join","id":1,"room":"chat:lobby"}`)
		c.await("ok")
	}
	ada.send(`{"op":"publish","room":"chat:lobby","data":"over"}`)
	if f := bob.await("message"); string(f.Data) != `"over"` {
		t.Errorf("node b got %s", f.Data)
	}
	bob.send(`{"op":"presence","id":2,"room":"chat:lobby"}`)
	if f := bob.await("ok"); !strings.Contains(string(f.Data), `"ada"`) || !strings.Contains(string(f.Data), `"bob"`) {
		t.Errorf("presence on node b: %s", f.Data)
	}
}

func TestBadArguments(t *testing.T) {
	for _, args := range [][]string{{"-nonsense"}, {"stray"}, {"-addr", "nowhere"}, {"-addr", "127.0.0.1:0", "-state", "-", "-node", "a\nb"}} {
		if err := run(t.Context(), args, t.Output()); err == nil {
			t.Errorf("run(%q) = nil", args)
		}
	}
}
