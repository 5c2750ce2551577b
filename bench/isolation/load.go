package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// Clients of each kind. None sends more than the hub's default of 100 messages a second.
const (
	lightClients = 10
	lightPause   = 50 * time.Millisecond
	roomClients  = 50
	pingClients  = 10
	pingPause    = 50 * time.Millisecond
	heavyClients = 24
	settle       = 500 * time.Millisecond
)

type latencies []time.Duration

// at is a percentile in milliseconds.
func (l latencies) at(q float64) float64 {
	slices.Sort(l)
	return l[int(q*float64(len(l)-1))].Seconds() * 1e3
}

type results struct {
	serverStats
	calls, broadcasts, pongs latencies
	heavy, busy              int
	others                   float64 // of one processor, what other processes used meanwhile
}

// row is the line of a case: medians over its rounds, but the sum of the connections that were cut.
func row(rounds []results, phase time.Duration) string {
	median := func(figure func(results) float64) float64 {
		all := make([]float64, len(rounds))
		for i, r := range rounds {
			all[i] = figure(r)
		}
		slices.Sort(all)
		return all[len(all)/2]
	}
	var b strings.Builder
	for _, of := range []func(results) latencies{
		func(r results) latencies { return r.calls },
		func(r results) latencies { return r.broadcasts },
		func(r results) latencies { return r.pongs },
	} {
		for _, q := range []float64{0.5, 0.99} {
			_, _ = fmt.Fprintf(&b, "%.2f\t ", median(func(r results) float64 { return of(r).at(q) }))
		}
	}
	cut := int64(0)
	for _, r := range rounds {
		cut += r.Expired
	}
	_, _ = fmt.Fprintf(&b, "%.0f\t %d\t %.0f\t %.0f\t %.2f\t", median(func(r results) float64 { return float64(r.Pings) }), cut,
		median(func(r results) float64 { return float64(r.heavy) })/phase.Seconds(),
		median(func(r results) float64 { return float64(r.busy) })/phase.Seconds(),
		median(func(r results) float64 { return r.others }))
	return b.String()
}

// loader is the clients' process.
type loader struct {
	url      string
	ctx      context.Context
	from, to time.Time // what is measured

	mu     sync.Mutex
	r      results
	failed error
}

func load(ctx context.Context, url string, s setup, phase time.Duration) (results, error) {
	from := time.Now().Add(settle)
	l := &loader{url: url, from: from, to: from.Add(phase)}
	ctx, cancel := context.WithDeadline(ctx, l.to)
	defer cancel()
	l.ctx = ctx
	var clients sync.WaitGroup
	start := func(n int, client func(*websocket.Conn) error) {
		for range n {
			clients.Go(func() { l.connected(client) })
		}
	}
	start(lightClients, l.light)
	start(roomClients, l.member)
	start(pingClients, l.pings)
	if s.Heavy {
		start(heavyClients, l.heavy)
	}
	clients.Wait()
	if l.failed == nil && min(len(l.r.calls), len(l.r.broadcasts), len(l.r.pongs)) == 0 {
		l.failed = errors.New("nothing was measured")
	}
	return l.r, l.failed
}

// connected runs a client until the time is up. That a connection ends before is a failure.
func (l *loader) connected(client func(*websocket.Conn) error) {
	ws, resp, err := websocket.DefaultDialer.DialContext(l.ctx, l.url, nil)
	if err == nil {
		_ = resp.Body.Close()
		stop := context.AfterFunc(l.ctx, func() { _ = ws.Close() })
		_, _, err = ws.ReadMessage() // welcome
		if err == nil {
			err = client(ws)
		}
		stop()
		_ = ws.Close()
	}
	if l.ctx.Err() == nil && err != nil {
		l.mu.Lock()
		l.failed = errors.Join(l.failed, err)
		l.mu.Unlock()
	}
}

// note keeps a latency of something that began in the time measured.
func (l *loader) note(to *latencies, began time.Time) {
	took := time.Since(began)
	if began.Before(l.from) {
		return
	}
	l.mu.Lock()
	*to = append(*to, took)
	l.mu.Unlock()
}

func (l *loader) sleep(d time.Duration) {
	select {
	case <-time.After(d):
	case <-l.ctx.Done():
	}
}

func jittered(d time.Duration) time.Duration { return d/2 + rand.N(d) }

type answer struct {
	Op, Code   string
	RetryAfter int `json:"retry_after_ms"`
}

// call sends a call and waits for the answer.
func call(ws *websocket.Conn, method string) (a answer, err error) {
	if err := ws.WriteMessage(websocket.TextMessage, []byte(`{"op":"call","id":1,"method":"`+method+`","data":1}`)); err != nil {
		return a, err
	}
	_, p, err := ws.ReadMessage()
	if err == nil {
		err = json.Unmarshal(p, &a)
	}
	return a, err
}

func (l *loader) light(ws *websocket.Conn) error {
	for {
		l.sleep(jittered(lightPause))
		began := time.Now()
		a, err := call(ws, "light")
		if err == nil && a.Op != "ok" {
			err = fmt.Errorf("light call: %+v", a)
		}
		if err != nil {
			return err
		}
		l.note(&l.r.calls, began)
	}
}

func (l *loader) heavy(ws *websocket.Conn) error {
	for {
		a, err := call(ws, "heavy")
		if err != nil {
			return err
		}
		if time.Now().After(l.from) {
			l.mu.Lock()
			if a.Op == "ok" {
				l.r.heavy++
			} else {
				l.r.busy++
			}
			l.mu.Unlock()
		}
		if a.Op != "ok" {
			if a.Code != "busy" || a.RetryAfter <= 0 {
				return fmt.Errorf("heavy call: %+v", a)
			}
			l.sleep(time.Duration(a.RetryAfter) * time.Millisecond)
		}
	}
}

func (l *loader) member(ws *websocket.Conn) error {
	if err := ws.WriteMessage(websocket.TextMessage, []byte(`{"op":"join","room":"`+room+`"}`)); err != nil {
		return err
	}
	for {
		_, p, err := ws.ReadMessage()
		if err != nil {
			return err
		}
		var m struct {
			Op   string
			Data int64
		}
		if err := json.Unmarshal(p, &m); err != nil {
			return err
		}
		if m.Op == "message" {
			l.note(&l.r.broadcasts, time.Unix(0, m.Data))
		}
	}
}

func (l *loader) pings(ws *websocket.Conn) error {
	ws.SetPongHandler(func(p string) error {
		sent, err := strconv.ParseInt(p, 10, 64)
		if err == nil {
			l.note(&l.r.pongs, time.Unix(0, sent))
		}
		return err
	})
	ended := make(chan error, 1)
	go func() {
		_, _, err := ws.ReadMessage() // which reads on: there is nothing but pings and pongs
		ended <- err
	}()
	for l.ctx.Err() == nil {
		l.sleep(jittered(pingPause))
		now := strconv.FormatInt(time.Now().UnixNano(), 10)
		if err := ws.WriteControl(websocket.PingMessage, []byte(now), l.to); err != nil {
			break
		}
	}
	return <-ended
}
