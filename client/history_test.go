package client_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/gohubkit/hubkit/client"
	"github.com/gohubkit/hubkit/protocol"
)

// stored is a room's history for a server that plays by the book.
type stored struct {
	epoch  string
	oldest uint64
	newest uint64
	page   int // at most so many messages
}

func (h stored) answer(q request) ([]byte, *protocol.Error) {
	var page protocol.History
	from, step := q.Position.Offset, 1
	switch {
	case !q.Position.IsZero() && q.Position.Epoch != h.epoch, !q.Position.IsZero() && !q.Reverse && from+1 < h.oldest:
		return nil, &protocol.Error{Code: protocol.CodeGone}
	case q.Reverse:
		step = -1
		if q.Position.IsZero() || from > h.newest {
			from = h.newest + 1
		}
	case q.Position.IsZero():
		from = h.oldest - 1
	}
	inside := func(offset uint64) bool { return offset >= h.oldest && offset <= h.newest }
	offset := from + uint64(step)
	for ; inside(offset) && len(page.Messages) < min(h.page, cmp.Or(q.Limit, protocol.DefaultPage)); offset += uint64(step) {
		page.Messages = append(page.Messages, protocol.HistoryMessage{Offset: offset, Data: fmt.Append(nil, offset)})
	}
	page.More = inside(offset)
	return protocol.AppendOK(nil, protocol.OK{ID: q.ID, Epoch: h.epoch, Offset: h.newest, Data: protocol.AppendHistory(nil, page)}), nil
}

// serve answers the requests of a connection until it ends.
func (p *peer) serve(answer func(q request) ([]byte, *protocol.Error)) {
	for {
		q, err := p.next()
		if err != nil {
			return
		}
		frame, refused := answer(q)
		if refused != nil {
			frame = protocol.AppendError(nil, q.ID, q.Room, refused)
		}
		p.reply(frame)
	}
}

// connected is a client with a server that answers its requests.
func connected(t *testing.T, answer func(q request) ([]byte, *protocol.Error)) *running {
	t.Helper()
	s := newServer(t)
	r := run(t, newClient(t, s.url))
	p, _ := s.greet()
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.serve(answer)
	}()
	t.Cleanup(func() { r.cancel(); <-done })
	return r
}

func TestHistory(t *testing.T) {
	h := stored{epoch: "e1", oldest: 4, newest: 30, page: 5}
	c := connected(t, h.answer)
	up := func(from, to uint64) (offsets []uint64) {
		for i := from; i <= to; i++ {
			offsets = append(offsets, i)
		}
		return offsets
	}
	down := func(from, to uint64) []uint64 {
		offsets := up(to, from)
		slices.Reverse(offsets)
		return offsets
	}
	for name, tt := range map[string]struct {
		q    client.HistoryQuery
		want []uint64
		err  protocol.ErrorCode
	}{
		"all":                     {client.HistoryQuery{}, up(4, 30), ""},
		"all, from the newest":    {client.HistoryQuery{Reverse: true}, down(30, 4), ""},
		"small pages":             {client.HistoryQuery{Limit: 1}, up(4, 30), ""},
		"large pages":             {client.HistoryQuery{Limit: 1000, Reverse: true}, down(30, 4), ""},
		"after a position":        {client.HistoryQuery{From: at(20)}, up(21, 30), ""},
		"after the oldest's":      {client.HistoryQuery{From: at(3)}, up(4, 30), ""},
		"after the newest":        {client.HistoryQuery{From: at(30)}, nil, ""},
		"before a position":       {client.HistoryQuery{From: at(20), Reverse: true}, down(19, 4), ""},
		"before the oldest":       {client.HistoryQuery{From: at(4), Reverse: true}, nil, ""},
		"before what is to come":  {client.HistoryQuery{From: at(99), Reverse: true}, down(30, 4), ""},
		"after what is gone":      {client.HistoryQuery{From: at(2)}, nil, protocol.CodeGone},
		"of an epoch that is not": {client.HistoryQuery{From: client.Position{Epoch: "e0", Offset: 9}, Reverse: true}, nil, protocol.CodeGone},
	} {
		t.Run(name, func(t *testing.T) {
			if tt.q.Limit == 0 {
				tt.q.Limit = protocol.DefaultPage
			}
			var got []uint64
			var last error
			for m, err := range c.HistoryMessages(t.Context(), "r", tt.q) {
				if last = err; err != nil {
					continue
				}
				if m.Room != "r" || m.Position.Epoch != "e1" || string(m.Data) != fmt.Sprint(m.Position.Offset) {
					t.Errorf("message %+v", m)
				}
				got = append(got, m.Position.Offset)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("offsets %v, want %v", got, tt.want)
			}
			if tt.err == "" && last != nil || tt.err != "" && !errors.Is(last, tt.err) {
				t.Errorf("error %v, want %v", last, tt.err)
			}
		})
	}
	p, err := c.History(t.Context(), "r", client.HistoryQuery{Limit: 2, Reverse: true})
	if err != nil || len(p.Messages) != 2 || p.Newest != at(30) || !p.More {
		t.Errorf("page %+v, %v", p, err)
	}
	for _, err := range c.HistoryMessages(t.Context(), "r", client.HistoryQuery{}) {
		if err != nil {
			t.Error(err)
		}
		break // a reader may stop
	}
}

