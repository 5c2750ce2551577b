package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/gohubkit/hubkit/internal/testenv"
)

// A browser keeps the cookie that a handshake is answered with, and sends it with the next. So the page is led back to
// its node, and as that drains, to another; and it misses nothing.
func TestBrowser(t *testing.T) {
	t.Parallel()
	r := start(t, "nginx-cookie", "-drain", "100ms", "-tick", "20ms")
	const ready = "DevTools listening on "
	proc := testenv.Start(t, testenv.Command{
		Path: testenv.RequireTool(t, "chromium"),
		Args: []string{
			"--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic", "--no-first-run",
			"--disable-background-networking", "--disable-component-update", "--disable-sync",
			"--user-data-dir=" + t.TempDir(), "--remote-debugging-port=0", "http://" + r.addr + "/",
		},
		Ready: func(line string) bool { return strings.HasPrefix(line, ready) },
	})
	tools, err := url.Parse(strings.TrimPrefix(proc.ReadyLine(), ready))
	if err != nil {
		t.Fatal(err)
	}
	p := openPage(t, tools.Host)
	eventually(t, "the page to come back twice", func() bool {
		r.do("roll", "all nodes are new")
		return len(r.handshakes()) > 2
	})
	was := p.number("received")
	eventually(t, "the page to receive", func() bool { return p.number("received") > was+10 })
	if n := p.number("missed"); n != 0 {
		t.Errorf("the page has missed %d messages:\n%s", n, p.text("log"))
	}

	r.stop()
	all := r.handshakes()
	t.Logf("handshakes: %+v", all)
	want := "-"
	for i, h := range all {
		if h.cookie != want || want != "-" && !slices.Contains(h.nodes, want) {
			t.Errorf("handshake %d: want the cookie %q and its node asked, got %+v", i, want, h)
		}
		if h.answers[len(h.answers)-1] == "101" { // or all is over
			want = h.nodes[len(h.nodes)-1]
		}
	}
}

// page is what the browser shows, by way of the DevTools protocol
// (https://chromedevtools.github.io/devtools-protocol/).
type page struct {
	t  *testing.T
	ws *websocket.Conn
	id int
}

func openPage(t *testing.T, tools string) *page {
	t.Helper()
	type tab struct{ Type, WebSocketDebuggerURL string }
	var tabs []tab
	web := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	eventually(t, "a page in the browser", func() bool {
		res, err := web.Get("http://" + tools + "/json/list")
		if err != nil {
			return false
		}
		defer func() { _ = res.Body.Close() }()
		tabs = tabs[:0]
		if err := json.NewDecoder(res.Body).Decode(&tabs); err != nil {
			t.Fatal(err)
		}
		// The browser has parts of its own that are listed too.
		tabs = slices.DeleteFunc(tabs, func(tab tab) bool { return tab.Type != "page" })
		return len(tabs) == 1
	})
	ws, res, err := websocket.DefaultDialer.DialContext(t.Context(), tabs[0].WebSocketDebuggerURL, nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	t.Cleanup(func() { _ = ws.Close() })
	return &page{t: t, ws: ws}
}

// text returns what an element says; nothing while there is none.
func (p *page) text(element string) string {
	p.t.Helper()
	p.id++
	err := p.ws.WriteJSON(map[string]any{"id": p.id, "method": "Runtime.evaluate", "params": map[string]any{
		"expression": fmt.Sprintf("document.getElementById(%q)?.innerText", element),
	}})
	if err != nil {
		p.t.Fatal(err)
	}
	if err := p.ws.SetReadDeadline(time.Now().Add(patience)); err != nil {
		p.t.Fatal(err)
	}
	for {
		var answer struct {
			ID     int
			Result struct{ Result struct{ Value string } }
		}
		if err := p.ws.ReadJSON(&answer); err != nil {
			p.t.Fatal(err)
		}
		if answer.ID == p.id {
			return answer.Result.Result.Value
		}
	}
}

func (p *page) number(element string) int {
	p.t.Helper()
	n, err := strconv.Atoi(p.text(element))
	if err != nil {
		p.t.Fatalf("%s: %v", element, err)
	}
	return n
}
