package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/gohubkit/hubkit/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m, goleak.IgnoreCurrent()) }

// dashboard is one that answers as it is told, and keeps what it was asked.
type dashboard struct {
	*httptest.Server
	mu     sync.Mutex
	asked  []string // method, path with query, body
	header http.Header
}

// serve answers a request, named by its method and path, with a status and a body.
func serve(t *testing.T, answers map[string]string) *dashboard {
	t.Helper()
	d := new(dashboard)
	d.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		what := strings.TrimSpace(r.Method + " " + r.URL.RequestURI() + " " + string(body))
		d.mu.Lock()
		d.asked, d.header = append(d.asked, what), r.Header.Clone()
		d.mu.Unlock()
		answer, ok := answers[r.Method+" "+r.URL.RequestURI()]
		switch status, rest, found := strings.Cut(answer, "!"); {
		case !ok:
			http.NotFound(w, r)
		case found && status == "401":
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, rest)
		case found && status == "503":
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = io.WriteString(w, rest)
		case found && status == "302":
			http.Redirect(w, r, "/login", http.StatusFound)
		default:
			_, _ = io.WriteString(w, answer)
		}
	}))
	t.Cleanup(d.Close)
	return d
}

// hubctl runs the tool.
func (d *dashboard) hubctl(t *testing.T, in string, args ...string) (status int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	env := func(name string) string {
		return map[string]string{"HUBCTL_URL": d.URL + "/dash", "HUBCTL_TOKEN": "secret"}[name]
	}
	status = run(context.Background(), args, env, strings.NewReader(in), &o, &e)
	return status, o.String(), e.String()
}

const (
	oneNode = `{"nodes":[{"node":"n1","since":"2026-01-01T00:00:00Z","conns":12345,"rooms":7,"users":9,"ready":true,"draining":false,` +
		`"stale":false,"stats":{"messages_in":5}}]}`
	oneConn = `{"conns":[{"id":"c1","session":"s","node":"n1","user":"a\u001b[2Jda","state":"open","addr":"10.0.0.7","transport":"websocket",` +
		`"since":"2026-01-01T00:00:00Z","last_message":"2026-01-01T00:00:00Z","room_count":2,"rooms":["a","b"],"delivered":1,"dropped":2,` +
		`"conflated":3,"backlog_messages":4,"backlog_bytes":2048}]`
	oneRoom = `{"rooms":[{"name":"chat:1","node":"n1","members":1200,"rule":"chat:*","history":true,"presence":false}]`
)

