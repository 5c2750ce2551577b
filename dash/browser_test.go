package dash_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/dash"
	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/internal/browser"
)

// evil is a room's name, a user's and a payload that would run if it were taken for HTML.
const evil = `<img src=x onerror="window.pwned=1">`

// busy publishes in a room until the test ends.
func busy(t *testing.T, s *site, rooms ...string) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; ctx.Err() == nil; i++ {
			for j, room := range rooms {
				if i%(j+1) == 0 {
					text, _ := json.Marshal(map[string]any{"n": i, "text": evil}) //nolint:errchkjson // strings and numbers
					_, _ = s.hub.Publish(ctx, room, text)
				}
			}
			select {
			case <-ctx.Done():
			case <-time.After(time.Duration(8+6*((i/200)%3)) * time.Millisecond):
			}
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
}

// scheme has the page be light or dark, and as wide as a device.
func look(tab *browser.Tab, scheme string, width, height int) {
	tab.Do("Emulation.setEmulatedMedia", map[string]any{"features": []any{map[string]any{"name": "prefers-color-scheme", "value": scheme}}}, nil)
	tab.Do("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}, nil)
	tab.Await(fmt.Sprintf("innerWidth === %d", width))
}

// fits fails if the page is wider than its window.
func fits(t *testing.T, tab *browser.Tab) {
	t.Helper()
	if got := tab.Eval("document.documentElement.scrollWidth <= innerWidth"); got != "true" {
		t.Errorf("the page is wider than its window: %s", tab.Eval("document.documentElement.scrollWidth"))
	}
}

// TestPage shows two nodes on a Redis in Chromium: figures that move, rooms, a connection, a live tail, and actions. The browser
// fails the test if the page breaks its security policy, or throws.
func TestPage(t *testing.T) {
	all := cluster(t, 2, dash.WithActions(allowAction), dash.WithPayloads(allowRoom), dash.WithDrain(func() {}))
	a := all[0]
	for i, user := range names(12, "user-%02d") {
		a.drop(all[i%2].join(user, "lobby", "kept:news", fmt.Sprintf("game:%d", i%5)))
	}
	a.drop(a.join("", evil, "lobby"))
	busy(t, a, "lobby", "kept:news", evil)
	res := a.do(http.MethodGet, "api/about", "", nil, nil)
	csp := res.Header.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "img-src 'self' data:", "frame-ancestors 'none'"} {
		if !strings.Contains(csp, want) {
			t.Errorf("the policy lacks %s: %s", want, csp)
		}
	}
	b := browser.Start(t)
	tab := b.Open("dash", a.url)
	look(tab, "light", 1280, 900)
	tab.Await(`document.querySelectorAll("#nodes tbody tr").length === 2 && document.getElementById("nodes").innerText.includes("ready")`)
	tab.Await(`document.getElementById("live").textContent === "live, from n1"`)
	tab.Await(`[...document.querySelectorAll(".tile")].some((e) => /Delivered\s*\d+\/s/.test(e.innerText.replace("\n", " ")) && !e.innerText.includes("Delivered\n0/s"))`)
	tab.Await(`document.querySelector(".chart path.s2").getAttribute("d").split("L").length > 8`) // a chart of some seconds
	was := tab.Eval(`document.querySelector(".chart g").getAttribute("transform")`)
	tab.Await(`document.querySelector(".chart g").getAttribute("transform") !== ` + was) // it moves
	fits(t, tab)
	tab.Screenshot("overview-light")
	look(tab, "dark", 1280, 900)
	tab.Eval(`document.querySelector("#nodes a").click()`)
	tab.Await(`document.getElementById("limits").innerText.includes("RLIMIT_NOFILE")`)
	tab.Screenshot("overview-dark")
	look(tab, "dark", 390, 844)
	fits(t, tab)
	tab.Screenshot("overview-phone")

	if os.Getenv("HUBKIT_SCREENSHOTS") != "" { // the documentation's picture has more to show
		look(tab, "light", 1280, 900)
		tab.Eval(`document.querySelector("#nodes a").click()`)
		tab.Until(90*time.Second, `document.querySelector(".chart path.s2").getAttribute("d").split("L").length > 70`)
		tab.Screenshot("picture")
		look(tab, "dark", 390, 844)
	}
	tab.Eval(`location.hash = "#/rooms"`)
	tab.Await(`document.getElementById("room-table").innerText.includes("lobby")`)
	if tab.Eval("window.pwned === undefined && document.querySelectorAll('main img').length === 0") != "true" {
		t.Error("the name of a room was taken for HTML")
	}
	tab.Await(`document.getElementById("room-table").innerText.includes("<img src=x")`)
	fits(t, tab)
	tab.Screenshot("rooms-phone")
	look(tab, "light", 1280, 900)
	tab.Screenshot("rooms-light")
	tab.Fill("room-contains", "game:")
	tab.Press("Enter", 13)
	tab.Await(`!document.getElementById("room-table").innerText.includes("lobby") && document.getElementById("room-table").innerText.includes("game:3")`)

	tab.Eval(`location.hash = "#/room/" + encodeURIComponent(` + quote(evil) + `)`)
	tab.Await(`document.querySelectorAll(".tail li").length > 3 && document.querySelector("#detail h2").textContent === ` + quote(evil))
	tab.Await(`document.querySelector(".tail").innerText.includes("onerror")`)
	tab.Await(`document.querySelector(".facts").innerText.includes("n1 (1)")`)
	if tab.Eval("window.pwned === undefined && document.querySelectorAll('main img').length === 0") != "true" {
		t.Error("a payload was taken for HTML")
	}
	tab.Eval(`location.hash = "#/room/kept%3Anews"`)
	tab.Await(`document.querySelectorAll(".tail li").length > 5 && document.querySelectorAll("#detail tbody tr").length === 12`)
	fits(t, tab)
	tab.Screenshot("room-light")
	look(tab, "dark", 390, 844)
	fits(t, tab)
	tab.Screenshot("room-phone")
	look(tab, "dark", 1280, 900)
	tab.Screenshot("room-dark")

	tab.Eval(`location.hash = "#/conns"`)
	tab.Await(`document.getElementById("conn-table").innerText !== ""`)
	tab.Eval(`document.getElementById("conn-order").value = "all"`)
	tab.Fill("conn-value", "user-03")
	tab.Press("Enter", 13)
	tab.Await(`document.querySelectorAll("#conn-table tbody tr").length === 1 && document.getElementById("conn-table").innerText.includes("user-03")`)
	tab.Screenshot("conns-dark")
	tab.Eval(`document.querySelector("#conn-table tbody a").click()`)
	tab.Await(`document.querySelector("#detail .facts")?.innerText.includes("user-03") && document.querySelectorAll("#detail .buttons button").length === 3`)
	tab.Await(`document.querySelector("#detail .tail")?.innerText.includes("payload hidden") || document.querySelector("#detail .tail")?.innerText.includes("onerror") || document.getElementById("detail").innerText.includes("Open the dashboard of")`)
	tab.Screenshot("conn-dark")
	tab.Eval(`[...document.querySelectorAll("#detail .buttons button")].at(-1).click()`)
	tab.Await(`document.getElementById("confirm").open`)
	tab.Screenshot("confirm-dark")
	tab.Eval(`document.getElementById("confirm-no").click()`)
	tab.Await(`!document.getElementById("confirm").open`)
	if n := len(connsOf(a, "user-03")); n != 1 {
		t.Errorf("after Cancel the user has %d connections", n)
	}
	tab.Eval(`[...document.querySelectorAll("#detail .buttons button")].at(-1).click()`)
	tab.Await(`document.getElementById("confirm").open`)
	tab.Eval(`document.getElementById("confirm-yes").click()`)
	tab.Await(`document.getElementById("toast").textContent !== ""`)
	if got := tab.Eval(`document.getElementById("toast").textContent`); got != `"1 connection closed"` {
		t.Errorf("the page says %s\n%s", got, a.logs)
	}
	eventually(t, "the connection is closed", func() bool { return len(connsOf(a, "user-03")) == 0 })
	tab.Await(`document.getElementById("detail").innerText.includes("The connection is gone")`)
	if n := strings.Count(a.logs.String(), "action=disconnect"); n != 1 {
		t.Errorf("%d disconnects, after one that was canceled and one that was confirmed:\n%s", n, a.logs)
	}
	if tab.Eval("window.pwned === undefined") != "true" {
		t.Error("script of a client has run")
	}
}

