package benchserver_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gohubkit/hubkit/bench/internal/benchserver"
	"github.com/gohubkit/hubkit/internal/payload"
)

// recorder is a Backend that remembers.
type recorder struct {
	mu    sync.Mutex
	sent  map[string][]string
	room  string
	echo  bool
	fault error
}

func (r *recorder) ServeWS(_ http.ResponseWriter, _ *http.Request, room string, echo bool) {
	r.room, r.echo = room, echo
}

func (r *recorder) Publish(_ context.Context, room string, p []byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.sent == nil {
		r.sent = make(map[string][]string)
	}
	r.sent[room] = append(r.sent[room], string(p))
	return r.fault
}

func (r *recorder) Conns() int   { return 7 }
func (r *recorder) Drops() int64 { return 8 }

func call(t *testing.T, b benchserver.Backend, method, target, body string, v any) int {
	t.Helper()
	w := httptest.NewRecorder()
	benchserver.Handler(b).ServeHTTP(w, httptest.NewRequest(method, target, strings.NewReader(body)))
	if v != nil {
		if err := json.Unmarshal(w.Body.Bytes(), v); err != nil {
			t.Fatalf("%s: %v in %q", target, err, w.Body)
		}
	}
	return w.Code
}

func TestBenchSpreadsOverRooms(t *testing.T) {
	b := &recorder{}
	var res benchserver.BenchResult
	call(t, b, http.MethodPost, "/bench?room=r&n=7&size=40&rooms=3&rate=100000", "", &res)
	if res.Published != 7 || res.Errors != 0 {
		t.Errorf("%+v", res)
	}
	for room, want := range map[string]int{"r0": 3, "r1": 2, "r2": 2} {
		if len(b.sent[room]) != want {
			t.Errorf("%d messages to %s, want %d", len(b.sent[room]), room, want)
		}
		for _, m := range b.sent[room] {
			if _, ok := payload.Time([]byte(m)[len(payload.Mark):]); len(m) != 40 || !ok {
				t.Errorf("payload %q", m)
			}
		}
	}
}

// Whatever the number of publishers, every message goes out once, and those of a room in the order of
// their stamps.
func TestBenchPublishers(t *testing.T) {
	for _, publishers := range []string{"0", "2", "3", "64"} {
		b := &recorder{}
		var res benchserver.BenchResult
		call(t, b, http.MethodPost, "/bench?room=r&n=1001&rooms=3&publishers="+publishers, "", &res)
		if res.Published != 1001 || res.Errors != 0 {
			t.Errorf("%s publishers: %+v", publishers, res)
		}
		for room, want := range map[string]int{"r0": 334, "r1": 334, "r2": 333} {
			if len(b.sent[room]) != want {
				t.Errorf("%s publishers: %d messages to %s, want %d", publishers, len(b.sent[room]), room, want)
			}
			if !slices.IsSorted(b.sent[room]) {
				t.Errorf("%s publishers: %s out of order", publishers, room)
			}
		}
	}
}

func TestBenchCountsErrors(t *testing.T) {
	b := &recorder{fault: errors.New("no")}
	var res benchserver.BenchResult
	call(t, b, http.MethodPost, "/bench?room=r&n=2", "", &res)
	if res.Published != 0 || res.Errors != 2 || len(b.sent["r"]) != 2 {
		t.Errorf("%+v, sent %v", res, b.sent)
	}
}

func TestBadRequests(t *testing.T) {
	for _, q := range []string{"n=-1", "n=x", "publishers=-1", "rate=-1", "rate=NaN", "rooms=1.5"} {
		if code := call(t, &recorder{}, http.MethodPost, "/bench?"+q, "", nil); code != http.StatusBadRequest {
			t.Errorf("%s: status %d", q, code)
		}
	}
}

func TestPublishAndWS(t *testing.T) {
	b := &recorder{}
	call(t, b, http.MethodPost, "/publish?room=x", "hello", nil)
	if want := map[string][]string{"x": {"hello"}}; !reflect.DeepEqual(b.sent, want) {
		t.Errorf("sent %v, want %v", b.sent, want)
	}
	call(t, b, http.MethodGet, "/ws?room=y&echo=1", "", nil)
	if b.room != "y" || !b.echo {
		t.Errorf("room %q, echo %t", b.room, b.echo)
	}
	b.fault = errors.New("no")
	if code := call(t, b, http.MethodPost, "/publish?room=x", "", nil); code != http.StatusInternalServerError {
		t.Errorf("status %d for a failed publish", code)
	}
}

func TestStats(t *testing.T) {
	var s benchserver.Stats
	call(t, &recorder{}, http.MethodGet, "/stats?gc=1", "", &s)
	if s.Conns != 7 || s.Drops != 8 {
		t.Errorf("conns %d, drops %d", s.Conns, s.Drops)
	}
	if s.RSSKB < 100 || s.HeapInuse == 0 || s.Goroutines == 0 || s.NumGC == 0 || s.CPU() <= 0 {
		t.Errorf("%+v", s)
	}
}
