package main

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/gohubkit/hubkit/client"
	"github.com/gohubkit/hubkit/dash"
	"github.com/gohubkit/hubkit/hub"
)

// TestDashboard: every command against a real dashboard of a real hub.
func TestDashboard(t *testing.T) {
	h, err := hub.New(hub.WithNode("n1"), hub.WithOpenRooms("*"), hub.WithRooms("*", hub.DefaultHistory()),
		hub.WithAuthenticator(func(*http.Request) (hub.Identity, error) { return hub.Identity{User: "ada"}, nil }))
	if err != nil {
		t.Fatal(err)
	}
	drained := make(chan struct{})
	d, err := dash.New(h, dash.WithDrain(func() { close(drained) }),
		dash.WithAuthorizer(func(r *http.Request) error {
			if r.Header.Get("Authorization") != "Bearer secret" {
				return hub.ErrUnauthorized
			}
			return nil
		}),
		dash.WithActions(func(*http.Request, dash.Action) error { return nil }),
		dash.WithPayloads(func(*http.Request, string) error { return nil }))
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/ws", h)
	mux.Handle("/dash/", d)
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	t.Cleanup(func() { _ = h.Close() })

	directly := make(chan string, 10)
	c, err := client.New("ws"+strings.TrimPrefix(srv.URL, "http")+"/ws", client.OnMessage(func(m client.Message) { directly <- string(m.Data) }))
	if err != nil {
		t.Fatal(err)
	}
	ran := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { ran <- c.Run(ctx) }()
	got := make(chan string, 10)
	if _, err := c.Subscribe("room", func(m client.Message) { got <- string(m.Data) }); err != nil {
		t.Fatal(err)
	}
	if _, err := c.PublishJSON(ctx, "room", 1); err != nil {
		t.Fatal(err)
	}
	<-got

	hubctl := func(ctx context.Context, args ...string) (string, int) {
		var out, errs bytes.Buffer
		env := func(name string) string {
			return map[string]string{"HUBCTL_URL": srv.URL + "/dash/", "HUBCTL_TOKEN": "secret"}[name]
		}
		status := run(ctx, args, env, strings.NewReader(""), &out, &errs)
		return out.String() + errs.String(), status
	}
	tailing := make(chan string, 1)
	go func() {
		out, _ := hubctl(ctx, "tail", "-count", "1", "room")
		tailing <- out
	}()
	for _, tt := range []struct {
		args []string
		want []string
	}{
		{[]string{"nodes"}, []string{"n1", "ready"}},
		{[]string{"conns", "-user", "ada", "-all"}, []string{"n1", "ada", "open", "room"}},
		{[]string{"conns", "-slowest"}, []string{"CONN"}},
		{[]string{"rooms", "-largest"}, []string{"room", "n1", "1", "*", "yes"}},
		{[]string{"rooms", "-contains", "oo"}, []string{"room"}},
		{[]string{"top", "-count", "2", "-interval", "1100ms"}, []string{"n1", "LARGEST ROOMS", "room", "SLOWEST CONSUMERS"}},
	} {
		out, status := hubctl(ctx, tt.args...)
		for _, want := range tt.want {
			if status != statusOK || !strings.Contains(out, want) {
				t.Errorf("%v: status %d, no %q in %s", tt.args, status, want, out)
			}
		}
	}
	for tailed := false; !tailed; { // until the tail is there
		if out, status := hubctl(ctx, "publish", "room", `"by hubctl"`); status != statusOK {
			t.Fatal(out)
		}
		if m := <-got; m != `"by hubctl"` {
			t.Errorf("got %s", m)
		}
		select {
		case out := <-tailing:
			tailed = true
			if !strings.Contains(out, "by hubctl") {
				t.Errorf("tail printed %q", out)
			}
		default:
		}
	}
	var conn hub.ConnInfo
	for c := range h.ConnsOf("ada") {
		conn = c.Info()
	}
	for by, name := range map[string]string{"-user": "ada", "-session": conn.Session, "-conn": conn.ID, "-room": "room"} {
		if out, status := hubctl(ctx, "send", by, name, strconv.Quote(by)); status != statusOK {
			t.Error(out)
		}
		if m := <-directly; m != strconv.Quote(by) {
			t.Errorf("got %s", m)
		}
	}
	if out, status := hubctl(ctx, "remove", "-yes", "-conn", conn.ID, "-room", "none"); status != statusOK {
		t.Error(out)
	}
	if out, status := hubctl(ctx, "remove", "-yes", "-session", conn.Session, "-room", "room"); status != statusOK {
		t.Error(out)
	}
	if out, status := hubctl(ctx, "kick", "-yes", "-user", "ada", "-reason", "bye"); status != statusOK || !strings.Contains(out, "closed 1") {
		t.Errorf("status %d, %s", status, out)
	}
	if err := <-ran; err == nil || !strings.Contains(err.Error(), "4102") {
		t.Errorf("the client ended with %v", err)
	}
	if out, status := hubctl(ctx, "drain", "-yes", "n1"); status != statusOK {
		t.Error(out)
	}
	<-drained
	if out, status := hubctl(ctx, "-token", "other", "nodes"); status != statusFailed || !strings.Contains(out, "401") {
		t.Errorf("status %d, %s", status, out)
	}
}
