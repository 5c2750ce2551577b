package client_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/gohubkit/hubkit/client"
	"github.com/gohubkit/hubkit/protocol"
)

// TestMessageAboveTheReadLimit costs that message: who waits for it is told, and the connection goes on.
func TestMessageAboveTheReadLimit(t *testing.T) {
	const limit = 1000
	s := newServer(t)
	states, onState := collect[client.State](100)
	direct, onDirect := collect[client.Message](10)
	strays, onStray := collect[client.Message](10)
	c := newClient(t, s.url, client.WithReadLimit(limit), client.OnState(onState), client.OnMessage(onDirect), client.OnRoomMessage(onStray))
	got, f, _ := offsets(100)
	gaps, onGap := collect[client.Gap](10)
	errs, onError := collect[error](10)
	past := subscribe(t, c, "past", f, client.OnGap(onGap), client.OnError(onError))
	plain, onPlain := collect[client.Message](10)
	subscribe(t, c, "plain", onPlain, client.OnError(onError), client.OnPresence(func(bool, client.Member) {}))
	subscribe(t, c, "unheard", onPlain, client.OnError(onError))
	run(t, c)
	p, _ := s.greet()
	awaitStatus(t, states, client.Connected)
	p.ok(0, "past", at(5))
	p.ok(0, "plain", client.Position{})
	p.ok(0, "unheard", client.Position{})
	for _, size := range []int{limit, 100 * limit, 5000 * limit} {
		large := `"` + strings.Repeat("x", size) + `"`

		offset := past.Position().Offset
		if offset == 0 {
			ready(t, past)
			offset = past.Position().Offset
		}
		p.message("past", "1", at(offset+1))
		p.message("past", large, at(offset+2))
		p.message("past", large, at(offset+2)) // a duplicate
		p.message("past", "3", at(offset+3))
		wantOffsets(t, got, int(offset+1), int(offset+3))
		if g := receive(t, gaps); g != (client.Gap{Room: "past", From: at(offset + 1), To: at(offset + 2)}) {
			t.Errorf("gap is %+v", g)
		}
		told := func(room string) {
			t.Helper()
			var e *client.RoomError
			if err := receive(t, errs); !errors.Is(err, client.ErrTooLarge) || !errors.As(err, &e) || e.Room != room ||
				!strings.Contains(err.Error(), "WithReadLimit") {
				t.Errorf("OnError got %v, want what to set, for %s", err, room)
			}
		}
		told("past")
		for past.Position() != at(offset+3) { // set when the callback has returned
			time.Sleep(time.Millisecond)
		}

		member := client.Member{Conn: "c1", Info: []byte(large)}
		p.send(protocol.AppendJoin(nil, "unheard", member)) // nobody asked
		p.send(protocol.AppendJoin(nil, "plain", member))
		told("plain")
		p.message("plain", large, client.Position{})
		told("plain")
		p.message("plain", "2", client.Position{})
		if m := receive(t, plain); string(m.Data) != "2" {
			t.Errorf("got %s", m.Data)
		}

		for _, room := range []string{"", "lobby"} {
			p.message(room, large, client.Position{})
			if st := receive(t, states); st.Status != client.Dropped || !errors.Is(st.Err, client.ErrTooLarge) ||
				!strings.Contains(st.Err.Error(), room) {
				t.Errorf("state is %+v", st)
			}
			p.message(room, "2", client.Position{})
		}
		if m := receive(t, direct); string(m.Data) != "2" {
			t.Errorf("got %s", m.Data)
		}
		if m := receive(t, strays); string(m.Data) != "2" {
			t.Errorf("got %s", m.Data)
		}
		p.send([]byte(`{"op":"` + strings.Repeat("x", size) + `"}`))
		if st := receive(t, states); st.Status != client.Dropped {
			t.Errorf("state is %+v", st)
		}

		asked := make(chan error, 1)
		go func() {
			_, err := c.Presence(t.Context(), "plain")
			asked <- err
		}()
		q := p.want(protocol.OpPresence)
		p.send(protocol.AppendOK(nil, protocol.OK{ID: q.ID, Room: "plain", Data: []byte(large)}))
		if err := receive(t, asked); !errors.Is(err, client.ErrTooLarge) {
			t.Error("Presence returned", err)
		}
		p.send(protocol.AppendOK(nil, protocol.OK{ID: q.ID, Room: "plain", Data: []byte(large)})) // nobody waits for it
	}
	if len(states) != 0 || len(errs) != 0 || len(gaps) != 0 {
		t.Errorf("%d states, %d errors and %d gaps are left", len(states), len(errs), len(gaps))
	}
}

