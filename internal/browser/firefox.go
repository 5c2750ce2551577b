package browser

import (
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/gohubkit/hubkit/internal/testenv"
)

// Firefox is a headless Firefox, driven by WebDriver BiDi (https://www.w3.org/TR/webdriver-bidi/).
type Firefox struct {
	t      testing.TB
	ws     *websocket.Conn
	mu     sync.Mutex // one command at a time
	nextID int
}

// StartFirefox starts one that ends with the test. Its tabs have no DevTools: Do, Press, Screenshot and the like are Chromium's.
func StartFirefox(t testing.TB) *Firefox {
	t.Helper()
	const ready = "WebDriver BiDi listening on "
	proc := testenv.Start(t, testenv.Command{
		Path:  testenv.RequireTool(t, "firefox-esr"),
		Args:  []string{"--headless", "--no-remote", "--remote-debugging-port=0", "--profile", t.TempDir()},
		Env:   []string{"HOME=" + t.TempDir()},
		Ready: func(line string) bool { return strings.HasPrefix(line, ready) },
	})
	url := strings.TrimPrefix(proc.ReadyLine(), ready) + "/session"
	ws, res, err := websocket.DefaultDialer.DialContext(t.Context(), url, nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	t.Cleanup(func() { _ = ws.Close() })
	f := &Firefox{t: t, ws: ws}
	if err := f.do("session.new", map[string]any{"capabilities": map[string]any{}}, nil); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *Firefox) do(method string, params map[string]any, out any) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.nextID++
	if err := f.ws.WriteJSON(map[string]any{"id": f.nextID, "method": method, "params": params}); err != nil {
		return err
	}
	for {
		var m struct {
			Type, Message string
			ID            int
			Result        json.RawMessage
		}
		if err := f.ws.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
			return err
		}
		if err := f.ws.ReadJSON(&m); err != nil {
			return err
		}
		switch {
		case m.ID != f.nextID: // an event
		case m.Type == "error":
			return errors.New(m.Message)
		case out == nil:
			return nil
		default:
			return json.Unmarshal(m.Result, out)
		}
	}
}

// Open opens a page. name is what failures call it.
func (f *Firefox) Open(name, url string) *Tab {
	f.t.Helper()
	var made struct{ Context string }
	if err := f.do("browsingContext.create", map[string]any{"type": "tab"}, &made); err != nil {
		f.t.Fatal(err)
	}
	p := &Tab{t: f.t, name: name}
	p.evaluate = func(expression string) (string, error) { return f.evaluate(made.Context, expression) }
	if err := f.do("browsingContext.navigate", map[string]any{"context": made.Context, "url": url, "wait": "complete"}, nil); err != nil {
		f.t.Fatal(err)
	}
	return p
}

func (f *Firefox) evaluate(context, expression string) (string, error) {
	var r struct {
		Type             string
		Result           struct{ Value string }
		ExceptionDetails struct{ Text string }
	}
	err := f.do("script.evaluate", map[string]any{
		"expression":   `(async () => JSON.stringify(await (` + expression + `)) ?? "null")()`,
		"target":       map[string]any{"context": context},
		"awaitPromise": true, "userActivation": true,
	}, &r)
	if err == nil && r.Type == "exception" {
		err = errors.New(r.ExceptionDetails.Text)
	}
	return r.Result.Value, err
}
