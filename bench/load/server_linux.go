package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/gohubkit/hubkit/bench/internal/benchserver"
)

// server is the HTTP side of the server under test.
type server struct{ addr string }

func (s server) call(ctx context.Context, method, path string, q url.Values, v any) error {
	u := url.URL{Scheme: "http", Host: s.addr, Path: path, RawQuery: q.Encode()}
	req, err := http.NewRequestWithContext(ctx, method, u.String(), nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s: %s", path, resp.Status, body)
	}
	return json.Unmarshal(body, v)
}

func (s server) stats(ctx context.Context, gc bool) (benchserver.Stats, error) {
	q := url.Values{}
	if gc {
		q.Set("gc", "1")
	}
	var st benchserver.Stats
	err := s.call(ctx, http.MethodGet, "/stats", q, &st)
	return st, err
}

// awaitConns polls until the server counts n connections and returns what it counts in the end: n,
// or what it was after 10 s.
func (s server) awaitConns(ctx context.Context, n int) (benchserver.Stats, error) {
	deadline := time.Now().Add(10 * time.Second)
	for {
		st, err := s.stats(ctx, false)
		if err != nil || st.Conns == n || time.Now().After(deadline) {
			return st, err
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// bench has the server publish, and returns when it has.
func (s server) bench(ctx context.Context, c *config) (benchserver.BenchResult, error) {
	q := url.Values{
		"room": {c.room},
		"n":    {strconv.Itoa(c.n)},
		"size": {strconv.Itoa(c.size)},
		"rate": {strconv.FormatFloat(c.rate, 'f', -1, 64)},
	}
	if c.publishers > 1 {
		q.Set("publishers", strconv.Itoa(c.publishers))
	}
	if c.rooms > 0 {
		q.Set("rooms", strconv.Itoa(c.rooms))
	}
	var r benchserver.BenchResult
	err := s.call(ctx, http.MethodPost, "/bench", q, &r)
	return r, err
}