// TestFragmentsAboveTheReadLimit: what is too large in many frames is dropped as what is too large in one.
func TestFragmentsAboveTheReadLimit(t *testing.T) {
	s := newServer(t)
	c := newClient(t, s.url, client.WithReadLimit(1000))
	got, f := collect[client.Message](10)
	errs, onError := collect[error](10)
	subscribe(t, c, "r", f, client.OnError(onError))
	run(t, c)
	p, _ := s.greet()
	p.ok(0, "r", client.Position{})
	frame := protocol.AppendMessage(nil, "r", []byte(`"`+strings.Repeat("x", 100_000)+`"`), "", 0)
	w, err := p.ws.NextWriter(websocket.TextMessage)
	if err != nil {
		t.Fatal(err)
	}
	for len(frame) > 0 {
		n := min(len(frame), 777)
		if _, err := w.Write(frame[:n]); err != nil {
			t.Fatal(err)
		}
		frame = frame[n:]
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	p.message("r", "2", client.Position{})
	if err := receive(t, errs); !errors.Is(err, client.ErrTooLarge) {
		t.Error("OnError got", err)
	}
	if m := receive(t, got); string(m.Data) != "2" {
		t.Errorf("got %s", m.Data)
	}
}

// TestWelcomeAboveTheReadLimit: the client goes without the application's data, and says so.
func TestWelcomeAboveTheReadLimit(t *testing.T) {
	for _, compress := range []bool{false, true} {
		s := newServer(t)
		s.compress = compress
		states, onState := collect[client.State](100)
		c := newClient(t, s.url, client.WithReadLimit(1000), client.OnState(onState), client.WithCompression())
		run(t, c)
		p := s.accept()
		p.want(protocol.OpHello)
		p.send(protocol.AppendWelcome(nil, protocol.Welcome{Conn: "c7", Limits: protocol.Limits{Message: 300},
			Data: []byte(`"` + strings.Repeat("x", 10_000) + `"`)}))
		if st := awaitStatus(t, states, client.Connected); st.Conn != "c7" || st.Data != nil {
			t.Errorf("state is %+v", st)
		}
		if st := receive(t, states); st.Status != client.Dropped || !errors.Is(st.Err, client.ErrTooLarge) {
			t.Errorf("state is %+v", st)
		}
		pub, err := c.PublishAsync("r", []byte(`"`+strings.Repeat("x", 300)+`"`)) // the limits were read
		if err != nil {
			t.Fatal(err)
		}
		if _, err := pub.Wait(t.Context()); !errors.Is(err, protocol.CodeTooLarge) {
			t.Error("the publication:", err)
		}
	}
}

// TestInflatedAboveTheReadLimit ends the connection, with 1009, but not for ever: the client goes on behind the message.
func TestInflatedAboveTheReadLimit(t *testing.T) {
	s := newServer(t)
	s.compress = true
	c := newClient(t, s.url, client.WithReadLimit(1000), client.WithCompression())
	got, f, onGap := offsets(100)
	errs, onError := collect[error](10)
	subscribe(t, c, "r", f, onGap, client.OnError(onError))
	run(t, c)
	p, _ := s.greet()
	p.ok(0, "r", at(1))
	p.message("r", "2", at(2))
	p.message("r", `"`+strings.Repeat("x", 1<<20)+`"`, at(3))
	if code := p.goodbye(); code != websocket.CloseMessageTooBig {
		t.Errorf("client closed with %d", code)
	}
	wantOffsets(t, got, 2, -3)
	if err := receive(t, errs); !errors.Is(err, client.ErrTooLarge) {
		t.Error("OnError got", err)
	}
	p, hello := s.greet()
	if pos := hello.Resume[0].Position; pos != at(3) {
		t.Errorf("hello resumes from %v", pos)
	}
	p.ok(0, "r", at(3))
	p.message("r", "4", at(4))
	wantOffsets(t, got, 4)
}
