//go:build firefox

package web_test

import (
	"fmt"
	"testing"

	"github.com/gohubkit/hubkit/internal/browser"
)

// TestFirefox: two pages at two nodes, one of which is killed, and then shut down, and comes back.
func TestFirefox(t *testing.T) {
	nodes := newNodes(t, "a", "b")
	w := newWitness(t, nodes[1], "room:1")
	f := browser.StartFirefox(t)
	t.Log(f.Open("version", nodes[0].url("room:1")).Eval(`navigator.userAgent`))
	ada, bob := f.Open("ada", nodes[0].url("room:1")), f.Open("bob", nodes[1].url("room:1"))
	for _, p := range []*browser.Tab{ada, bob} {
		p.Await(`window.page?.hub.room("room:1").status === "joined"`)
	}
	for _, p := range []*browser.Tab{ada, bob} {
		p.Eval(`page.start(20)`)
	}
	ada.Await(`page.got.length > 50`)
	nodes[0].proc.Kill()
	ada.Await(status("waiting") + ` || ` + status("connecting"))
	w.awaitMore(t, 20)
	nodes[0].start()
	ada.Await(status("open"))
	nodes[0].proc.Stop()
	ada.Await(`!(` + status("open") + `)`)
	nodes[0].start()
	ada.Await(status("open"))
	check(t, w, 0, ada, bob)
}

// TestFirefoxTabs: tabs on one connection, in a worker and in one of them, which goes to another page.
func TestFirefoxTabs(t *testing.T) {
	nodes := newNodes(t, "a", "b")
	f := browser.StartFirefox(t)
	for _, mode := range []string{"worker", "tab"} {
		t.Run(mode, func(t *testing.T) {
			room := "room:" + mode
			w := newWitness(t, nodes[1], room)
			url := "http://" + nodes[0].addr + "/page.html?shared=" + mode + "#" + room
			var tabs []*browser.Tab
			for n := range 3 {
				tabs = append(tabs, f.Open(fmt.Sprintf("tab %d", n), url))
			}
			for _, p := range tabs {
				p.Await(fmt.Sprintf(`window.page?.hub.room(%q).status === "joined"`, room))
			}
			nodes[0].awaitConns("1")
			for _, p := range tabs {
				p.Eval(`page.start(50)`)
			}
			for _, p := range tabs {
				p.Await(`page.got.length > 60`)
			}
			gone, rest := tabs[0], tabs[1:]
			if mode == "tab" && gone.Eval(`page.leads()`) != "true" {
				t.Fatal("the first tab does not hold the connection")
			}
			gone.Eval(`page.stop()`)
			gone.Await(`page.settled === page.sent`)
			before := reportOf(t, gone).Sent
			gone.Eval(`void location.assign("/other.html")`)
			w.awaitMore(t, 60)
			for _, p := range rest {
				p.Await(status("open"))
			}
			nodes[0].awaitConns("1")
			check(t, w, before, rest...)
			for _, p := range rest {
				p.Eval(`page.hub.close()`)
			}
			nodes[0].awaitConns("0")
		})
	}
}
