// Package browser drives a headless Chromium for tests, by the DevTools protocol
// (https://chromedevtools.github.io/devtools-protocol/).
package browser

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/gohubkit/hubkit/internal/testenv"
)

// Browser is a headless Chromium.
type Browser struct {
	t  testing.TB
	ws *websocket.Conn

	mu      sync.Mutex
	nextID  int
	answers map[int]chan answer
	faults  []string // what went wrong in a page
	broken  error    // why there are no more answers
}

type answer struct {
	Result json.RawMessage
	Error  *struct{ Message string }
}

// Start starts one that ends with the test. The test fails if a page throws an exception or breaks its security policy.
func Start(t testing.TB) *Browser {
	t.Helper()
	const ready = "DevTools listening on "
	proc := testenv.Start(t, testenv.Command{
		Path: testenv.RequireTool(t, "chromium"),
		Args: []string{
			"--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic", "--no-first-run",
			"--disable-background-networking", "--disable-component-update", "--disable-sync", "--lang=en-US",
			"--user-data-dir=" + t.TempDir(), "--remote-debugging-port=0", "about:blank",
		},
		Ready: func(line string) bool { return strings.HasPrefix(line, ready) },
	})
	ws, res, err := websocket.DefaultDialer.DialContext(t.Context(), strings.TrimPrefix(proc.ReadyLine(), ready), nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	b := &Browser{t: t, ws: ws, answers: make(map[int]chan answer)}
	var reading sync.WaitGroup
	reading.Go(b.read)
	t.Cleanup(func() {
		_ = ws.Close()
		reading.Wait()
		for _, f := range b.faults {
			t.Error(f)
		}
	})
	return b
}

func (b *Browser) read() {
	for {
		var m struct {
			ID     int
			Method string
			Params json.RawMessage
			answer
		}
		err := b.ws.ReadJSON(&m)
		b.mu.Lock()
		if err != nil {
			b.broken = err
			for _, c := range b.answers {
				close(c)
			}
			b.mu.Unlock()
			return
		}
		if c := b.answers[m.ID]; c != nil {
			delete(b.answers, m.ID)
			c <- m.answer
		}
		if f := fault(m.Method, m.Params); f != "" {
			b.faults = append(b.faults, f)
		}
		b.mu.Unlock()
	}
}

// fault finds exceptions of the page, and what its security policy forbade.
func fault(method string, params json.RawMessage) string {
	switch method {
	case "Runtime.exceptionThrown":
		return fmt.Sprintf("exception in the page: %s", params)
	case "Log.entryAdded":
		var p struct {
			Entry struct{ Source, Level, Text string }
		}
		if err := json.Unmarshal(params, &p); err != nil {
			return err.Error()
		}
		// That the network fails, or another origin refuses, is what these tests are about.
		if p.Entry.Level == "error" && p.Entry.Source != "network" && !strings.Contains(p.Entry.Text, "blocked by CORS policy") {
			return fmt.Sprintf("error in the page: %s: %s", p.Entry.Source, p.Entry.Text)
		}
	}
	return ""
}

// do sends a command and decodes its result into out, unless that is nil.
func (b *Browser) do(session, method string, params map[string]any, out any) {
	b.t.Helper()
	if err := b.try(session, method, params, out); err != nil {
		b.t.Fatalf("%s %v: %v", method, params, err)
	}
}

func (b *Browser) try(session, method string, params map[string]any, out any) error {
	ctx, cancel := context.WithTimeout(b.t.Context(), 20*time.Second)
	defer cancel()
	c := make(chan answer, 1)
	b.mu.Lock()
	b.nextID++
	command := map[string]any{"id": b.nextID, "method": method, "params": params}
	if session != "" {
		command["sessionId"] = session
	}
	err := b.broken
	if err == nil {
		b.answers[b.nextID] = c
		err = b.ws.WriteJSON(command)
	}
	b.mu.Unlock()
	if err != nil {
		return err
	}
	select {
	case a, ok := <-c:
		switch {
		case !ok:
			return errors.New("the browser is gone")
		case a.Error != nil:
			return errors.New(a.Error.Message)
		case out != nil:
			return json.Unmarshal(a.Result, out)
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Tab is a page.
type Tab struct {
	browser               *Browser
	t                     testing.TB
	name, target, session string
	profile               string
	evaluate              func(expression string) (string, error)
}

// Open opens a page in a browser profile of its own. name is what failures call it.
func (b *Browser) Open(name, url string) *Tab {
	b.t.Helper()
	var profile struct{ BrowserContextID string }
	b.do("", "Target.createBrowserContext", nil, &profile)
	return b.open(name, url, profile.BrowserContextID)
}

// Beside opens another page in the profile of this one.
func (p *Tab) Beside(name, url string) *Tab {
	p.t.Helper()
	return p.browser.open(name, url, p.profile)
}

func (b *Browser) open(name, url, profile string) *Tab {
	b.t.Helper()
	var made struct{ TargetID string }
	b.do("", "Target.createTarget", map[string]any{"url": "about:blank", "browserContextId": profile,
		"newWindow": true, "width": 960, "height": 640}, &made)
	var attached struct{ SessionID string }
	b.do("", "Target.attachToTarget", map[string]any{"targetId": made.TargetID, "flatten": true}, &attached)
	p := &Tab{browser: b, t: b.t, name: name, target: made.TargetID, session: attached.SessionID, profile: profile}
	p.evaluate = p.evaluateByDevTools
	for _, domain := range []string{"Runtime", "Log", "Page"} {
		p.Do(domain+".enable", nil, nil)
	}
	p.Do("Page.navigate", map[string]any{"url": url}, nil)
	p.Await(`document.readyState === "complete"`)
	return p
}

// Do sends a command of the DevTools protocol to the page, and decodes its result into out unless that is nil.
func (p *Tab) Do(method string, params map[string]any, out any) {
	p.t.Helper()
	p.browser.do(p.session, method, params, out)
}

// Eval returns the value of an expression, in JSON.
func (p *Tab) Eval(expression string) string {
	p.t.Helper()
	value, err := p.evaluate(expression)
	if err != nil {
		p.t.Fatalf("%s: %s: %v", p.name, expression, err)
	}
	return value
}

// Into decodes the value of an expression into out.
func (p *Tab) Into(expression string, out any) {
	p.t.Helper()
	if err := json.Unmarshal([]byte(p.Eval(expression)), out); err != nil {
		p.t.Fatalf("%s: %s: %v", p.name, expression, err)
	}
}

func (p *Tab) evaluateByDevTools(expression string) (string, error) {
	var r struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails json.RawMessage
	}
	params := map[string]any{"expression": expression, "returnByValue": true, "awaitPromise": true, "userGesture": true}
	err := p.browser.try(p.session, "Runtime.evaluate", params, &r)
	if err == nil && r.ExceptionDetails != nil {
		err = errors.New(string(r.ExceptionDetails))
	}
	return string(r.Result.Value), err
}

// Await waits until an expression is true. An error means that it is not, as in a page that is just loading.
func (p *Tab) Await(expression string) {
	p.t.Helper()
	p.Until(20*time.Second, expression)
}

// Until is Await with a time of its own.
func (p *Tab) Until(patience time.Duration, expression string) {
	p.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		value, err := p.evaluate(expression)
		if err == nil && value == "true" {
			return
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("%s waited in vain for %s (%v); the page says:\n%s", p.name, expression, err, p.Eval("document.body.innerText"))
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// Reload loads the page again and waits for it.
func (p *Tab) Reload() {
	p.t.Helper()
	p.Eval("window.before = true")
	p.Do("Page.reload", nil, nil)
	p.Await(`window.before === undefined && document.readyState === "complete"`)
}

// Fill puts text where the cursor is put, in place of what is there.
func (p *Tab) Fill(id, text string) {
	p.t.Helper()
	p.Eval(`document.getElementById("` + id + `").select()`)
	p.Do("Input.insertText", map[string]any{"text": text}, nil)
}

// Press presses and releases a key.
func (p *Tab) Press(key string, code int) {
	p.t.Helper()
	down := map[string]any{"type": "keyDown", "key": key, "code": key, "windowsVirtualKeyCode": code}
	if key == "Enter" {
		down["text"] = "\r"
	}
	p.Do("Input.dispatchKeyEvent", down, nil)
	p.Do("Input.dispatchKeyEvent", map[string]any{"type": "keyUp", "key": key, "code": key, "windowsVirtualKeyCode": code}, nil)
}

// Screenshot takes one, and keeps it in the folder that HUBKIT_SCREENSHOTS names.
func (p *Tab) Screenshot(name string) {
	p.t.Helper()
	var shot struct{ Data string }
	p.Do("Page.captureScreenshot", nil, &shot)
	png, err := base64.StdEncoding.DecodeString(shot.Data)
	if err != nil {
		p.t.Fatal(err)
	}
	dir := os.Getenv("HUBKIT_SCREENSHOTS") // to look at them
	if dir == "" {
		dir = p.t.TempDir()
	}
	//nolint:gosec // The test names the file.
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// Close closes the page.
func (p *Tab) Close() {
	p.t.Helper()
	p.browser.do("", "Target.closeTarget", map[string]any{"targetId": p.target}, nil)
}