// TestCommands: what each command asks for, and what it prints.
func TestCommands(t *testing.T) {
	for _, tt := range []struct {
		name    string
		args    []string
		in      string
		answers map[string]string
		status  int
		asked   []string
		out     []string // in this order
		errs    string   // a part of it
	}{
		{
			name: "nodes", args: []string{"nodes"}, answers: map[string]string{"GET /dash/api/nodes": oneNode},
			asked: []string{"GET /dash/api/nodes"}, out: []string{"NODE", "n1", "ready", "12,345", "9", "7"},
		},
		{
			name: "nodes that are silent", args: []string{"nodes"},
			answers: map[string]string{"GET /dash/api/nodes": `{"nodes":[],"silent":["n2","n\u001b3"]}`},
			status:  statusFailed, errs: "no answer from n2, n\ufffd3",
		},
		{
			name: "nodes as JSON", args: []string{"-json", "nodes"}, answers: map[string]string{"GET /dash/api/nodes": oneNode},
			out: []string{`"node": "n1"`, `"messages_in": 5`},
		},
		{
			name: "connections", args: []string{"conns", "-user", "ada", "-limit", "5"},
			answers: map[string]string{"GET /dash/api/conns?limit=5&user=ada": oneConn + `,"next":"more"}`},
			out:     []string{"c1", "n1", "a\ufffd[2Jda", "10.0.0.7", "open", "a b", "4, 2.0 KiB", "5"}, errs: "-all",
		},
		{
			name: "all connections, slowest first", args: []string{"conns", "-slowest", "-all"},
			answers: map[string]string{
				"GET /dash/api/conns?slowest=1":            oneConn + `,"next":"more"}`,
				"GET /dash/api/conns?after=more&slowest=1": `{"conns":[]}`,
			},
			asked: []string{"GET /dash/api/conns?slowest=1", "GET /dash/api/conns?after=more&slowest=1"}, out: []string{"c1"},
		},
		{
			name: "all connections as JSON", args: []string{"-json", "conns", "-all"},
			answers: map[string]string{"GET /dash/api/conns": oneConn + "}"}, out: []string{`{"id":"c1"`},
		},
		{
			name: "rooms", args: []string{"rooms", "-largest", "-contains", "chat"},
			answers: map[string]string{"GET /dash/api/rooms?contains=chat&largest=1": oneRoom + "}"},
			out:     []string{"chat:1", "n1", "1,200", "chat:*", "yes", "-"},
		},
		{
			name: "kick", args: []string{"kick", "-user", "ada", "-reason", "bye", "-code", "4000", "-retry-after", "2s"}, in: "yes\n",
			answers: map[string]string{"POST /dash/api/disconnect": `{"nodes":{"n1":2,"n2":0},"total":2}`},
			asked:   []string{`POST /dash/api/disconnect {"user":"ada","code":4000,"reason":"bye","retry_after_ms":2000}`},
			out:     []string{"closed 2", "n1: 2"}, errs: "close all connections of user ada?",
		},
		{
			name: "kick, after all not", args: []string{"kick", "-room", "chat:1"}, in: "no\n",
			status: statusUsage, errs: "nothing was done",
		},
		{
			name: "kick without a word", args: []string{"kick", "-conn", "c1"}, status: statusUsage, errs: "nothing was done",
		},
		{name: "kick whom?", args: []string{"kick", "-yes"}, status: statusUsage, errs: "give one of"},
		{name: "kick whom of two?", args: []string{"kick", "-yes", "-user", "a", "-conn", "c"}, status: statusUsage, errs: "give one of"},
		{name: "kick with a code that is none", args: []string{"kick", "-yes", "-user", "a", "-code", "1006"}, status: statusUsage, errs: "1006"},
		{
			name: "remove", args: []string{"remove", "-yes", "-user", "ada", "-room", "chat:1"},
			answers: map[string]string{"POST /dash/api/remove": `{}`},
			asked:   []string{`POST /dash/api/remove {"user":"ada","room":"chat:1"}`}, out: []string{"removed"},
		},
		{
			name: "remove a session", args: []string{"remove", "-session", "s1", "-room", "chat:1", "-reason", "enough"}, in: "yes\n",
			answers: map[string]string{"POST /dash/api/remove": `{}`},
			asked:   []string{`POST /dash/api/remove {"session":"s1","room":"chat:1","reason":"enough"}`}, out: []string{"removed"},
			errs: "take session s1 out of chat:1?",
		},
		{
			name: "remove a connection", args: []string{"remove", "-yes", "-conn", "c1", "-room", "chat:1"},
			answers: map[string]string{"POST /dash/api/remove": `{}`},
			asked:   []string{`POST /dash/api/remove {"conn":"c1","room":"chat:1"}`}, out: []string{"removed"},
		},
		{
			name: "remove, after all not", args: []string{"remove", "-conn", "c1", "-room", "chat:1"}, in: "no\n",
			status: statusUsage, errs: "nothing was done",
		},
		{name: "remove whom?", args: []string{"remove", "-yes", "-room", "r"}, status: statusUsage, errs: "one of -user, -session and -conn"},
		{name: "remove whom of two?", args: []string{"remove", "-yes", "-room", "r", "-user", "a", "-conn", "c"}, status: statusUsage, errs: "one of"},
		{name: "remove from where?", args: []string{"remove", "-yes", "-user", "a"}, status: statusUsage, errs: "give -room"},
		{
			name: "send to a user", args: []string{"send", "-user", "ada", `{"a":1}`}, answers: map[string]string{"POST /dash/api/send": `{}`},
			asked: []string{`POST /dash/api/send {"user":"ada","data":{"a":1}}`}, out: []string{"sent"},
		},
		{
			name: "send to a room's members", args: []string{"send", "-room", "chat:1", `"hi"`}, answers: map[string]string{"POST /dash/api/send": `{}`},
			asked: []string{`POST /dash/api/send {"room":"chat:1","data":"hi"}`}, out: []string{"sent"},
		},
		{
			name: "send without the other nodes", args: []string{"send", "-conn", "c1", `1`},
			answers: map[string]string{"POST /dash/api/send": `503!{"error":{"code":"unavailable","message":"this node has done it"}}`},
			status:  statusFailed, errs: "503 Service Unavailable: this node has done it",
		},
		{name: "send to whom?", args: []string{"send", `1`}, status: statusUsage, errs: "give one of"},
		{name: "send to whom of two?", args: []string{"send", "-user", "a", "-session", "s", `1`}, status: statusUsage, errs: "give one of"},
		{name: "send nothing", args: []string{"send", "-user", "a"}, status: statusUsage, errs: "want 1 arguments"},
		{name: "send what is no JSON", args: []string{"send", "-user", "a", "hello"}, status: statusUsage, errs: `'"hello"'`},
		{
			name: "publish", args: []string{"publish", "chat:1", `{"a":1}`}, answers: map[string]string{"POST /dash/api/publish": `{}`},
			asked: []string{`POST /dash/api/publish {"room":"chat:1","data":{"a":1}}`}, out: []string{"published"},
		},
		{name: "publish what is no JSON", args: []string{"publish", "chat:1", "hello"}, status: statusUsage, errs: `'"hello"'`},
		{
			name: "drain", args: []string{"drain", "-yes", "n1"}, answers: map[string]string{"POST /dash/api/drain": ``},
			asked: []string{`POST /dash/api/drain {"node":"n1"}`}, out: []string{"draining"},
		},
		{
			name: "top", args: []string{"top", "-count", "1"},
			answers: map[string]string{
				"GET /dash/api/nodes": oneNode, "GET /dash/api/rooms?largest=1&limit=10": oneRoom + "}",
				"GET /dash/api/conns?limit=10&slowest=1": oneConn + "}",
			},
			out: []string{home, "n1", "ready", "12,345", "LARGEST ROOMS", "chat:1", "SLOWEST CONSUMERS", "c1", "4, 2.0 KiB"},
		},
		{
			name: "tail", args: []string{"tail", "-count", "2", "chat:1"},
			answers: map[string]string{"GET /dash/api/tail?room=chat%3A1": ": hello\n\ndata: {\"room\":\"chat:1\",\"epoch\":\"e\",\"offset\":7,\"bytes\":5}\n\n" +
				"data: {\"room\":\"chat:1\",\"bytes\":3,\"data\":\"x\\u0007\"}\n\n"},
			out: []string{"e:7", "5 B", "3 B", `"x\u0007"`},
		},
		{
			name: "tail of a connection", args: []string{"tail", "-count", "2", "-conn", "n1-x-1"},
			answers: map[string]string{"GET /dash/api/tail?conn=n1-x-1": "data: {\"conn\":\"n1-x-1\",\"in\":true,\"kind\":\"text\",\"bytes\":5,\"data\":12345}\n\n" +
				"data: {\"conn\":\"n1-x-1\",\"kind\":\"ping\",\"bytes\":0}\n\n"},
			out: []string{"in  text  5 B  12345", "out ping  0 B"},
		},
		{
			name: "tail that ends", args: []string{"tail", "chat:1"}, answers: map[string]string{"GET /dash/api/tail?room=chat%3A1": ": hello\n\n"},
			status: statusFailed, errs: "ended the stream",
		},
		{
			name: "refused", args: []string{"nodes"},
			answers: map[string]string{"GET /dash/api/nodes": `401!{"error":{"code":"unauthorized","message":"who are you?"}}`},
			status:  statusFailed, errs: "401 Unauthorized: who are you? (give a token",
		},
		{
			name: "later", args: []string{"nodes"}, answers: map[string]string{"GET /dash/api/nodes": `503!{}`},
			status: statusFailed, errs: "try again in 7 s",
		},
		{
			name: "a login page", args: []string{"nodes"}, answers: map[string]string{"GET /dash/api/nodes": `302!`},
			status: statusFailed, errs: "a redirect",
		},
		{name: "no dashboard there", args: []string{"nodes"}, status: statusFailed, errs: "is the dashboard mounted"},
		{name: "another page", args: []string{"nodes"}, answers: map[string]string{"GET /dash/api/nodes": "<html>"}, status: statusFailed, errs: "no JSON"},
		{name: "no command", status: statusUsage, errs: "usage:"},
		{name: "another command", args: []string{"restart"}, status: statusUsage, errs: `no command "restart"`},
		{name: "another flag", args: []string{"nodes", "-x"}, status: statusUsage, errs: "-x"},
		{name: "too many arguments", args: []string{"nodes", "x"}, status: statusUsage, errs: "want 0 arguments"},
		{name: "a limit that is none", args: []string{"conns", "-limit", "0"}, status: statusUsage, errs: "1 to 1000"},
		{name: "an interval that is none", args: []string{"top", "-interval", "1ms"}, status: statusUsage, errs: "500ms"},
		{name: "an address that is none", args: []string{"-url", "example.com", "nodes"}, status: statusUsage, errs: "want the address"},
		{name: "a header that is none", args: []string{"-H", "x", "nodes"}, status: statusUsage, errs: "Name: value"},
		{name: "help", args: []string{"-h"}, errs: "usage:"},
		{name: "help of a command", args: []string{"kick", "-h"}, errs: "-retry-after"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := serve(t, tt.answers)
			status, out, errs := d.hubctl(t, tt.in, tt.args...)
			if status != tt.status || !strings.Contains(errs, tt.errs) {
				t.Errorf("status %d, want %d; %q, want %q", status, tt.status, errs, tt.errs)
			}
			if tt.asked != nil && strings.Join(d.asked, "\n") != strings.Join(tt.asked, "\n") {
				t.Errorf("asked %q, want %q", d.asked, tt.asked)
			}
			rest := out
			for _, part := range tt.out {
				_, after, ok := strings.Cut(rest, part)
				if !ok {
					t.Fatalf("no %q in %q, of %q", part, rest, out)
				}
				rest = after
			}
		})
	}
}

