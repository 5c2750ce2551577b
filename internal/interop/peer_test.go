package interop_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"go.uber.org/goleak"

	"github.com/gohubkit/hubkit/internal/interop"
	"github.com/gohubkit/hubkit/internal/testenv"
)

// ants, which the hub runs on, starts two goroutines when it is imported.
func TestMain(m *testing.M) { testenv.Main(m, goleak.IgnoreCurrent()) }

// forEach runs a scenario over every implementation, against a server that echoes.
func forEach(t *testing.T, scenario func(ctx context.Context, t *testing.T, p *interop.Peer, url string)) {
	server := httptest.NewServer(http.HandlerFunc(echo))
	t.Cleanup(server.Close)
	for _, impl := range interop.Implementations() {
		t.Run(impl.Name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			p := impl.Start(t)
			t.Log(p.Version())
			scenario(ctx, t, p, "ws"+strings.TrimPrefix(server.URL, "http"))
		})
	}
}

// echo repeats messages. The text "close" makes it close the connection, "drop" makes it drop it. It
// answers /busy with 503 and says on /headers what it was sent.
func echo(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/busy" {
		w.Header().Set("Retry-After", "7")
		http.Error(w, "busy", http.StatusServiceUnavailable)
		return
	}
	u := websocket.Upgrader{Subprotocols: []string{"echo.v1"}, EnableCompression: r.URL.Path == "/compress"}
	c, err := u.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer func() { _ = c.Close() }()
	if r.URL.Path == "/headers" {
		_ = c.WriteMessage(websocket.TextMessage, []byte(r.Header.Get("X-Test")))
	}
	for {
		kind, data, err := c.ReadMessage()
		if err != nil {
			return
		}
		switch string(data) {
		case "drop":
			return
		case "close":
			reason, _ := json.Marshal(map[string]int{"retry_after_ms": 500})
			_ = c.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(4001, string(reason)))
			continue // The answer to the close frame ends the loop.
		}
		if err := c.WriteMessage(kind, data); err != nil {
			return
		}
	}
}

func TestMessages(t *testing.T) {
	forEach(t, func(ctx context.Context, t *testing.T, p *interop.Peer, url string) {
		open := connect(ctx, t, p, url, interop.Request{Subprotocols: []string{"echo.v2", "echo.v1"}})
		if open.Subprotocol != "echo.v1" || open.Extensions != "" {
			t.Errorf("subprotocol %q, extensions %q; want echo.v1 and none", open.Subprotocol, open.Extensions)
		}
		must(t, p.Send("héllo"))
		must(t, p.Send(""))
		must(t, p.SendBinary([]byte{0, 0xff}))
		must(t, p.Ping("are you there?"))
		must(t, p.Close(4100, "bye"))
		expect(ctx, t, p,
			interop.Event{Kind: interop.Text, Text: "héllo"},
			interop.Event{Kind: interop.Text},
			interop.Event{Kind: interop.Binary, Data: []byte{0, 0xff}},
			interop.Event{Kind: interop.Pong, Text: "are you there?"},
			interop.Event{Kind: interop.Close, Code: 4100})
	})
}

func TestManyMessagesInOrder(t *testing.T) {
	forEach(t, func(ctx context.Context, t *testing.T, p *interop.Peer, url string) {
		connect(ctx, t, p, url, interop.Request{})
		want := make([]interop.Event, 500)
		for i := range want {
			text := strings.Repeat("x", i)
			must(t, p.Send(text))
			want[i] = interop.Event{Kind: interop.Text, Text: text}
		}
		expect(ctx, t, p, want...)
	})
}

func TestServerEnds(t *testing.T) {
	tests := []struct {
		name, text string
		want       interop.Event
	}{
		{"close", "close", interop.Event{Kind: interop.Close, Code: 4001, Reason: `{"retry_after_ms":500}`}},
		{"drop", "drop", interop.Event{Kind: interop.Close, Code: websocket.CloseAbnormalClosure}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			forEach(t, func(ctx context.Context, t *testing.T, p *interop.Peer, url string) {
				connect(ctx, t, p, url, interop.Request{})
				must(t, p.Send(tt.text))
				expect(ctx, t, p, tt.want)
			})
		})
	}
}

func TestTerminateAndConnectAgain(t *testing.T) {
	forEach(t, func(ctx context.Context, t *testing.T, p *interop.Peer, url string) {
		for range 2 {
			connect(ctx, t, p, url, interop.Request{})
			must(t, p.Send("hello"))
			expect(ctx, t, p, interop.Event{Kind: interop.Text, Text: "hello"})
			must(t, p.Terminate())
			expect(ctx, t, p, interop.Event{Kind: interop.Close, Code: websocket.CloseAbnormalClosure})
		}
	})
}

