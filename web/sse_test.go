package web_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/internal/browser"
)

// TestWebSocketBlocked: two pages at two nodes, behind something that lets no WebSocket through. Event streams take over: what the pages
// publish comes once and in order, while one node is killed, drained and comes back, and over a reload.
func TestWebSocketBlocked(t *testing.T) {
	t.Parallel()
	nodes := newNodes(t, "a", "b")
	const room = "room:1"
	w := newWitness(t, nodes[1], room)
	b := browser.Start(t)
	blocked := func(n *node) string { return strings.Replace(n.url(room), "#", "?sse=1&ws=/blocked#", 1) }
	ada, bob := b.Open("ada", blocked(nodes[0])), b.Open("bob", blocked(nodes[1]))
	for _, p := range []*browser.Tab{ada, bob} {
		p.Await(`window.page?.hub.room("room:1").status === "joined"`)
	}
	for _, p := range []*browser.Tab{ada, bob} {
		p.Eval(`page.start(20)`)
	}
	ada.Await(`page.got.length > 50`)
	nodes[0].proc.Kill()
	ada.Await(status("waiting") + ` || ` + status("connecting"))
	bob.Await(status("open"))
	w.awaitMore(t, 20)
	nodes[0].start()
	ada.Await(status("open"))
	nodes[0].proc.Stop() // drains
	ada.Await(`!(` + status("open") + `)`)
	nodes[0].start()
	ada.Await(status("open"))
	w.awaitMore(t, 20)
	ada.Eval(`page.stop()`)
	ada.Await(`page.settled + page.failed.length === page.sent`)
	w.awaitMore(t, 20)
	ada.Reload()
	ada.Await(`window.page?.hub.room("room:1").status === "joined"`)
	w.awaitMore(t, 20)
	check(t, w, 0, ada, bob)
}

// TestWebSocketNotBlocked: where a WebSocket comes through, it is one.
func TestWebSocketNotBlocked(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	h := s.hub(t, "/ws")
	p := browser.Start(t).Open("ada", s.page("sse=1"))
	p.Await(`window.page?.hub.room("room:1").status === "joined"`)
	p.Eval(`page.hub.publish("room:1", [page.id, 1])`)
	p.Await(`page.got.length === 1`)
	if st := h.Stats(); st.Accepted != 1 || st.Posts.Refused != 0 || st.Received < 2 {
		t.Errorf("%+v", st)
	}
}

// TestPostRefusedForTheRate: beside a stream, a publication that is refused for the rate is sent again, and the page's next ones wait.
func TestPostRefusedForTheRate(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	h := s.hub(t, "/ws", hub.WithRateLimit(2, 5))
	s.mux.Handle("/events", h.SSE())
	s.mux.Handle("/post", h.Post())
	s.mux.HandleFunc("/blocked", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no upgrades here", http.StatusBadRequest) })
	p := browser.Start(t).Open("ada", s.page("sse=1&ws=/blocked"))
	p.Await(`window.page?.hub.room("room:1").status === "joined"`)
	// Requests from one address are counted together: these leave nothing for the page.
	for status := 0; status != http.StatusTooManyRequests; {
		answer, err := s.Client().Post(s.URL+"/post?room=room:other", "application/json", strings.NewReader("1"))
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		status = answer.StatusCode
	}
	before := h.Stats().Limited
	p.Eval(`Promise.all([0, 1, 2, 3, 4, 5].map((n) => page.hub.publish("room:1", [page.id, n])))`)
	p.Await(`page.got.length === 6`)
	if got := p.Eval(`page.got.map(([, n]) => n)`); got != "[0,1,2,3,4,5]" {
		t.Errorf("they came as %s", got)
	}
	if h.Stats().Limited == before {
		t.Error("none was refused")
	}
}