// TestToken: the token and further headers go to the dashboard, and what changes something says that it is meant.
func TestToken(t *testing.T) {
	d := serve(t, map[string]string{"POST /dash/api/drain": "{}"})
	if status, _, errs := d.hubctl(t, "", "-H", "Cookie: session=1", "drain", "-yes", "n1"); status != statusOK {
		t.Fatal(errs)
	}
	for name, want := range map[string]string{
		"Authorization": "Bearer secret", "Cookie": "session=1", "X-Hubkit-Dash": "1", "Content-Type": "application/json",
	} {
		if got := d.header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// TestRates: top shows what has happened since its last look, and nothing of a node that has started anew.
func TestRates(t *testing.T) {
	v, last := new(view), new(view)
	last.Nodes.Nodes = []node{aNode(t, "n1", "2026-01-01T00:00:00Z", 100), aNode(t, "n2", "2026-01-01T00:00:00Z", 100)}
	v.Nodes.Nodes = []node{aNode(t, "n1", "2026-01-01T00:00:00Z", 3100), aNode(t, "n2", "2026-01-02T00:00:00Z", 3100)}
	v.Time = last.Time.Add(2e9)
	var b bytes.Buffer
	if err := v.write(&b, last); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(b.String(), "\n")
	if f := strings.Fields(lines[1]); f[5] != "1,500" || f[6] != "0" {
		t.Errorf("got %q", f)
	}
	if f := strings.Fields(lines[2]); f[5] != "-" {
		t.Errorf("got %q", f)
	}
}

func aNode(t *testing.T, name, since string, received int) (n node) {
	t.Helper()
	if err := json.Unmarshal(fmt.Appendf(nil, `{"node":%q,"since":%q,"ready":true,"stats":{"messages_in":%d}}`, name, since, received), &n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestFormats(t *testing.T) {
	for got, want := range map[string]string{
		size(0): "0 B", size(1023): "1023 B", size(1536): "1.5 KiB", size(5 << 30): "5.0 GiB",
		count(0): "0", count(999): "999", count(1000): "1,000", count(-1234567): "-1,234,567",
		age(90 * time.Second): "1m30s", age(3 * time.Minute): "3m", age(5 * time.Hour): "5h", age(72 * time.Hour): "3d", age(-1): "0s",
		printable(strings.Repeat("ü", 61)): strings.Repeat("ü", 60) + "…",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