// drop reads what comes, as a client does.
func (s *site) drop(ws interface {
	ReadMessage() (int, []byte, error)
	SetReadDeadline(time.Time) error
}) {
	done := make(chan struct{})
	_ = ws.SetReadDeadline(time.Time{})
	go func() {
		defer close(done)
		for {
			if _, _, err := ws.ReadMessage(); err != nil {
				return
			}
		}
	}()
	s.t.Cleanup(func() {
		_ = ws.SetReadDeadline(time.Now())
		<-done
	})
}

func quote(s string) string {
	text, _ := json.Marshal(s) //nolint:errchkjson // a string
	return string(text)
}

func connsOf(s *site, user string) []hub.ConnInfo {
	var p struct{ Conns []hub.ConnInfo }
	s.get("api/conns?user="+user, &p)
	return p.Conns
}

// TestReadOnlyPage: without WithActions there is nothing to press that acts, payloads are hidden, and a page whose rights end says so.
func TestReadOnlyPage(t *testing.T) {
	var out atomic.Bool
	s := start(t, nil, dash.WithAuthorizer(func(*http.Request) error {
		if out.Load() {
			return errors.Join(hub.ErrUnauthorized)
		}
		return nil
	}))
	s.drop(s.join("ada", "r"))
	busy(t, s, "r")
	tab := browser.Start(t).Open("dash", s.url+"#/room/r")
	tab.Await(`document.querySelectorAll(".tail li").length > 3 && document.querySelectorAll("#detail tbody tr").length === 1`)
	tab.Await(`document.getElementById("live").textContent.includes("read-only")`)
	for _, e := range []string{`document.querySelectorAll("button.danger:not(#confirm-yes)").length === 0`, `document.querySelector(".tail").innerText.includes("payload hidden")`,
		`!document.querySelector(".tail").innerText.includes("onerror")`} {
		if tab.Eval(e) != "true" {
			t.Errorf("not %s", e)
		}
	}
	out.Store(true)
	tab.Until(time.Minute, `document.getElementById("live").textContent === "not live" && document.getElementById("trouble").innerText.includes("log in first")`)
	tab.Screenshot("not-live")
}

