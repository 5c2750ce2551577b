package hub_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/hub"
)

// historyServer has a room "past:a" that keeps five messages, of which n are published: 1 to n.
func historyServer(t *testing.T, tr transport, n int) (s *server, epoch string) {
	t.Helper()
	s = tr.start(t, hub.WithOpenRooms("*"), hub.WithRooms("past:*", hub.History(5, time.Hour)))
	for i := 1; i <= n; i++ {
		s.publish(t, "past:a", i)
	}
	page, err := s.History(t.Context(), "past:a", broker.Position{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	return s, page.Top.Epoch
}

func (s *server) publish(t testing.TB, room string, data any) {
	t.Helper()
	if _, err := s.PublishJSON(t.Context(), room, data); err != nil {
		t.Fatal(err)
	}
}

// historyFrames are the messages of past:a from one offset to another.
func historyFrames(epoch string, from, to int) (frames []string) {
	for i := from; i <= to; i++ {
		frames = append(frames, fmt.Sprintf(`{"op":"message","room":"past:a","epoch":%q,"offset":%d,"data":%d}`, epoch, i, i))
	}
	return frames
}

// TestJoinWithHistory joins a room whose history holds messages 4 to 8 of 8, by request and by resume: the answers are
// the same but for the id. Message 9, published afterwards, has to be the next in every case.
func TestJoinWithHistory(t *testing.T) {
	ok := func(offset int) string {
		return fmt.Sprintf(`{"op":"ok","id":1,"room":"past:a","epoch":"$E","offset":%d}`, offset)
	}
	gap := `{"op":"gap","room":"past:a","epoch":"$E","offset":8}`
	tests := []struct {
		name, fields string
		answer       []string
		from         int // the messages that follow are from this one to 8
	}{
		{"nothing asked for", ``, []string{ok(8)}, 9},
		{"the newest two", `,"history":2`, []string{ok(6)}, 7},
		{"more than there are", `,"history":100`, []string{ok(3)}, 4},
		{"position within", `,"epoch":"$E","offset":5`, []string{ok(5)}, 6},
		{"oldest position without a gap", `,"epoch":"$E","offset":3`, []string{ok(3)}, 4},
		{"position at the top", `,"epoch":"$E","offset":8`, []string{ok(8)}, 9},
		{"position with history ignored", `,"epoch":"$E","offset":4,"history":1`, []string{ok(4)}, 5},
		{"position too old", `,"epoch":"$E","offset":2`, []string{ok(2), gap}, 9},
		{"epoch alone", `,"epoch":"$E"`, []string{`{"op":"ok","id":1,"room":"past:a","epoch":"$E","offset":0}`, gap}, 9},
		{"foreign epoch", `,"epoch":"gone","offset":5`,
			[]string{`{"op":"ok","id":1,"room":"past:a","epoch":"gone","offset":5}`, gap}, 9},
	}
	overEach(t, func(t *testing.T, tr transport) {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				s, epoch := historyServer(t, tr, 8)
				fill := func(frame string) string { return strings.ReplaceAll(frame, "$E", epoch) }
				clients := make([]*client, 0, 2)

				c := s.dial(t)
				c.write(fill(`{"op":"join","id":1,"room":"past:a"` + tt.fields + `}`))
				for _, f := range tt.answer {
					c.expect(fill(f))
				}
				clients = append(clients, c)

				if !strings.Contains(tt.fields, "history") { // which hello does not have
					c := s.dialV1(t, fill(`{"op":"hello","resume":[{"room":"past:a"`+tt.fields+`}]}`))
					for _, f := range tt.answer {
						c.expect(strings.Replace(fill(f), `"id":1,`, "", 1))
					}
					clients = append(clients, c)
				}
				for _, c := range clients {
					c.expect(historyFrames(epoch, tt.from, 8)...)
				}
				s.publish(t, "past:a", 9)
				for _, c := range clients {
					c.expect(historyFrames(epoch, 9, 9)...)
				}
				var recovered, withGap int64
				switch n := int64(len(clients)); {
				case len(tt.answer) > 1:
					withGap = n
				case strings.Contains(tt.fields, "epoch"):
					recovered = n
				}
				await(t, "who resumed is counted", func() bool {
					st := s.Stats()
					return st.Recovered == recovered && st.RecoveredWithGap == withGap
				})
			})
		}
	})
}

