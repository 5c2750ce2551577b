package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image/png"
	"math"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"go.uber.org/goleak"

	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/internal/testenv"
	"github.com/gohubkit/hubkit/protocol"
)

func TestMain(m *testing.M) { testenv.Main(m, goleak.IgnoreCurrent()) }

func start(t *testing.T) (s *server, url string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s, err = newServer(ln)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s, "ws://" + ln.Addr().String() + "/ws"
}

type frame struct {
	Op, Code   string
	ID         int
	RetryAfter int `json:"retry_after_ms"`
	Data       json.RawMessage
}

type conn struct {
	t  *testing.T
	ws *websocket.Conn
}

func dial(t *testing.T, url string) *conn {
	t.Helper()
	ws, res, err := websocket.DefaultDialer.DialContext(t.Context(), url, nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	c := &conn{t, ws}
	t.Cleanup(func() { _ = ws.Close() })
	if f := c.next(); f.Op != "welcome" {
		t.Fatalf("the first frame is %+v, want a welcome", f)
	}
	return c
}

func (c *conn) call(id int, method, data string) {
	c.t.Helper()
	if err := c.ws.WriteMessage(websocket.TextMessage, fmt.Appendf(nil, `{"op":"call","id":%d,"method":%q,"data":%s}`, id, method, data)); err != nil {
		c.t.Fatal(err)
	}
}

func (c *conn) next() frame {
	c.t.Helper()
	if err := c.ws.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		c.t.Fatal(err)
	}
	var f frame
	if err := c.ws.ReadJSON(&f); err != nil {
		c.t.Fatal(err)
	}
	return f
}

// block adds a heavy handler that works until the test lets it end, or nobody waits for it any more.
func block(t *testing.T, s *server) (working, end chan struct{}) {
	t.Helper()
	working, end = make(chan struct{}, 1), make(chan struct{})
	err := s.hub.Handle("block", func(ctx context.Context, _ *hub.Conn, _ []byte) (any, error) {
		working <- struct{}{}
		select {
		case <-end:
		case <-ctx.Done():
		}
		return nil, ctx.Err()
	}, hub.Heavy())
	if err != nil {
		t.Fatal(err)
	}
	return working, end
}

// Other connections are served while the pool works; the same one waits its turn.
func TestLightBesideHeavy(t *testing.T) {
	s, url := start(t)
	working, end := block(t, s)
	busy, other := dial(t, url), dial(t, url)
	busy.call(1, "block", `null`)
	busy.call(2, "mandelbrot", `{"x":2,"width":0.1}`)
	busy.call(3, "echo", `"behind"`)
	<-working
	other.call(1, "echo", `"beside"`)
	if f := other.next(); string(f.Data) != `"beside"` {
		t.Errorf("echo: %+v", f)
	}
	close(end)
	for want := 1; want <= 3; want++ {
		if f := busy.next(); f.Op != "ok" || f.ID != want {
			t.Fatalf("answer %d on the busy connection is to call %d: %s %s", want, f.ID, f.Op, f.Code)
		}
	}
}

func TestBusy(t *testing.T) {
	s, url := start(t)
	block(t, s)
	c := dial(t, url)
	const share = 4 // of a connection, see newServer
	for id := 1; id <= share+1; id++ {
		c.call(id, "block", `null`)
	}
	if f := c.next(); f.ID != share+1 || f.Code != string(protocol.CodeBusy) || f.RetryAfter <= 0 {
		t.Errorf("the first answer is %+v, want call %d to be busy, with a time to come back", f, share+1)
	}
}

func TestMandelbrot(t *testing.T) {
	p, err := mandelbrot(t.Context(), nil, view{})
	if err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(p.PNG))
	if err != nil {
		t.Fatal(err)
	}
	if b := img.Bounds(); b.Dx() != pixelsX || b.Dy() != pixelsY {
		t.Errorf("the picture is %v", b)
	}
	if r, g, b, _ := img.At(pixelsX/2+10, pixelsY/2).RGBA(); r+g+b != 0 {
		t.Error("a point inside the set is not black")
	}
	if r, g, b, _ := img.At(0, 0).RGBA(); r+g+b == 0 {
		t.Error("a point outside the set is black")
	}

	for _, v := range []view{{Width: 9}, {Width: 0, X: 1}, {Width: -1}, {X: 5, Width: 1}, {Y: -5, Width: 1}, {Width: math.NaN()}} {
		if _, err := mandelbrot(t.Context(), nil, v); !errors.Is(err, protocol.CodeBadRequest) {
			t.Errorf("%+v: %v, want bad_request", v, err)
		}
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := mandelbrot(gone, (*hub.Conn)(nil), view{}); !errors.Is(err, context.Canceled) {
		t.Errorf("with nobody waiting: %v", err)
	}
}

func TestMeasure(t *testing.T) {
	var out strings.Builder
	if err := run(t.Context(), []string{"-addr", "127.0.0.1:0", "-callers", "2", "-time", "50ms"}, &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"median", "nothing", "pictures on the pool", "pictures without it"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in the output:\n%s", want, &out)
		}
	}
}

func TestDraw(t *testing.T) {
	file := filepath.Join(t.TempDir(), "mandelbrot.png")
	if err := run(t.Context(), []string{"-addr", "127.0.0.1:0", "-o", file}, t.Output()); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := png.Decode(bytes.NewReader(data)); err != nil {
		t.Error(err)
	}
}

func TestServe(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out strings.Builder
	if err := run(ctx, []string{"-addr", "127.0.0.1:0", "-serve"}, &out); err != nil || !strings.HasPrefix(out.String(), "heavy: ws://") {
		t.Errorf("%q, %v", &out, err)
	}
}

func TestBadArguments(t *testing.T) {
	for _, args := range [][]string{{"-nonsense"}, {"-addr", "nowhere"}, {"-callers", "0"}, {"-time", "0s"}} {
		if err := run(t.Context(), args, t.Output()); err == nil {
			t.Errorf("run(%q) = nil", args)
		}
	}
}
