package dash_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/broker/memory"
	"github.com/gohubkit/hubkit/dash"
	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/internal/browser"
)

// TestTargets: over a real Redis, a message reaches whom it is for on either node, and who is taken out of a room is told. The
// service is asked about just that.
func TestTargets(t *testing.T) {
	asked := make(chan dash.Action, 1)
	all := cluster(t, 2, dash.WithActions(func(_ *http.Request, a dash.Action) error { asked <- a; return nil }))
	for i, a := range all {
		ada, bob := all[1].join("ada", "r"), all[1].join("bob")
		conn := slices.Collect(all[1].hub.ConnsOf("ada"))[0]
		for _, tt := range []struct {
			by, name string
			want     dash.Action
		}{
			{"user", "ada", dash.Action{User: "ada"}},
			{"session", conn.Session(), dash.Action{Session: conn.Session()}},
			{"conn", conn.ID(), dash.Action{Conn: conn.ID()}},
			{"room", "r", dash.Action{Room: "r"}},
		} {
			t.Run(fmt.Sprint(tt.by, " of n", i+1), func(t *testing.T) {
				act := func(path, body string, want dash.Action) {
					t.Helper()
					var answer map[string]any
					if res := a.post(path, body, &answer); res.StatusCode != http.StatusOK || len(answer) > 0 {
						t.Errorf("%s: %s %v", body, res.Status, answer)
					}
					if got := <-asked; fmt.Sprint(got) != fmt.Sprint(want) {
						t.Errorf("asked about %v, want %v", got, want)
					}
				}
				want := tt.want
				want.Kind, want.Data = dash.Send, json.RawMessage(`{"a": 1}`)
				act("api/send", fmt.Sprintf(`{%q:%q,"data":{"a": 1}}`, tt.by, tt.name), want)
				if m := await(t, ada, "message"); m["room"] != nil || fmt.Sprint(m["data"]) != "map[a:1]" {
					t.Errorf("got %v", m)
				}
				if tt.by == "room" {
					return
				}
				want = tt.want
				want.Kind, want.Room, want.Reason = dash.Remove, "r", "enough"
				act("api/remove", fmt.Sprintf(`{%q:%q,"room":"r","reason":"enough"}`, tt.by, tt.name), want)
				if m := await(t, ada, "left"); m["room"] != "r" || m["message"] != "enough" {
					t.Errorf("got %v", m)
				}
				if err := ada.WriteJSON(map[string]any{"op": "join", "id": 1, "room": "r"}); err != nil {
					t.Fatal(err)
				}
				await(t, ada, "ok")
			})
		}
		if err := bob.WriteJSON(map[string]any{"op": "ping", "id": 1}); err != nil {
			t.Fatal(err)
		}
		if m := await(t, bob, ""); m["op"] != "ok" {
			t.Errorf("the bystander got %v", m)
		}
		for _, ws := range []*websocket.Conn{ada, bob} {
			_ = ws.Close()
		}
		eventually(t, "both are gone", func() bool { return all[1].hub.Stats().Conns == 0 })
	}
	for _, body := range []string{`{"conn":"none","data":null}`, `{"user":"none","data":"x"}`} { // nobody is no error
		if res := all[0].post("api/send", body, nil); res.StatusCode != http.StatusOK {
			t.Errorf("%s: %s", body, res.Status)
		}
		<-asked
	}
}