func TestHistoryErrors(t *testing.T) {
	c := connected(t, func(request) ([]byte, *protocol.Error) {
		return nil, &protocol.Error{Code: protocol.CodeNoHistory}
	})
	for name, f := range map[string]func() error{
		"room":  func() error { _, err := c.History(t.Context(), "", client.HistoryQuery{}); return err },
		"limit": func() error { _, err := c.History(t.Context(), "r", client.HistoryQuery{Limit: 1001}); return err },
		"below": func() error { _, err := c.History(t.Context(), "r", client.HistoryQuery{Limit: -1}); return err },
		"epoch": func() error {
			_, err := c.History(t.Context(), "r", client.HistoryQuery{From: client.Position{Offset: 1}})
			return err
		},
		"offset": func() error {
			_, err := c.History(t.Context(), "r", client.HistoryQuery{From: at(1 << 53)})
			return err
		},
		"page": func() error { _, err := c.PresencePage(t.Context(), "r", "", 1001); return err },
	} {
		if err := f(); !errors.Is(err, client.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := c.History(t.Context(), "r", client.HistoryQuery{}); !errors.Is(err, protocol.CodeNoHistory) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.History(ctx, "r", client.HistoryQuery{}); !errors.Is(err, context.Canceled) && !errors.Is(err, protocol.CodeNoHistory) {
		t.Error(err)
	}
}

// TestHistoryOfAServerThatErrs: holes and pages that lead nowhere are errors, and no reader goes round in circles.
func TestHistoryOfAServerThatErrs(t *testing.T) {
	for name, tt := range map[string]struct {
		data string
		q    client.HistoryQuery
	}{
		"no data":                 {"", client.HistoryQuery{}},
		"no page":                 {`5`, client.HistoryQuery{}},
		"more of nothing":         {`{"messages":[],"more":true}`, client.HistoryQuery{}},
		"a hole":                  {`{"messages":[{"offset":4,"data":1},{"offset":6,"data":1}]}`, client.HistoryQuery{}},
		"backwards":               {`{"messages":[{"offset":4,"data":1},{"offset":3,"data":1}]}`, client.HistoryQuery{}},
		"forwards":                {`{"messages":[{"offset":3,"data":1},{"offset":4,"data":1}]}`, client.HistoryQuery{Reverse: true}},
		"the same again":          {`{"messages":[{"offset":4,"data":1}],"more":true}`, client.HistoryQuery{From: at(4)}},
		"the same again, back":    {`{"messages":[{"offset":4,"data":1}],"more":true}`, client.HistoryQuery{From: at(4), Reverse: true}},
		"a hole after a position": {`{"messages":[{"offset":6,"data":1}]}`, client.HistoryQuery{From: at(4)}},
	} {
		c := connected(t, func(q request) ([]byte, *protocol.Error) {
			return protocol.AppendOK(nil, protocol.OK{ID: q.ID, Epoch: "e1", Offset: 9, Data: []byte(tt.data)}), nil
		})
		n := 0
		var last error
		for _, last = range c.HistoryMessages(t.Context(), "r", tt.q) {
			if n++; n > 10 {
				t.Fatalf("%s: no end", name)
			}
		}
		if !errors.Is(last, client.ErrProtocol) {
			t.Errorf("%s: %v", name, last)
		}
	}
}

func TestPresencePages(t *testing.T) {
	var all []client.Member
	for i := range 25 {
		all = append(all, client.Member{Conn: fmt.Sprintf("c%02d", i), User: "ada"})
	}
	asked := make(chan request, 100)
	c := connected(t, func(q request) ([]byte, *protocol.Error) {
		asked <- q
		var data []byte
		if q.Count {
			data = protocol.AppendPresenceCount(nil, len(all), 1)
		} else {
			i := slices.IndexFunc(all, func(m client.Member) bool { return m.Conn > q.After })
			rest := all[i:]
			if limit := max(q.Limit, 10); len(rest) > limit {
				rest = rest[:limit]
			}
			p := protocol.Presence{Count: len(all), Users: 1, Members: rest}
			if last := rest[len(rest)-1]; last.Conn < all[len(all)-1].Conn {
				p.Next = last.Conn
			}
			data = protocol.AppendPresence(nil, p)
		}
		return protocol.AppendOK(nil, protocol.OK{ID: q.ID, Room: q.Room, Data: data}), nil
	})
	var got []client.Member
	for m, err := range c.Members(t.Context(), "r") {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, m)
	}
	if len(got) != len(all) || len(asked) != 3 {
		t.Errorf("%d members in %d pages, want %d in 3", len(got), len(asked), len(all))
	}
	for _, after := range []string{"", "c09", "c19"} {
		if q := <-asked; q.After != after || q.Limit != 0 || q.Count {
			t.Errorf("client sent %+v, want the page after %q", q, after)
		}
	}
	p, err := c.PresencePage(t.Context(), "r", "c03", 12)
	if q := <-asked; err != nil || q.Limit != 12 || len(p.Members) != 12 || p.Members[0].Conn != "c04" || p.Next != "c15" {
		t.Errorf("page %+v, %v, asked with %+v", p, err, q)
	}
	p, err = c.PresenceCount(t.Context(), "r")
	if q := <-asked; err != nil || p.Count != 25 || p.Users != 1 || p.Members != nil || !q.Count {
		t.Errorf("count %+v, %v, asked with %+v", p, err, q)
	}
	for _, err := range c.Members(t.Context(), "r") {
		if err != nil {
			t.Error(err)
		}
		break // a reader may stop
	}
}

// TestMembersOfAServerThatErrs: pages that lead nowhere are errors, and no reader goes round in circles.
func TestMembersOfAServerThatErrs(t *testing.T) {
	for name, data := range map[string]string{
		"none, and more": `{"count":9,"members":[],"next":"x"}`,
		"the same again": `{"count":9,"members":[{"conn":"x"}],"next":"x"}`,
		"nothing":        `null`,
		"no presence":    `5`,
	} {
		c := connected(t, func(q request) ([]byte, *protocol.Error) {
			return protocol.AppendOK(nil, protocol.OK{ID: q.ID, Data: []byte(data)}), nil
		})
		n := 0
		var last error
		for _, last = range c.Members(t.Context(), "r") {
			if n++; n > 10 {
				t.Fatalf("%s: no end", name)
			}
		}
		if want := name != "nothing"; want != errors.Is(last, client.ErrProtocol) {
			t.Errorf("%s: %v", name, last)
		}
	}
}
