package hub_test

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/protocol"
)

// streams serves the hub's SSE beside the hub.
type streams struct {
	*posts
	server  *server
	address string
}

func (s *server) streams(t testing.TB) *streams {
	t.Helper()
	return newStreams(s.postsOf(t, httptest.NewUnstartedServer(s.SSE()), false), s)
}

func newStreams(p *posts, s *server) *streams { return &streams{p, s, p.http.URL} }

// way is one of those by which a stream comes.
type way struct {
	name     string
	tr       transport
	tls, two bool
}

var ways = []way{
	{name: "poller", tr: poller},
	{name: "goroutine", tr: goroutines},
	{name: "tls", tr: poller, tls: true},
	{name: "http2", tr: poller, tls: true, two: true},
}

func (w way) start(t testing.TB, opts ...hub.Option) *streams {
	t.Helper()
	s := w.tr.start(t, opts...)
	server := httptest.NewUnstartedServer(s.SSE())
	server.Config.ConnContext = s.http.Config.ConnContext
	if w.tls && !w.two {
		server.Config.ErrorLog = s.http.Config.ErrorLog
		server.StartTLS()
		t.Cleanup(server.Close)
		return newStreams(&posts{t: t, http: server, client: server.Client()}, s)
	}
	return newStreams(s.postsOf(t, server, w.two), s)
}

// overEachWay runs a test on every way of a stream, compressed and not.
func overEachWay(t *testing.T, f func(t *testing.T, w way, gzip bool)) {
	t.Helper()
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) { f(t, w, false) })
		t.Run(w.name+"-gzip", func(t *testing.T) { f(t, w, true) })
	}
}

// event is one that an EventSource would dispatch.
type event struct{ name, id, data string }

func (e event) String() string { return fmt.Sprintf("%s [%s] %s", e.name, e.id, e.data) }

// frame is the frame of protocol v1 that is the event's data.
func (e event) frame(t testing.TB) protocol.Event {
	t.Helper()
	var p protocol.Event
	if err := p.Decode([]byte(e.data)); err != nil {
		t.Fatalf("%s: %v", e, err)
	}
	return p
}

// eventStream is an EventSource: it reads line by line, as the HTML standard has it.
type eventStream struct {
	t       testing.TB
	status  int
	header  http.Header
	lines   *bufio.Reader
	lastID  string
	retry   int
	beats   int
	skips   []string // ids without an event
	release func() error
}

// request asks for a stream, with headers as "Name", "value".
func (p *streams) request(query string, header http.Header) *http.Response {
	p.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	p.t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.address+"?"+query, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	if header != nil {
		r.Header = header.Clone()
	}
	res, err := p.client.Do(r)
	if err != nil {
		p.t.Fatalf("GET ?%s: %v", query, err)
	}
	p.t.Cleanup(func() { _ = res.Body.Close() })
	return res
}

// open opens a stream, which must be accepted.
func (p *streams) open(query string, header http.Header) *eventStream {
	p.t.Helper()
	res := p.request(query, header) //nolint:bodyclose // request sees to it
	e := &eventStream{t: p.t, status: res.StatusCode, header: res.Header, release: res.Body.Close}
	if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "text/event-stream" {
		body, _ := io.ReadAll(res.Body)
		p.t.Fatalf("GET ?%s: %s %v %s", query, res.Status, res.Header, body)
	}
	var body io.Reader = res.Body
	if res.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(res.Body)
		if err != nil {
			p.t.Fatal(err)
		}
		body = z
	}
	e.lines = bufio.NewReader(body)
	return e
}

func encoding(compressed bool) http.Header {
	if compressed {
		return http.Header{"Accept-Encoding": {"gzip"}}
	}
	return http.Header{"Accept-Encoding": {"identity"}}
}

// read returns the next event, or why there is none.
func (e *eventStream) read() (event, error) {
	type result struct {
		event
		err error
	}
	done := make(chan result, 1)
	go func() {
		ev, err := e.dispatch()
		done <- result{ev, err}
	}()
	select {
	case r := <-done:
		return r.event, r.err
	case <-time.After(patience):
		_ = e.release()
		return event{}, errors.New("nothing came")
	}
}

func (e *eventStream) dispatch() (event, error) {
	ev := event{name: "message", id: e.lastID}
	data := []string(nil)
	for {
		line, err := e.lines.ReadString('\n')
		if err != nil {
			return event{}, err
		}
		line = strings.TrimSuffix(line, "\n")
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case line == "":
			if data == nil && ev.id != e.lastID {
				e.skips = append(e.skips, ev.id)
			}
			e.lastID = ev.id
			if data == nil {
				ev = event{name: "message", id: e.lastID}
				continue
			}
			ev.data = strings.Join(data, "\n")
			return ev, nil
		case field == "":
			e.beats++
		case field == "event":
			ev.name = value
		case field == "id":
			ev.id = value
		case field == "data":
			data = append(data, value)
		case field == "retry":
			if e.retry, err = strconv.Atoi(value); err != nil {
				return event{}, err
			}
		default:
			return event{}, fmt.Errorf("line %q", line)
		}
	}
}

// next must come.
func (e *eventStream) next() event {
	e.t.Helper()
	ev, err := e.read()
	if err != nil {
		e.t.Fatalf("no event: %v", err)
	}
	return ev
}

// expect fails unless this comes next.
func (e *eventStream) expect(name, data string) event {
	e.t.Helper()
	ev := e.next()
	if ev.name != name || ev.data != data {
		e.t.Fatalf("%s: %s\nwant %s: %s", ev.name, ev.data, name, data)
	}
	return ev
}

// named skips the welcome, and returns the next event, which must have this name.
func (e *eventStream) named(name string) event {
	e.t.Helper()
	ev := e.next()
	if ev.name == "welcome" && name != "welcome" {
		ev = e.next()
	}
	if ev.name != name {
		e.t.Fatalf("%s\nwant %s", ev, name)
	}
	return ev
}

// ends fails unless the stream ends here. A compressed one ends without the sums.
func (e *eventStream) ends() {
	e.t.Helper()
	if ev, err := e.read(); !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		e.t.Fatalf("the stream goes on with %s, %v", ev, err)
	}
}

// closed is the data of a close event.
type closed struct {
	Code   protocol.CloseCode
	Reason string
	Retry  int64 `json:"retry_after_ms"`
	Spread int64 `json:"spread_ms"`
}

// closes fails unless the stream is closed with this code.
func (e *eventStream) closes(code protocol.CloseCode) (c closed) {
	e.t.Helper()
	ev := e.named("close")
	if err := json.Unmarshal([]byte(ev.data), &c); err != nil || c.Code != code {
		e.t.Fatalf("%s, want %d", ev, code)
	}
	e.ends()
	return c
}