// TestPageWithoutWebSockets: if a proxy lets no WebSocket through, the page asks each second, says so, and its figures move.
func TestPageWithoutWebSockets(t *testing.T) {
	s := start(t, nil)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" {
			http.Error(w, "no WebSockets here", http.StatusBadRequest)
			return
		}
		s.http.Config.Handler.ServeHTTP(w, r)
	}))
	t.Cleanup(proxy.Close)
	tab := browser.Start(t).Open("dash", proxy.URL+"/admin/hub/")
	tab.Await(`document.getElementById("live").textContent.startsWith("reconnecting, asked each second, from ")`)
	for i := range 2 {
		s.drop(s.join("ada", "r"))
		tab.Await(fmt.Sprintf(`[...document.querySelectorAll(".tile")].some((e) => /Connections\s*%d/.test(e.innerText))`, i+1))
	}
}

// TestFramesPage: the page of a connection shows what it is sent and what it sends, and says so when it ends.
func TestFramesPage(t *testing.T) {
	s := start(t, nil, dash.WithFramePayloads(allowRoom))
	ws := s.join("ada", "lobby")
	s.drop(ws)
	busy(t, s, "lobby")
	tab := browser.Start(t).Open("dash", s.url+"#/conn/"+connsOf(s, "ada")[0].ID)
	look(tab, "light", 1280, 900)
	tab.Await(`document.querySelectorAll(".tail li b.out").length > 5 && document.querySelector(".tail").innerText.includes("onerror")`)
	id := 100
	eventually(t, "pings on the page, which shows so many frames a second", func() bool {
		if err := ws.WriteJSON(map[string]any{"op": "ping", "id": id}); err != nil {
			t.Fatal(err)
		}
		id++
		return tab.Eval(`[...document.querySelectorAll(".tail li")].filter((e) => e.querySelector("b.in") && e.innerText.includes("ping")).length >= 3`) == "true"
	})
	if tab.Eval("window.pwned === undefined && document.querySelectorAll('main img').length === 0") != "true" {
		t.Error("a payload was taken for HTML")
	}
	fits(t, tab)
	tab.Screenshot("frames-light")
	look(tab, "dark", 390, 844)
	fits(t, tab)
	tab.Screenshot("frames-phone")
	_ = ws.Close()
	tab.Await(`document.querySelector("#detail h2 .tag").textContent === "ended"`)
}
