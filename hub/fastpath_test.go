package hub_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/gohubkit/hubkit/hub"
	"github.com/gorilla/websocket"
)

// plain serves a hub whose options turn every fast path off, exchanges a message with it, and logs to the standard output.
func plain() error {
	h, err := hub.New(
		hub.WithoutFastPaths(hub.FastPathUring, hub.FastPathRawSyscalls, hub.FastPathPoller, hub.FastPathDoor),
		hub.WithOpenRooms("*"),
		hub.WithLogger(slog.New(slog.NewTextHandler(os.Stdout, nil))))
	if err != nil {
		return err
	}
	srv := httptest.NewServer(h)
	defer srv.Close()
	defer func() { _ = h.Close() }()
	ws, res, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(srv.URL, "http"), nil)
	if err != nil {
		return err
	}
	_ = res.Body.Close()
	defer func() { _ = ws.Close() }()
	for _, op := range []string{"welcome", "ok", "message"} {
		_, frame, err := ws.ReadMessage()
		if err != nil || !bytes.HasPrefix(frame, []byte(`{"op":"`+op+`"`)) {
			return fmt.Errorf("got %s, %w, want %s", frame, err, op)
		}
		switch op {
		case "welcome":
			err = ws.WriteMessage(websocket.TextMessage, []byte(`{"op":"join","id":1,"room":"r"}`))
		case "ok":
			_, err = h.Publish(context.Background(), "r", []byte(`1`))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// TestFastPaths: a hub without fast paths serves, and says once what is off, whether an option or the environment said so,
// and what in the environment it did not understand.
func TestFastPaths(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), childEnv+"="+plainJob, childSize+"=0", "HUBKIT_DEBUG=uring=0,epoll=0")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{
		`level=INFO msg="fast paths are turned off"`, `off="[uring rawsys poll door]"`,
		`level=WARN msg="settings in HUBKIT_DEBUG are not understood`, `unknown="[epoll=0]"`,
	} {
		if n := strings.Count(string(out), want); n != 1 {
			t.Errorf("the log has %q %d times:\n%s", want, n, out)
		}
	}
}

func TestFastPathString(t *testing.T) {
	for p, want := range map[hub.FastPath]string{
		hub.FastPathUring: "uring", hub.FastPathRawSyscalls: "rawsys", hub.FastPathPoller: "poll",
		hub.FastPathDoor: "door", 9: "FastPath(9)",
	} {
		if got := p.String(); got != want {
			t.Errorf("%d is %q, want %q", uint8(p), got, want)
		}
	}
}
