package client_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/client"
	"github.com/gohubkit/hubkit/protocol"
)

// TestMembersChanged: a client that is not told of each member hears how many they are, if the server knows it.
func TestMembersChanged(t *testing.T) {
	s := newServer(t)
	var log lines
	c := newClient(t, s.url, client.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	events, event := collect[string](10)
	changed := client.OnMembersChanged(func(count int, spread time.Duration) { event(fmt.Sprint(count, " ", spread)) })
	message := func(m client.Message) { event(string(m.Data)) }
	told, err := c.Subscribe("told", message, changed)
	if err != nil {
		t.Fatal(err)
	}
	subscribe(t, c, "list", message, client.OnPresence(func(bool, client.Member) {}))
	subscribe(t, c, "plain", message)
	subscribe(t, c, "outside", message, changed)
	run(t, c)
	p, _ := s.greet()
	for _, room := range []string{"told", "list", "plain"} {
		p.ok(0, room, client.Position{})
	}
	p.send([]byte(`{"op":"presence","room":"told","data":{"count":5021},"spread_ms":2510}`))
	p.send([]byte(`{"op":"presence","room":"told"}`))
	p.send([]byte(`{"op":"presence","room":"told","data":[]}`)) // nothing that can be told: logged
	p.send([]byte(`{"op":"presence","room":"list","data":{"count":7}}`))
	for _, room := range []string{"plain", "outside", "elsewhere"} { // joined without interest, not joined, unknown
		p.send([]byte(`{"op":"presence","room":"` + room + `","data":{"count":1}}`))
	}
	p.message("plain", `"m"`, client.Position{})
	for _, want := range []string{"5021 2.51s", "-1 0s", `"m"`} {
		if got := receive(t, events); got != want {
			t.Errorf("event is %q, want %q", got, want)
		}
	}
	if out := log.String(); strings.Count(out, "was not told of each member") != 1 || !strings.Contains(out, "room=list count=7") ||
		strings.Count(out, "broken presence event") != 1 {
		t.Errorf("log:\n%s", out)
	}
	told.Stop()
	p.ok(p.want(protocol.OpLeave).ID, "told", client.Position{})
	p.send([]byte(`{"op":"presence","room":"told","data":{"count":1}}`))
	p.message("plain", `"end"`, client.Position{})
	if got := receive(t, events); got != `"end"` {
		t.Errorf("event is %q after the subscription's end", got)
	}
}

func TestPresence(t *testing.T) {
	s := newServer(t)
	c := newClient(t, s.url)
	events, event := collect[string](10)
	subscribe(t, c, "r", func(m client.Message) { event(string(m.Data)) },
		client.OnPresence(func(joined bool, m client.Member) {
			event(fmt.Sprint(joined, " ", m.Conn, " ", m.User, " ", string(m.Info)))
		}))
	run(t, c)
	p, _ := s.greet()
	ada := client.Member{Conn: "c1", User: "ada", Info: json.RawMessage(`{"x":1}`)}
	p.ok(0, "r", client.Position{})
	p.send(protocol.AppendJoin(nil, "r", ada))
	p.message("r", `"m"`, client.Position{})
	p.send([]byte(`{"op":"join","room":"r","data":7}`)) // no member: logged
	p.send(protocol.AppendLeave(nil, "r", client.Member{Conn: "c1"}))
	p.send(protocol.AppendLeave(nil, "elsewhere", client.Member{Conn: "c1"}))
	for _, want := range []string{`true c1 ada {"x":1}`, `"m"`, "false c1  "} {
		if got := receive(t, events); got != want {
			t.Errorf("event is %q, want %q", got, want)
		}
	}

	answers := make(chan client.Presence, 1)
	go func() {
		pr, err := c.Presence(t.Context(), "r")
		if err != nil {
			t.Error(err)
		}
		answers <- pr
	}()
	q := p.want(protocol.OpPresence)
	p.send(protocol.AppendOK(nil, protocol.OK{ID: q.ID, Room: "r",
		Data: protocol.AppendPresence(nil, protocol.Presence{Count: 7, Members: []client.Member{ada}})}))
	broken := make(chan error, 1)
	go func() {
		_, err := c.Presence(t.Context(), "r")
		broken <- err
	}()
	p.ok(p.want(protocol.OpPresence).ID, "r", client.Position{}) // without data
	if err := receive(t, broken); !errors.Is(err, client.ErrProtocol) {
		t.Error("Presence without data returned", err)
	}
	if pr := receive(t, answers); pr.Count != 7 || len(pr.Members) != 1 || pr.Members[0].User != "ada" {
		t.Errorf("presence is %+v", pr)
	}
}
