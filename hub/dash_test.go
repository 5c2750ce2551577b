package hub_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gohubkit/hubkit/dash"
	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/internal/browser"
)

// crowded is the dashboard of a node with 100,000 connections, of which 1,000 are slow, and 20,000 rooms.
func crowded(t testing.TB) http.Handler {
	d, err := dash.New(hub.Crowded(t, 100_000, 1000, 20_000), dash.WithAuthorizer(func(*http.Request) error { return nil }),
		dash.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// crowdedPages are what the dashboard's page asks for, with how many items a page has.
var crowdedPages = []struct {
	path  string
	items int
}{
	{"nodes", 1},
	{"conns?limit=50", 50},
	{"conns?limit=50&slowest=1", 50},
	{"conns?limit=50&session=none", 0},
	{"rooms?limit=50", 50},
	{"rooms?limit=50&largest=1", 50},
	{"rooms?limit=50&largest=1&contains=7", 50},
	{"rooms?room=room+777", 1},
	{"conns?room=room+777", 1},
}

type crowdedPage struct {
	Nodes, Conns, Rooms []json.RawMessage
	Next                string
}

func (p crowdedPage) items() int { return len(p.Nodes) + len(p.Conns) + len(p.Rooms) }

// TestDashCrowded: with 100,000 connections and 20,000 rooms, what the dashboard's page asks for is small, and pages lead through
// all of them. In Chromium the page finds, orders and turns pages.
func TestDashCrowded(t *testing.T) {
	d := crowded(t)
	ask := func(path string) (p crowdedPage, bytes int) {
		t.Helper()
		w := httptest.NewRecorder()
		d.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/dash/api/"+path, http.NoBody))
		if bytes = w.Body.Len(); w.Code != http.StatusOK {
			t.Fatalf("%s: %d %s", path, w.Code, w.Body)
		}
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
			t.Fatal(err)
		}
		return p, bytes
	}
	for _, c := range crowdedPages {
		if p, bytes := ask(c.path); p.items() != c.items || bytes > 64<<10 {
			t.Errorf("%s: %d items in %d bytes", c.path, p.items(), bytes)
		}
	}
	for path, want := range map[string]int{"conns": 100_000, "rooms": 20_000} {
		seen, pages := 0, 0
		for next := ""; ; pages++ {
			p, bytes := ask(fmt.Sprintf("%s?limit=1000&after=%s", path, next))
			if seen += p.items(); bytes > 600<<10 {
				t.Errorf("a page of %s has %d bytes", path, bytes)
			}
			if next = p.Next; next == "" {
				break
			}
		}
		if seen != want || pages > want/500 {
			t.Errorf("%d %s in %d pages", seen, path, pages)
		}
	}
	crowdedInChromium(t, d)
}

func crowdedInChromium(t *testing.T, d http.Handler) {
	t.Helper()
	mux := http.NewServeMux()
	mux.Handle("/dash/", d)
	web := httptest.NewServer(mux)
	defer web.Close()
	tab := browser.Start(t).Open("dash", web.URL+"/dash/")
	tab.Await(`document.getElementById("live").textContent.startsWith("live")`)
	tab.Await(`document.getElementById("nodes").innerText.includes("100K / ")`)
	tab.Screenshot("crowded-overview")
	shows := func(list, order, text string) {
		t.Helper()
		tab.Eval(fmt.Sprintf(`document.getElementById("%[1]s-order").value = %[2]q; document.getElementById("%[1]s-order").dispatchEvent(new Event("change"))`, list, order))
		tab.Await(fmt.Sprintf(`document.getElementById("%s-note").innerText.includes("50 shown") && document.getElementById("%[1]s-table").innerText.includes(%q)`, list, text))
	}
	tab.Eval(`location.hash = "#/conns"`)
	shows("conn", "slowest", "B")
	tab.Screenshot("crowded-slowest")
	shows("conn", "all", "open")
	first := tab.Eval(`document.getElementById("conn-table").innerText`)
	for range 3 {
		before := tab.Eval(`document.getElementById("conn-table").innerText`)
		tab.Eval(`document.getElementById("conn-next").click()`)
		tab.Await(`document.getElementById("conn-table").innerText !== ` + before)
	}
	if last := tab.Eval(`document.getElementById("conn-table").innerText`); last == first {
		t.Error("the pages go around")
	}
	tab.Eval(`location.hash = "#/rooms"`)
	shows("room", "largest", "room ")
	tab.Screenshot("crowded-rooms")
	tab.Fill("room-contains", "room 777")
	tab.Press("Enter", 13)
	tab.Await(`[...document.querySelectorAll("#room-table tbody tr")].every((row) => row.innerText.includes("room 777"))`)
}

// BenchmarkDashCrowded is what an answer of the dashboard costs then, in time and bytes.
func BenchmarkDashCrowded(b *testing.B) {
	d := crowded(b)
	for _, c := range crowdedPages {
		b.Run(c.path, func(b *testing.B) {
			b.ReportAllocs()
			size := 0
			for b.Loop() {
				w := httptest.NewRecorder()
				d.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/dash/api/"+c.path, http.NoBody))
				if size = w.Body.Len(); w.Code != http.StatusOK {
					b.Fatal(w.Body)
				}
			}
			b.ReportMetric(float64(size), "bytes/page")
		})
	}
}