func TestRequest(t *testing.T) {
	forEach(t, func(ctx context.Context, t *testing.T, p *interop.Peer, url string) {
		connect(ctx, t, p, url+"/headers", interop.Request{Headers: map[string]string{"X-Test": "token"}})
		expect(ctx, t, p, interop.Event{Kind: interop.Text, Text: "token"})
		must(t, p.Close(1000, ""))
		expect(ctx, t, p, interop.Event{Kind: interop.Close, Code: 1000})

		open := connect(ctx, t, p, url+"/compress", interop.Request{Compression: true})
		if !strings.Contains(open.Extensions, "permessage-deflate") {
			t.Errorf("extensions %q, want permessage-deflate", open.Extensions)
		}
		text := strings.Repeat("compress me ", 100)
		must(t, p.Send(text))
		expect(ctx, t, p, interop.Event{Kind: interop.Text, Text: text})
	})
}

func TestRejected(t *testing.T) {
	forEach(t, func(ctx context.Context, t *testing.T, p *interop.Peer, url string) {
		_, err := p.Connect(ctx, url+"/busy", interop.Request{})
		var rejected *interop.RejectedError
		if !errors.As(err, &rejected) {
			t.Fatalf("Connect: %v, want a RejectedError", err)
		}
		if rejected.Status != http.StatusServiceUnavailable || rejected.Headers["retry-after"] != "7" {
			t.Errorf("status %d, headers %v; want 503 and retry-after 7", rejected.Status, rejected.Headers)
		}
		// A refusal is not the end of the peer.
		connect(ctx, t, p, url, interop.Request{})
	})
}

func TestErrors(t *testing.T) {
	forEach(t, func(ctx context.Context, t *testing.T, p *interop.Peer, _ string) {
		must(t, p.Send("too early"))
		e, err := p.Next(ctx)
		must(t, err)
		if e.Kind != interop.Error || !strings.HasPrefix(e.Message, "send: ") {
			t.Errorf("send before connect: %v, want an error of send", e)
		}
		if _, err := p.Connect(ctx, "ws://127.0.0.1:1/", interop.Request{}); err == nil {
			t.Error("Connect to a closed port: no error")
		}
		short, cancel := context.WithTimeout(ctx, time.Millisecond)
		defer cancel()
		if e, err := p.Next(short); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Next = %v, %v; want context.DeadlineExceeded", e, err)
		}
	})
}

func TestProcessKilled(t *testing.T) {
	forEach(t, func(ctx context.Context, t *testing.T, p *interop.Peer, url string) {
		connect(ctx, t, p, url, interop.Request{})
		p.Process().Kill()
		if e, err := p.Next(ctx); err == nil || !strings.Contains(err.Error(), p.Version()+" ended") {
			t.Errorf("Next = %v, %v; want an error that says that the process ended", e, err)
		}
		if err := p.Send("hello"); err == nil {
			t.Error("Send: no error")
		}
	})
}

func TestEventString(t *testing.T) {
	tests := []struct {
		event interop.Event
		want  string
	}{
		{interop.Event{Kind: interop.Open}, "open"},
		{interop.Event{Kind: interop.Text, Text: "a"}, `text "a"`},
		{interop.Event{Kind: interop.Binary, Data: []byte{1, 0xfe}}, "binary 01fe"},
		{interop.Event{Kind: interop.Close, Code: 1000, Reason: "bye"}, `close 1000 "bye"`},
		{interop.Event{Kind: interop.Rejected, Status: 503}, "rejected 503 map[]"},
		{interop.Event{Kind: interop.Error, Message: "no"}, "error: no"},
	}
	for _, tt := range tests {
		if got := tt.event.String(); got != tt.want {
			t.Errorf("String() = %q, want %q", got, tt.want)
		}
	}
}

func connect(ctx context.Context, t *testing.T, p *interop.Peer, url string, r interop.Request) interop.Event {
	t.Helper()
	e, err := p.Connect(ctx, url, r)
	must(t, err)
	return e
}

func expect(ctx context.Context, t *testing.T, p *interop.Peer, want ...interop.Event) {
	t.Helper()
	for _, w := range want {
		got, err := p.Next(ctx)
		must(t, err)
		if !reflect.DeepEqual(got, w) {
			t.Fatalf("event %v, want %v", got, w)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
