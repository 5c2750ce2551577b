package benchserver

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/pprof"
	"strconv"
	"time"

	"github.com/gohubkit/hubkit/bench/internal/payload"
)

// BenchResult is the answer of POST /bench.
type BenchResult struct {
	Published int     `json:"published"`
	Errors    int     `json:"errors"`
	Seconds   float64 `json:"seconds"`
}

// Handler serves the endpoints of the package documentation.
func Handler(b Backend) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ws", func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		b.ServeWS(w, r, q.Get("room"), q.Get("echo") == "1")
	})
	mux.HandleFunc("POST /publish", func(w http.ResponseWriter, r *http.Request) {
		data, err := io.ReadAll(r.Body)
		if err == nil {
			err = b.Publish(r.Context(), r.URL.Query().Get("room"), data)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
	})
	mux.HandleFunc("POST /bench", func(w http.ResponseWriter, r *http.Request) {
		j, err := parseJob(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		writeJSON(w, j.run(r.Context(), b))
	})
	mux.HandleFunc("GET /stats", func(w http.ResponseWriter, r *http.Request) {
		s, err := readStats(r.URL.Query().Get("gc") == "1")
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		s.Conns, s.Drops = b.Conns(), b.Drops()
		writeJSON(w, s)
	})
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	return mux
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

// job is what POST /bench asks for.
type job struct {
	room           string
	n, size, rooms int
	rate           float64
}

func parseJob(r *http.Request) (job, error) {
	q := r.URL.Query()
	j := job{room: q.Get("room")}
	for name, p := range map[string]*int{"n": &j.n, "size": &j.size, "rooms": &j.rooms} {
		s := q.Get(name)
		if s == "" {
			continue
		}
		v, err := strconv.Atoi(s)
		if err != nil || v < 0 {
			return job{}, fmt.Errorf("%s=%q: not a count", name, s)
		}
		*p = v
	}
	if s := q.Get("rate"); s != "" {
		v, err := strconv.ParseFloat(s, 64)
		if err != nil || !(v >= 0) {
			return job{}, fmt.Errorf("rate=%q: not a rate", s)
		}
		j.rate = v
	}
	return j, nil
}

func (j job) run(ctx context.Context, b Backend) BenchResult {
	rooms := []string{j.room}
	if j.rooms > 0 {
		rooms = rooms[:0]
		for i := range j.rooms {
			rooms = append(rooms, j.room+strconv.Itoa(i))
		}
	}
	var res BenchResult
	start := time.Now()
	for i := range j.n {
		if j.rate > 0 {
			time.Sleep(time.Until(start.Add(time.Duration(float64(i) / j.rate * float64(time.Second)))))
		}
		if ctx.Err() != nil {
			break
		}
		// One fresh payload per message: the backend keeps it.
		p := payload.New(j.size, time.Now().UnixNano())
		if err := b.Publish(ctx, rooms[i%len(rooms)], p); err != nil {
			res.Errors++
			continue
		}
		res.Published++
	}
	res.Seconds = time.Since(start).Seconds()
	return res
}
