package web_test

import (
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/internal/browser"
)

// conns asks a node how many connections it has.
func (n *node) conns() string {
	n.t.Helper()
	req, err := http.NewRequestWithContext(n.t.Context(), http.MethodGet, "http://"+n.addr+"/conns", http.NoBody)
	if err != nil {
		n.t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		n.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		n.t.Fatal(err)
	}
	return string(text)
}

func (n *node) awaitConns(want string) {
	n.t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		got := n.conns()
		if got == want {
			return
		}
		if time.Now().After(end) {
			n.t.Fatalf("node %s has %s connections, want %s", n.name, got, want)
		}
	}
}

// TestSharedTabs: five tabs on one connection. The tab that holds it is closed, the next one freezes, and the server is killed.
func TestSharedTabs(t *testing.T) {
	t.Parallel()
	nodes := newNodes(t, "a", "b")
	b := browser.Start(t)
	for _, mode := range []string{"worker", "tab"} {
		t.Run(mode, func(t *testing.T) { testSharedTabs(t, nodes, b, mode) })
	}
}

func testSharedTabs(t *testing.T, nodes []*node, b *browser.Browser, mode string) {
	room := "room:" + mode
	w := newWitness(t, nodes[1], room)
	url := "http://" + nodes[0].addr + "/page.html?shared=" + mode + "#" + room
	tabs := []*browser.Tab{b.Open("tab 0", url)}
	for n := 1; n < 5; n++ {
		tabs = append(tabs, tabs[0].Beside(fmt.Sprintf("tab %d", n), url))
	}
	open := func() {
		t.Helper()
		for _, p := range tabs {
			p.Await(status("open") + fmt.Sprintf(` && page.hub.room(%q).status === "joined"`, room))
		}
		nodes[0].awaitConns("1")
	}
	// holder returns the tab that holds the connection, and the others. In a worker no tab does. While it passes from one to the next,
	// none may.
	holder := func() (holder *browser.Tab, others []*browser.Tab) {
		t.Helper()
		for deadline := time.Now().Add(30 * time.Second); holder == nil; time.Sleep(20 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("no tab holds the connection")
			}
			others = nil
			for _, p := range tabs {
				if holder == nil && (mode == "worker" || p.Eval(`page.leads()`) == "true") {
					holder = p
				} else {
					others = append(others, p)
				}
			}
		}
		return holder, others
	}
	open()
	for _, p := range tabs {
		p.Eval(`page.start(50)`)
	}
	for _, p := range tabs {
		p.Await(`page.got.length > 100`)
	}

	first, rest := holder()
	first.Eval(`page.stop()`)
	first.Await(`page.settled === page.sent`)
	before := reportOf(t, first).Sent
	first.Close()
	tabs = rest
	open()
	for _, p := range tabs {
		p.Await(fmt.Sprintf(`page.got.length > %d`, before+200))
	}

	second, rest := holder()
	second.Do("Page.setWebLifecycleState", map[string]any{"state": "frozen"}, nil)
	for _, p := range rest {
		count := p.Eval(`page.got.length`)
		p.Await(status("open") + ` && page.got.length > 100 + ` + count)
	}
	nodes[0].awaitConns("1")
	second.Do("Page.setWebLifecycleState", map[string]any{"state": "active"}, nil)
	open()

	nodes[0].proc.Kill()
	for _, p := range tabs {
		p.Await(`!(` + status("open") + `)`)
	}
	nodes[0].start()
	open()
	check(t, w, before, tabs...)
	for _, p := range tabs {
		t.Logf("states %s", p.Eval(`page.states`))
		p.Close()
	}
	nodes[0].awaitConns("0")
}
