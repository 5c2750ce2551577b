package client_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"github.com/gohubkit/hubkit/client"
	"github.com/gohubkit/hubkit/protocol"
)

func TestBackpressure(t *testing.T) {
	var states chan client.State
	virtual(t, func(t *testing.T, s *server, c *client.Client) {
		states = make(chan client.State, 100)
		release := make(chan struct{})
		var got []int
		subscribe(t, c, "r", func(m client.Message) {
			<-release
			got = append(got, int(m.Position.Offset))
		})
		run(t, c)
		p, _ := s.greet()
		p.ok(0, "r", at(0))
		awaitLong(states, client.Connected)
		_, ended := p.listen(true)
		var written atomic.Int32
		ws := p.ws
		go func() {
			for i := range 100 {
				frame := protocol.AppendMessage(nil, "r", []byte("1"), "e1", uint64(i+1))
				if ws.WriteMessage(websocket.TextMessage, frame) != nil {
					return
				}
				written.Add(1)
			}
		}()
		synctest.Wait()
		// 5 in the inbox, one with the callback, and one in the reader's hands.
		if n := written.Load(); n != 7 {
			t.Errorf("client took %d messages, want 7", n)
		}
		time.Sleep(34 * time.Second)
		synctest.Wait()
		if n := written.Load(); n != 7 {
			t.Errorf("client took %d messages, want 7", n)
		}
		// The server has not heard a pong for so long that it must take the client for dead.
		time.Sleep(time.Second)
		var e *websocket.CloseError
		if err := <-ended; !errors.As(err, &e) || e.Code != websocket.CloseGoingAway {
			t.Errorf("client ended the connection with %v", err)
		}
		close(release)
		p, hello := s.greet()
		if !slices.Equal(hello.Resume, []room{{"r", at(6)}}) {
			t.Errorf("hello resumes %v", hello.Resume)
		}
		p.ok(0, "r", at(6))
		for i := range 94 {
			p.message("r", "1", at(uint64(i+7)))
		}
		synctest.Wait()
		for i, offset := range got {
			if offset != i+1 {
				t.Fatalf("got offset %d at place %d", offset, i)
			}
		}
		if len(got) != 100 {
			t.Errorf("got %d messages, want 100", len(got))
		}
	}, client.WithInbox(5), client.OnState(func(st client.State) { states <- st }))
}

func TestRate(t *testing.T) {
	virtual(t, func(t *testing.T, s *server, c *client.Client) {
		for range 25 {
			if _, err := c.PublishAsync("r", []byte("1")); err != nil {
				t.Fatal(err)
			}
		}
		run(t, c)
		p, _ := s.greet()
		start := time.Now()
		for i := range 25 {
			p.ok(p.want(protocol.OpPublish).ID, "r", client.Position{})
			due := time.Duration(max(i-4, 0)) * 100 * time.Millisecond
			if d := time.Since(start); d < due || d > due+time.Microsecond {
				t.Errorf("publication %d came after %v, want %v", i, d, due)
			}
		}
	}, client.WithRate(10, 5))
}

func TestCallbackOrder(t *testing.T) {
	var events []string
	note := func(what string) {
		events = append(events, what)
		time.Sleep(time.Millisecond) // others would overtake
	}
	virtual(t, func(t *testing.T, s *server, c *client.Client) {
		message := func(m client.Message) { note(fmt.Sprint(m.Room, string(m.Data))) }
		for _, room := range []string{"a", "b"} {
			subscribe(t, c, room, message, client.OnError(func(error) { note("error") }),
				client.OnGap(func(client.Gap) { note("gap") }),
				client.OnPresence(func(bool, client.Member) { note("presence") }))
		}
		r := run(t, c)
		p, _ := s.greet()
		p.ok(0, "a", client.Position{})
		p.ok(0, "b", at(0))
		p.message("a", "1", client.Position{})
		p.message("b", "2", at(1))
		p.send(protocol.AppendStale(nil))
		p.message("", "3", client.Position{})
		p.send(protocol.AppendJoin(nil, "b", client.Member{Conn: "c"}))
		p.send(protocol.AppendGap(nil, "b", "e1", 5))
		p.message("b", "4", at(6))
		p.close(1012, "")
		p, _ = s.greet()
		p.fail(0, "a", &protocol.Error{Code: protocol.CodeForbidden})
		p.ok(0, "b", at(6))
		p.message("b", "5", at(7))
		p.close(4102, "")
		<-r.ended
	}, client.OnMessage(func(m client.Message) { note(string(m.Data)) }),
		client.OnState(func(st client.State) { note(st.Status.String()) }))
	want := "connecting connected a1 b2 stale 3 presence gap b4 disconnected " +
		"connecting connected error b5 closed"
	if got := strings.Join(events, " "); got != want {
		t.Errorf("callbacks were made in the order\n%s, want\n%s", got, want)
	}
}
