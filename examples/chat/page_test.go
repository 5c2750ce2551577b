package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/gohubkit/hubkit/internal/browser"
)

// tab is a page of the chat.
type tab struct{ *browser.Tab }

// enter opens the page and goes in with the keyboard alone.
func enter(t *testing.T, b *browser.Browser, s *server, name string) tab {
	t.Helper()
	p := tab{b.Open(name, s.url())}
	p.Fill("name", name)
	p.Press("Enter", 13)
	p.awaitState("live")
	p.Await(`document.activeElement.id === "text"`)
	return p
}

func (p tab) awaitState(status string) {
	p.Await(`document.getElementById("state").dataset.status === "` + status + `"`)
}

func (p tab) say(text string) {
	p.Fill("text", text)
	p.Press("Enter", 13)
}

// awaitLog waits until the log is exactly this, line by line; lines still to be sent begin with "…".
func (p tab) awaitLog(lines ...string) {
	p.Await(`JSON.stringify([...document.querySelectorAll("#log > li")].map((li) => li.className === "note" ? "gap"
		: (li.classList.contains("pending") ? "…" : "") + li.querySelector(".by").textContent + ": " + li.querySelector(".body").textContent
		)) === ` + quote(string(mustJSON(lines))))
}

func (p tab) awaitPeople(names ...string) {
	p.Await(`JSON.stringify([...document.querySelectorAll("#people > li")].map((li) => li.textContent)) === ` + quote(string(mustJSON(names))))
}

func mustJSON(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return []byte(strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(string(data)))
}

func quote(s string) string { return string(mustJSON(s)) }

func TestChatInBrowser(t *testing.T) {
	s := startServer(t)
	b := browser.Start(t)

	ada, bob := enter(t, b, s, "Ada"), enter(t, b, s, "Bob")
	ada.awaitPeople("Ada", "Bob")
	bob.awaitPeople("Ada", "Bob")
	const markup = `<img src="x" onerror="alert(1)"> & <b>co</b>`
	ada.say("Hello, Bob!")
	ada.say(markup)
	lines := []string{"Ada: Hello, Bob!", "Ada: " + markup}
	ada.awaitLog(lines...)
	bob.awaitLog(lines...)
	bob.Await(`document.querySelector("#log img, #log b") === null`)
	bob.say("Hi Ada. I will stop the server now; you will not lose a word.")
	lines = append(lines, "Bob: Hi Ada. I will stop the server now; you will not lose a word.")
	ada.awaitLog(lines...)
	ada.Screenshot("live")

	// The server goes, and comes back with its history: what was typed meanwhile arrives, once.
	s.stop()
	ada.awaitState("waiting")
	bob.awaitState("waiting")
	ada.Await(`/^in \d+ s$/.test(document.getElementById("countdown").textContent)`)
	bob.say("typed while it was away")
	bob.awaitLog(append(lines, "…Bob: typed while it was away")...)
	bob.Screenshot("reconnecting")
	s.start()
	lines = append(lines, "Bob: typed while it was away")
	ada.awaitLog(lines...)
	bob.awaitLog(lines...)
	ada.awaitPeople("Ada", "Bob")
	bob.awaitPeople("Ada", "Bob")

	// A newcomer sees what was said, a tab that is loaded again goes back in, and who leaves is gone.
	carol := enter(t, b, s, "Carol")
	carol.awaitLog(lines...)
	carol.Reload()
	carol.awaitState("live")
	carol.awaitLog(lines...)
	ada.awaitPeople("Ada", "Bob", "Carol")
	carol.Close()
	ada.awaitPeople("Ada", "Bob")
	bob.Eval(`document.getElementById("leave").click()`)
	ada.awaitPeople("Ada")
	bob.Await(`document.getElementById("door").hidden === false && document.activeElement.id === "name"`)
	bob.Screenshot("door")

	// A crash loses the history; those who were there are told.
	s.proc.Kill()
	ada.awaitState("waiting")
	s.start()
	ada.awaitLog(append(lines, "gap")...)
	ada.say("still here")
	ada.awaitLog(append(lines, "gap", "Ada: still here")...)
	ada.Do("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": "dark"}}}, nil)
	ada.Do("Emulation.setDeviceMetricsOverride", map[string]any{"width": 390, "height": 700, "deviceScaleFactor": 2, "mobile": true}, nil)
	ada.Screenshot("dark-phone")
}

// A user who drops the connection misses nothing, and is told how many messages were recovered.
func TestDropButton(t *testing.T) {
	s := startServer(t)
	b := browser.Start(t)
	ada, bob := enter(t, b, s, "Ada"), enter(t, b, s, "Bob")
	ada.awaitPeople("Ada", "Bob")
	ada.Eval(`window.shown = []; new MutationObserver(() => shown.push(document.getElementById("status").textContent))
		.observe(document.getElementById("status"), {childList: true, characterData: true, subtree: true})`)
	// What the others do meanwhile may take a busy machine longer than the button keeps Ada away.
	ada.Eval(`{ const real = setTimeout; window.setTimeout = (f, ms, ...args) => real(f, ms >= 2500 ? 4 * ms : ms, ...args) }`)
	ada.Eval(`document.getElementById("drop").click()`)
	ada.awaitState("waiting")
	bob.awaitPeople("Bob")
	for _, text := range []string{"one", "two", "three"} {
		bob.say(text)
	}
	bob.awaitLog("Bob: one", "Bob: two", "Bob: three")
	ada.say("four")
	ada.awaitState("live")
	ada.awaitLog("Bob: one", "Bob: two", "Bob: three", "Ada: four")
	ada.Await(`document.getElementById("status").textContent === "Live, 3 messages recovered"`)
	ada.Await(`shown.includes("Recovering…")`)
	bob.awaitPeople("Ada", "Bob")
	ada.Screenshot("recovered")
}

// When the server loses Redis the page says so, and stays connected.
func TestPageShowsStale(t *testing.T) {
	addr := newServer(t).addr
	redis := startRedis(t, addr)
	s := startServer(t, "-redis", addr)
	b := browser.Start(t)
	p := enter(t, b, s, "Ada")
	p.awaitPeople("Ada")
	redis.Kill()
	p.awaitState("stale")
	startRedis(t, addr)
	p.awaitState("live")
	p.awaitPeople("Ada")
	p.say("back")
	p.Await(`document.querySelector("#log > li:last-child:not(.pending) .body")?.textContent === "back"`)
}

// Other clients publish what they like; the page makes the best of it.
func TestPageTakesAnyMessage(t *testing.T) {
	s := startServer(t)
	b := browser.Start(t)
	p := enter(t, b, s, "Ada")
	c := s.dial("")
	for _, data := range []string{`"bare"`, `null`, `[1,2]`, `{"text":7}`, `{"name":" ","text":"x","at":1e300,"id":{}}`, `{"name":"Bot","text":"y","at":-1}`} {
		c.send(`{"op":"publish","room":"chat:lobby","data":` + data + `}`)
	}
	p.awaitLog("someone: bare", "someone: null", "someone: [1,2]", `someone: {"text":7}`, "someone: x", "Bot: y")
}
