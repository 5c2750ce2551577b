package hub_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/broker/memory"
	hubclient "github.com/gohubkit/hubkit/client"
	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/protocol"
)

// TestHistoryOp reads the room past:a, whose history holds messages 4 to 8 of 8.
func TestHistoryOp(t *testing.T) {
	s, epoch := historyServer(t, poller, 8)
	s.publish(t, "past:other", 1)
	c := s.dial(t)
	c.ask(`{"op":"join","id":1,"room":"past:a"}`)
	page := func(more bool, offsets ...int) string {
		var messages []string
		for _, o := range offsets {
			messages = append(messages, fmt.Sprintf(`{"offset":%d,"data":%d}`, o, o))
		}
		end := "]"
		if more {
			end = `],"more":true`
		}
		return fmt.Sprintf(`{"op":"ok","id":2,"epoch":%q,"offset":8,"data":{"messages":[%s%s}}`, epoch, strings.Join(messages, ","), end)
	}
	refused := func(code, room string) string {
		return fmt.Sprintf(`{"op":"error","id":2,"room":%q,"code":%q,"message":`, room, code)
	}
	for name, tt := range map[string]struct{ room, fields, want string }{
		"all":                        {"past:a", ``, page(false, 4, 5, 6, 7, 8)},
		"a limit":                    {"past:a", `,"limit":2`, page(true, 4, 5)},
		"after a position":           {"past:a", `,"epoch":"$E","offset":6`, page(false, 7, 8)},
		"after a position, a limit":  {"past:a", `,"epoch":"$E","offset":4,"limit":3`, page(true, 5, 6, 7)},
		"after the newest":           {"past:a", `,"epoch":"$E","offset":8`, page(false)},
		"newest first":               {"past:a", `,"reverse":true`, page(false, 8, 7, 6, 5, 4)},
		"newest first, a limit":      {"past:a", `,"reverse":true,"limit":2`, page(true, 8, 7)},
		"before a position":          {"past:a", `,"reverse":true,"epoch":"$E","offset":6`, page(false, 5, 4)},
		"before a position, a limit": {"past:a", `,"reverse":true,"epoch":"$E","offset":6,"limit":1`, page(true, 5)},
		"before the oldest":          {"past:a", `,"reverse":true,"epoch":"$E","offset":4`, page(false)},
		"after what is dropped":      {"past:a", `,"epoch":"$E","offset":2`, refused("gone", "past:a")},
		"another epoch":              {"past:a", `,"epoch":"other","offset":5`, refused("gone", "past:a")},
		"another epoch, in reverse":  {"past:a", `,"reverse":true,"epoch":"other","offset":5`, refused("gone", "past:a")},
		"a room it is not in":        {"past:other", ``, refused("unknown_room", "past:other")},
		"a room that is not":         {"", ``, refused("bad_room", "")[:len(`{"op":"error","id":2,`)]},
	} {
		t.Run(name, func(t *testing.T) {
			c.t = t
			c.write(fmt.Sprintf(`{"op":"history","id":2,"room":%q%s}`, tt.room, strings.ReplaceAll(tt.fields, "$E", epoch)))
			if got := c.next(); got != tt.want && (!strings.HasPrefix(tt.want, `{"op":"error"`) || !strings.HasPrefix(got, tt.want)) {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
	c.t = t
	c.ask(`{"op":"join","id":3,"room":"plain"}`)
	if r := c.ask(`{"op":"history","id":4,"room":"plain"}`); r.Code != "no_history" {
		t.Errorf("a room without history answers %+v", r)
	}
	c.ask(`{"op":"leave","id":5,"room":"past:a"}`)
	if r := c.ask(`{"op":"history","id":6,"room":"past:a"}`); r.Code != "unknown_room" {
		t.Errorf("a room that it has left answers %+v", r)
	}
}

// TestOnHistory: who is not in a room reads its history only if the application says so, and an error is no verdict unless it
// says so.
func TestOnHistory(t *testing.T) {
	away := errors.New("the database is away")
	for name, tt := range map[string]struct {
		decide func() error
		want   protocol.ErrorCode // empty: read
	}{
		"allowed":       {func() error { return nil }, ""},
		"forbidden":     {func() error { return hub.ErrForbidden }, protocol.CodeForbidden},
		"an own code":   {func() error { return &hub.Error{Code: "unpaid"} }, "unpaid"},
		"failed":        {func() error { return away }, protocol.CodeUnavailable},
		"a context":     {func() error { return context.DeadlineExceeded }, protocol.CodeUnavailable},
		"a panic":       {func() error { panic("broken") }, protocol.CodeInternal},
		"a nil pointer": {func() error { var e *hub.Error; return e }, protocol.CodeInternal},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := historyServer(t, poller, 3)
			asked := make(chan string, 10)
			s.OnHistory(func(_ context.Context, c *hub.Conn, room string) error {
				asked <- c.Identity().User + room
				return tt.decide()
			})
			c := s.dial(t)
			r := c.ask(`{"op":"history","id":1,"room":"past:a"}`)
			if tt.want == "" && (r.Op != "ok" || r.Offset != 3) || protocol.ErrorCode(r.Code) != tt.want {
				t.Errorf("answered %+v, want %q", r, tt.want)
			}
			if got := <-asked; got != "past:a" {
				t.Errorf("asked about %q", got)
			}
			c.ask(`{"op":"join","id":2,"room":"past:a"}`)
			if r := c.ask(`{"op":"history","id":3,"room":"past:a"}`); r.Op != "ok" {
				t.Errorf("a member is answered %+v", r)
			}
			if len(asked) > 0 {
				t.Error("asked about a room that the client is in")
			}
		})
	}
}

// TestHistoryOfGoClient reads a history of large and small messages in both directions, page by page.
func TestHistoryOfGoClient(t *testing.T) {
	s := start(t, hub.WithOpenRooms("*"), hub.WithRooms("*", hub.History(1000, time.Hour)))
	for i := 1; i <= 300; i++ {
		s.publish(t, "r", strings.Repeat("x", 1+(i*i)%997*(1+i%3)))
	}
	c := s.goClientIn(t, "r")
	for _, limit := range []int{0, 7, 1000} {
		for _, reverse := range []bool{false, true} {
			want := make([]uint64, 300)
			for i := range want {
				want[i] = uint64(i + 1)
			}
			if reverse {
				slices.Reverse(want)
			}
			var got []uint64
			for m, err := range c.HistoryMessages(t.Context(), "r", hubclient.HistoryQuery{Limit: limit, Reverse: reverse}) {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, m.Position.Offset)
				if i := int(m.Position.Offset); len(m.Data) != 2+1+(i*i)%997*(1+i%3) {
					t.Errorf("message %d has %d bytes", i, len(m.Data))
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("limit %d, reverse %v: offsets %v", limit, reverse, got)
			}
		}
	}
}

// TestHistoryPageIsBounded: a page ends at 48 KiB, and has one message in any case.
func TestHistoryPageIsBounded(t *testing.T) {
	s := start(t, hub.WithOpenRooms("*"), hub.WithRooms("*", hub.History(1000, time.Hour)))
	for _, size := range []int{60 << 10, 20 << 10, 20 << 10, 20 << 10, 60 << 10} {
		s.publish(t, "r", strings.Repeat("x", size))
	}
	c := s.dial(t)
	c.ask(`{"op":"join","id":1,"room":"r"}`)
	read := func(fields string) (offsets []uint64, more bool) {
		t.Helper()
		r := c.ask(`{"op":"history","id":2,"limit":1000,"room":"r"` + fields + `}`)
		page, err := protocol.ParseHistory(r.Data)
		if err != nil || r.Op != "ok" {
			t.Fatalf("%s: %v", r.Code, err)
		}
		for _, m := range page.Messages {
			offsets = append(offsets, m.Offset)
		}
		return offsets, page.More
	}
	if got, more := read(``); !slices.Equal(got, []uint64{1}) || !more {
		t.Errorf("the first page is %v, more %v", got, more)
	}
	if got, more := read(`,"reverse":true`); !slices.Equal(got, []uint64{5}) || !more {
		t.Errorf("the newest page is %v, more %v", got, more)
	}
	epoch := c.ask(`{"op":"join","id":1,"room":"r"}`).Epoch
	if got, more := read(`,"epoch":"` + epoch + `","offset":1`); !slices.Equal(got, []uint64{2, 3}) || !more {
		t.Errorf("the second page is %v, more %v", got, more)
	}
}

// TestHistoryOfUnsoundMessages: what other programs have published that no client can be sent is left out. It ends a page, and
// one who reads on behind it hears that the history does not go on.
func TestHistoryOfUnsoundMessages(t *testing.T) {
	b, err := memory.New()
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, hub.WithBroker(b), hub.WithOpenRooms("*"), hub.WithRooms("*", hub.History(1000, time.Hour)))
	kept := broker.Retention{Size: 1000, TTL: time.Hour}
	for _, data := range []string{"{", "2", "3", "\xff", "{", "6"} {
		if _, err := b.Publish(t.Context(), "r", broker.Publication{Data: []byte(data), Retention: kept}); err != nil {
			t.Fatal(err)
		}
	}
	c := s.dial(t)
	epoch := c.ask(`{"op":"join","id":1,"room":"r"}`).Epoch
	for fields, want := range map[string]string{
		``:                         `{"messages":[{"offset":2,"data":2},{"offset":3,"data":3}],"more":true}`,
		`,"limit":1`:               `{"messages":[{"offset":2,"data":2}],"more":true}`,
		`,"epoch":"$E","offset":3`: ``,
		`,"epoch":"$E","offset":5`: `{"messages":[{"offset":6,"data":6}]}`,
		`,"reverse":true`:          `{"messages":[{"offset":6,"data":6}],"more":true}`,
		`,"reverse":true,"epoch":"$E","offset":6,"limit":1`: `{"messages":[{"offset":3,"data":3}],"more":true}`,
		`,"reverse":true,"epoch":"$E","offset":2`:           `{"messages":[]}`,
	} {
		r := c.ask(`{"op":"history","id":2,"room":"r"` + strings.ReplaceAll(fields, "$E", epoch) + `}`)
		if string(r.Data) != want || want == "" && r.Code != "gone" {
			t.Errorf("%s: %s, %q; want %s", fields, r.Data, r.Code, want)
		}
	}
}

func TestHistoryBefore(t *testing.T) {
	s, epoch := historyServer(t, poller, 8)
	page, err := s.HistoryBefore(t.Context(), "past:a", broker.Position{Epoch: epoch, Offset: 8}, 2)
	if err != nil || len(page.Messages) != 2 || page.Messages[0].Position.Offset != 7 || !page.More {
		t.Errorf("read %+v, %v", page, err)
	}
	if _, err := s.HistoryBefore(t.Context(), "plain", broker.Position{}, 2); !errors.Is(err, hub.ErrNoHistory) {
		t.Errorf("a room without history: %v", err)
	}
}
