package web_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/backoff"
	"github.com/gohubkit/hubkit/client"
	"github.com/gohubkit/hubkit/internal/browser"
)

// number is what pages publish: [publisher, n].
type number [2]any

// witness is a client in Go that sees what the server delivers.
type witness struct {
	mu   sync.Mutex
	got  []string
	gaps int
	more chan struct{} // something came
}

func newWitness(t *testing.T, n *node, room string) *witness {
	t.Helper()
	quick, err := backoff.New(backoff.WithCap(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.New("ws://"+n.addr+"/ws", client.WithBackoff(quick))
	if err != nil {
		t.Fatal(err)
	}
	w := &witness{more: make(chan struct{}, 1)}
	sub, err := c.Subscribe(room, func(m client.Message) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.got = append(w.got, string(m.Data))
		select {
		case w.more <- struct{}{}:
		default:
		}
	}, client.OnGap(func(client.Gap) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.gaps++
	}))
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = c.Run(t.Context())
	}()
	t.Cleanup(func() { _ = c.Close(); <-ended })
	if err := sub.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w
}

// awaitMark waits for the message that comes behind everything else.
func (w *witness) awaitMark(t *testing.T) {
	t.Helper()
	w.await(t, func(got []string) bool { return len(got) > 0 && got[len(got)-1] == `["mark",0]` })
}

// awaitMore waits for so many further messages.
func (w *witness) awaitMore(t *testing.T, n int) {
	t.Helper()
	before, _ := w.all()
	w.await(t, func(got []string) bool { return len(got) >= len(before)+n })
}

func (w *witness) await(t *testing.T, done func(got []string) bool) {
	t.Helper()
	for {
		w.mu.Lock()
		n, ok := len(w.got), done(w.got)
		w.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-w.more:
		case <-time.After(20 * time.Second):
			t.Fatalf("the witness waited in vain behind %d messages", n)
		}
	}
}

func (w *witness) all() ([]string, int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.got), w.gaps
}

// report is what a page has noted.
type report struct {
	ID            string
	Sent, Settled int
	Failed        []string
	Got           []number
	Gaps          []any
}

func reportOf(t *testing.T, p *browser.Tab) (r report) {
	t.Helper()
	if err := json.Unmarshal([]byte(p.Eval(`({...page, hub: undefined})`)), &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// check compares what the pages have sent, what the witness has seen, and what each page has got: all of it once, and in one order.
// A page that was closed has sent so many before.
func check(t *testing.T, w *witness, before int, pages ...*browser.Tab) {
	t.Helper()
	sent := before
	for _, p := range pages {
		p.Eval(`page.stop()`)
		p.Await(`page.settled + page.failed.length === page.sent`)
		sent += reportOf(t, p).Sent
	}
	// Nothing may come behind: the mark is the last of all.
	sent++
	pages[0].Eval(`page.mark()`)
	for _, p := range pages {
		p.Await(`page.got.at(-1)?.[0] === "mark"`)
	}
	w.awaitMark(t)
	stored, gaps := w.all()
	if gaps > 0 || len(stored) != sent {
		t.Errorf("the witness has %d messages and %d gaps, %d were sent", len(stored), gaps, sent)
	}
	for _, p := range pages {
		r := reportOf(t, p)
		if len(r.Failed) > 0 || len(r.Gaps) > 0 {
			t.Errorf("page %s: failed %v, gaps %v", r.ID, r.Failed, r.Gaps)
		}
		var got []string
		var own []int
		for _, n := range r.Got {
			text, err := json.Marshal(n)
			if err != nil {
				t.Fatal(err)
			}
			if got = append(got, string(text)); n[0] == r.ID {
				own = append(own, int(n[1].(float64)))
			}
		}
		if !slices.Equal(got, stored) {
			t.Errorf("page %s has %d messages, and not those %d that the witness has", r.ID, len(got), len(stored))
		}
		for i, n := range own {
			if n != i+1 {
				t.Errorf("page %s: its publication %d comes as number %d", r.ID, n, i+1)
				break
			}
		}
		t.Logf("page %s: %d sent, %d got", r.ID, r.Sent, len(got))
	}
}

func openPages(t *testing.T, nodes []*node, room string) (w *witness, ada, bob *browser.Tab) {
	t.Helper()
	w = newWitness(t, nodes[1], room)
	b := browser.Start(t)
	ada, bob = b.Open("ada", nodes[0].url(room)), b.Open("bob", nodes[1].url(room))
	for _, p := range []*browser.Tab{ada, bob} {
		p.Await(`window.page?.hub.room(` + fmt.Sprintf("%q", room) + `).status === "joined"`)
	}
	for _, p := range []*browser.Tab{ada, bob} {
		p.Eval(`page.start(20)`)
	}
	return w, ada, bob
}

func status(s string) string { return `page.hub.state.status === "` + s + `"` }

// TestServerKilled: two pages at two nodes, one of which is killed, and then shut down, and comes back.
func TestServerKilled(t *testing.T) {
	t.Parallel()
	nodes := newNodes(t, "a", "b")
	w, ada, bob := openPages(t, nodes, "room:1")
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
	check(t, w, 0, ada, bob)
}

// TestPageGoes: a page is frozen and thawed, goes to another page and back, is loaded again, and loses the network.
func TestPageGoes(t *testing.T) {
	t.Parallel()
	nodes := newNodes(t, "a", "b")
	w, ada, bob := openPages(t, nodes, "room:2")
	ada.Await(`page.got.length > 50`)

	ada.Do("Page.setWebLifecycleState", map[string]any{"state": "frozen"}, nil)
	w.awaitMore(t, 100)
	ada.Do("Page.setWebLifecycleState", map[string]any{"state": "active"}, nil)
	// Chromium ends the WebSocket of a page that it freezes, and calls the page hidden from then on.
	ada.Await(status("open") + ` && page.states.length > 2 && page.got.length > 150`)
	t.Logf("thawed, states %s", ada.Eval(`page.states`))

	count := ada.Eval(`page.got.length`)
	ada.Eval(`location.assign("/other.html")`)
	ada.Await(`location.pathname === "/other.html"`)
	w.awaitMore(t, 20)
	ada.Eval(`history.back()`) // from the back/forward cache
	ada.Await(status("open") + ` && page.got.length > ` + count)
	t.Logf("back, states %s", ada.Eval(`page.states`))

	ada.Eval(`page.stop()`)
	ada.Await(`page.settled === page.sent`)
	ada.Reload()
	ada.Await(status("open"))
	ada.Eval(`page.start(20)`)

	bob.Do("Network.enable", nil, nil)
	for _, offline := range []bool{true, false} {
		bob.Do("Network.emulateNetworkConditions", map[string]any{
			"offline": offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1,
		}, nil)
		bob.Await(fmt.Sprintf(`navigator.onLine === %t`, !offline))
		w.awaitMore(t, 20)
	}
	bob.Await(status("open"))
	t.Logf("online, states %s", bob.Eval(`page.states`))
	check(t, w, 0, ada, bob)
}