// TestActionsPage: on the page of a connection or a room, what is chosen in the dialog is done.
func TestActionsPage(t *testing.T) {
	s := start(t, nil, dash.WithActions(allowAction))
	ada, nobody := s.join("ada", "lobby", "other"), s.join("", "lobby")
	tab := browser.Start(t).Open("dash", s.url+"#/conn/"+connsOf(s, "ada")[0].ID)
	look(tab, "light", 1280, 900)
	dialog := func(button string, fields map[string]string, says string) {
		t.Helper()
		tab.Await(`[...document.querySelectorAll("#detail button")].some((e) => e.checkVisibility() && ` + button + `)`)
		tab.Eval(`document.getElementById("toast").textContent = ""`)
		tab.Eval(`[...document.querySelectorAll("#detail button")].find((e) => ` + button + `).click()`)
		tab.Await(`document.getElementById("confirm").open`)
		fits(t, tab)
		for label, value := range fields {
			tab.Eval(fmt.Sprintf(`[...document.querySelectorAll("#confirm-fields label")].find((e) => e.innerText.startsWith(%q)).querySelector("input, select, textarea").value = %s`,
				label, quote(value)))
		}
		tab.Screenshot("actions-" + strings.ReplaceAll(says, " ", "-"))
		tab.Eval(`document.getElementById("confirm-yes").click()`)
		tab.Await(`document.getElementById("toast").textContent === ` + quote(says))
	}
	const send = `e.textContent === "Send…"`
	dialog(send, map[string]string{"Whom": "user", "JSON": `{"to":"the user"}`}, "sent")
	if m := await(t, ada, "message"); fmt.Sprint(m["data"]) != "map[to:the user]" {
		t.Errorf("got %v", m)
	}
	dialog(send, map[string]string{"JSON": `hello`}, "that is no JSON; nothing was sent")
	dialog(`e.textContent === "Remove…" && e.parentNode.innerText.includes("lobby")`, map[string]string{"Whom": "session", "Reason": "enough"}, "removed from lobby")
	if m := await(t, ada, "left"); m["room"] != "lobby" || m["message"] != "enough" {
		t.Errorf("got %v", m)
	}
	tab.Await(`!document.querySelector("#detail .rooms").innerText.includes("lobby") && document.querySelector("#detail .rooms").innerText.includes("other")`)
	look(tab, "dark", 390, 844)
	fits(t, tab)
	tab.Eval(`location.hash = "#/room/lobby"`)
	dialog(`e.textContent === "Remove…"`, nil, "removed from lobby") // an anonymous one, by its connection
	if m := await(t, nobody, "left"); m["room"] != "lobby" {
		t.Errorf("got %v", m)
	}
	tab.Await(`document.querySelector("#detail table").innerText.includes("nobody is in the room")`)
	for _, want := range []string{"action=send user=ada", "action=remove", "room=lobby"} {
		if !strings.Contains(s.logs.String(), want) {
			t.Errorf("the log has nothing of %s:\n%s", want, s.logs)
		}
	}
	if n := strings.Count(s.logs.String(), "action=send"); n != 1 {
		t.Errorf("%d messages were sent, want one", n)
	}
}

// lost is a broker that reaches no node.
type lost struct{ *memory.Broker }

func (lost) Broadcast(context.Context, []byte) error { return broker.ErrUnavailable }

// TestSendWithoutTheOthers: if the broker is lost, the answer says what was done here and what may not have been elsewhere.
func TestSendWithoutTheOthers(t *testing.T) {
	b, err := memory.New()
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, []hub.Option{hub.WithBroker(lost{b})}, dash.WithActions(allowAction))
	ada := s.join("ada")
	var f failure
	res := s.post("api/send", `{"user":"ada","data":1}`, &f)
	if res.StatusCode != http.StatusServiceUnavailable || f.Error.Code != "unavailable" || !strings.HasPrefix(f.Error.Message, "this node has done it") {
		t.Errorf("%s %+v", res.Status, f)
	}
	await(t, ada, "message")
	if err := s.hub.Close(); err != nil {
		t.Fatal(err)
	}
	res = s.post("api/send", `{"user":"ada","data":1}`, &f)
	if res.StatusCode != http.StatusServiceUnavailable || f.Error.Code != "closed" || strings.Contains(f.Error.Message, "has done it") {
		t.Errorf("%s %+v", res.Status, f)
	}
}