// TestJoinOptions is about joins by the server.
func TestJoinOptions(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		s, epoch := historyServer(t, tr, 5)
		options := map[string]struct {
			opts []hub.JoinOption
			from int
		}{
			"none":             {nil, 6},
			"newest":           {[]hub.JoinOption{hub.Newest(2)}, 4},
			"since":            {[]hub.JoinOption{hub.Since(broker.Position{Epoch: epoch, Offset: 1})}, 2},
			"since and newest": {[]hub.JoinOption{hub.Newest(1), hub.Since(broker.Position{Epoch: epoch, Offset: 2})}, 3},
		}
		next := make(chan []hub.JoinOption, 1)
		s.OnConnect(func(ctx context.Context, c *hub.Conn) error { return c.Join(ctx, "past:a", <-next...) })
		for name, o := range options {
			next <- o.opts
			c := s.dial(t)
			want := fmt.Sprintf(`{"op":"joined","room":"past:a","epoch":%q,"offset":%d}`, epoch, o.from-1)
			if got := c.next(); got != want {
				t.Errorf("%s: got %s, want %s", name, got, want)
			}
			c.expect(historyFrames(epoch, o.from, 5)...)
			c.alive()
		}
	})
}

// TestJoinInOnConnectResumes: a room that the server joins goes on from where the client's hello says, once.
func TestJoinInOnConnectResumes(t *testing.T) {
	s, epoch := historyServer(t, poller, 5)
	s.OnConnect(func(ctx context.Context, c *hub.Conn) error {
		if err := c.Join(ctx, "plain"); err != nil { // which has no history, whatever the client believes
			return err
		}
		return c.Join(ctx, "past:a")
	})
	c := s.dialV1(t, `{"op":"hello","resume":[{"room":"plain","epoch":"x","offset":1},{"room":"past:a","epoch":"`+epoch+`","offset":3}]}`)
	c.expect(`{"op":"joined","room":"plain"}`, `{"op":"joined","room":"past:a","epoch":"`+epoch+`","offset":3}`)
	c.expect(historyFrames(epoch, 4, 5)...)
	c.alive()
}

// TestResumeIsAuthorized: resuming a room is joining it.
func TestResumeIsAuthorized(t *testing.T) {
	s := start(t, hub.WithOpenRooms("open"), hub.WithMaxRooms(1))
	c := s.dialV1(t, `{"op":"hello","id":1,"resume":[{"room":"closed"},{"room":"open"},{"room":"open"},{"room":""}]}`)
	for _, want := range []reply{
		{Op: "error", Room: "closed", Code: "forbidden"},
		{Op: "ok", Room: "open"},
		{Op: "error", Code: "bad_room"},
	} {
		if got := c.read(); got.Op != want.Op || got.Room != want.Room || got.Code != want.Code || got.ID != 0 {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	c.alive()
}

// TestJoinAgain: a second join is answered as the first, with a position to go on from, and neither loses nor
// repeats a message.
func TestJoinAgain(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		s, epoch := historyServer(t, tr, 3)
		c := s.dial(t)
		c.write(`{"op":"join","id":1,"room":"past:a"}`)
		c.expect(`{"op":"ok","id":1,"room":"past:a","epoch":"` + epoch + `","offset":3}`)
		s.publish(t, "past:a", 4)
		c.expect(historyFrames(epoch, 4, 4)...)
		c.write(`{"op":"join","id":2,"room":"past:a"}`)
		c.expect(`{"op":"ok","id":2,"room":"past:a","epoch":"` + epoch + `","offset":4}`)
		c.write(`{"op":"join","id":3,"room":"past:a","epoch":"` + epoch + `","offset":2}`)
		c.expect(`{"op":"ok","id":3,"room":"past:a","epoch":"` + epoch + `","offset":2}`)
		c.expect(historyFrames(epoch, 3, 4)...)
		s.publish(t, "past:a", 5)
		c.expect(historyFrames(epoch, 5, 5)...)
		c.write(`{"op":"leave","id":4,"room":"past:a"}`)
		c.expect(`{"op":"ok","id":4,"room":"past:a"}`)
		s.publish(t, "past:a", 6)
		c.alive()
	})
}

// TestJoinWhilePublishing: whoever joins while messages stream in gets all from its position on, in order, once.
func TestJoinWhilePublishing(t *testing.T) {
	const messages, joiners = 2000, 20
	overEach(t, func(t *testing.T, tr transport) {
		s := tr.start(t, hub.WithOpenRooms("*"), hub.WithRooms("past:*", hub.History(messages, time.Hour)), hub.WithBacklog(messages, 1<<20))
		published := make(chan error, 1)
		go func() {
			for i := 1; i <= messages; i++ {
				if _, err := s.PublishJSON(context.Background(), "past:a", i); err != nil {
					published <- err
					return
				}
			}
			published <- nil
		}()
		for range joiners {
			c := s.dial(t)
			join := `{"op":"join","id":1,"room":"past:a","history":10}`
			last := c.ask(join).Offset
			for range 100 {
				if last == messages {
					break
				}
				r := c.read()
				if last++; r.Op != "message" || r.Offset != last || string(r.Data) != fmt.Sprint(last) {
					t.Fatalf("got %+v, want message %d", r, last)
				}
			}
			_ = c.ws.Close()
		}
		if err := receive(t, "the publisher", published); err != nil {
			t.Fatal(err)
		}
	})
}
