//go:build unix

package hub_test

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/gohubkit/hubkit/internal/redistest"
	"github.com/gohubkit/hubkit/internal/testenv"
	"github.com/gorilla/websocket"
)

// TestFewDescriptors: with 256 descriptors, hard limit and soft, the hub bounds itself below that, and whoever comes
// beyond the bound is refused politely, while everything else that needs a descriptor has one.
func TestFewDescriptors(t *testing.T) {
	r := redistest.Start(t)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := testenv.Start(t, testenv.Command{
		Path:  "/bin/sh",
		Args:  []string{"-c", `ulimit -S -n 256 && ulimit -H -n 256 && exec "$0"`, exe},
		Env:   []string{childEnv + "=" + confinedJob, childSize + "=0", childRedis + "=" + r.Addr()},
		Ready: func(line string) bool { return strings.HasPrefix(line, childReady+" ") },
	})
	addr := strings.TrimPrefix(p.ReadyLine(), childReady+" ")
	web := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	health := func() (ready bool, bound, conns int) {
		t.Helper()
		res, err := web.Get("http://" + addr + "/healthz")
		if err != nil {
			t.Fatalf("/healthz: %v", err)
		}
		defer res.Body.Close() //nolint:errcheck // it is read
		if _, err := fmt.Fscanf(res.Body, "ready=%t bound=%d conns=%d", &ready, &bound, &conns); err != nil {
			t.Fatal(err)
		}
		return ready, bound, conns
	}
	open := func() (ws *websocket.Conn, status int, retryAfter string) {
		t.Helper()
		ws, res, err := websocket.DefaultDialer.Dial("ws://"+addr+"/ws", nil)
		if res == nil {
			t.Fatalf("no answer: %v", err)
		}
		if ws != nil {
			t.Cleanup(func() { _ = ws.Close() })
		}
		_ = res.Body.Close()
		return ws, res.StatusCode, res.Header.Get("Retry-After")
	}
	refused := func() {
		t.Helper()
		if ws, status, after := open(); ws != nil || status != http.StatusServiceUnavailable || after == "" {
			t.Fatalf("beyond the bound: %d, Retry-After %q", status, after)
		}
	}

	_, bound, _ := health()
	if bound < 100 || bound >= 256 {
		t.Fatalf("the bound is %d", bound)
	}
	conns := make([]*websocket.Conn, bound)
	for i := range conns {
		if conns[i], _, _ = open(); conns[i] == nil {
			t.Fatalf("connection %d of %d refused", i+1, bound)
		}
	}
	for range 200 { // more than there are descriptors kept back, one after the other
		refused()
	}
	if _, _, n := health(); n != bound {
		t.Errorf("%d connections, want %d", n, bound)
	}

	// Many more connections than there are descriptors say nothing, which the hub never hears of.
	for range 400 {
		mute, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = mute.Close() })
	}
	refused()
	if _, _, n := health(); n != bound {
		t.Errorf("%d connections, want %d", n, bound)
	}

	// What the hub subscribes to and publishes goes over Redis, and does so again after a restart.
	c := &client{t: t, ws: conns[0]}
	c.welcomed()
	c.ask(`{"op":"join","id":1,"room":"news"}`)
	echo := func(text string) {
		t.Helper()
		await(t, text+" is heard", func() bool {
			c.write(`{"op":"publish","id":2,"room":"news","data":"` + text + `"}`)
			for {
				switch f := c.read(); {
				case f.Op == "error":
					return false
				case f.Op == "message" && string(f.Data) == `"`+text+`"`:
					return true
				}
			}
		})
	}
	echo("before")
	r.Kill()
	await(t, "Redis is missed", func() bool { ready, _, _ := health(); return !ready })
	refused()
	r.Restart()
	await(t, "Redis is back", func() bool { ready, _, _ := health(); return ready })
	echo("after")

	// One leaves, and the next one gets in.
	_ = conns[bound-1].Close()
	await(t, "there is capacity", func() bool { ws, _, _ := open(); return ws != nil })
	refused()
	for _, ws := range conns[1:3] {
		(&client{t: t, ws: ws}).welcomed()
	}
	out := p.Output()
	if strings.Contains(out, "too many open files") {
		t.Errorf("descriptors ran out:\n%s", out)
	}
	if !strings.Contains(out, "connections are safe if idle, 12,000 bytes each: RLIMIT_NOFILE is 256 descriptors") {
		t.Errorf("it did not say what it found:\n%s", out)
	}
}
