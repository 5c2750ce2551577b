package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/client"
	"github.com/gohubkit/hubkit/protocol"
)

// offsets sends those of messages; a gap is sent as the negative of its end.
func offsets(n int) (chan int, func(client.Message), client.SubOption) {
	c := make(chan int, n)
	return c, func(m client.Message) { c <- int(m.Position.Offset) },
		client.OnGap(func(g client.Gap) { c <- -int(g.To.Offset) })
}

func wantOffsets(t *testing.T, c <-chan int, want ...int) {
	t.Helper()
	for _, w := range want {
		if got := receive(t, c); got != w {
			t.Fatalf("got offset %d, want %d", got, w)
		}
	}
}

func subscribe(t *testing.T, c *client.Client, room string, f func(client.Message), opts ...client.SubOption) *client.Subscription {
	t.Helper()
	sub, err := c.Subscribe(room, f, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return sub
}

func ready(t *testing.T, sub *client.Subscription) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := sub.Ready(ctx); err != nil {
		t.Fatal(err)
	}
}

// TestResume is the promise of rooms with history: in order, nothing missing, nothing twice.
func TestResume(t *testing.T) {
	s := newServer(t)
	c := newClient(t, s.url)
	got, f, onGap := offsets(100)
	sub := subscribe(t, c, "r", f, onGap)
	if name := sub.Room(); name != "r" {
		t.Errorf("Room is %q", name)
	}
	run(t, c)

	p, hello := s.greet()
	if !slices.Equal(hello.Resume, []room{{"r", client.Position{}}}) {
		t.Errorf("first hello resumes %v", hello.Resume)
	}
	p.ok(0, "r", at(10))
	p.message("r", "11", at(11))
	p.message("r", "12", at(12))
	wantOffsets(t, got, 11, 12)
	p.cut()

	for n := uint64(12); n < 20; n++ {
		p, hello = s.greet()
		if !slices.Equal(hello.Resume, []room{{"r", at(n)}}) {
			t.Errorf("hello resumes %v, want offset %d", hello.Resume, n)
		}
		p.message("r", "0", at(n+5)) // not for a client that was not answered yet
		p.ok(0, "r", at(n))
		for i := n - 3; i <= n+1; i++ {
			p.message("r", "0", at(i))
		}
		wantOffsets(t, got, int(n+1))
		p.cut()
	}
	p, _ = s.greet()
	p.ok(0, "r", at(20))
	p.message("r", "0", at(21))
	wantOffsets(t, got, 21)
	p.message("r", "0", at(22))
	wantOffsets(t, got, 22)
	if pos := sub.Position(); pos != at(21) && pos != at(22) {
		t.Errorf("Position is %v", pos)
	}
}

func TestGap(t *testing.T) {
	s := newServer(t)
	c := newClient(t, s.url)
	gaps, onGap := collect[client.Gap](100)
	got, f, _ := offsets(100)
	sub := subscribe(t, c, "r", f, client.Since(at(5)), client.OnGap(onGap))
	run(t, c)
	p, hello := s.greet()
	if !slices.Equal(hello.Resume, []room{{"r", at(5)}}) {
		t.Errorf("hello resumes %v", hello.Resume)
	}
	gap := func(pos client.Position) {
		t.Helper()
		p.send(protocol.AppendGap(nil, "r", pos.Epoch, pos.Offset))
	}
	next := client.Position{Epoch: "e2", Offset: 3}
	p.ok(0, "r", at(5))
	gap(at(9))
	p.message("r", "0", at(9)) // before the gap's end
	p.message("r", "0", at(10))
	gap(next)
	p.message("r", "0", client.Position{Epoch: "e2", Offset: 4})
	// Holes that the server says nothing of.
	p.message("r", "0", client.Position{Epoch: "e2", Offset: 7})
	p.message("r", "0", client.Position{Epoch: "e3", Offset: 1})
	wantOffsets(t, got, 10, 4, 7, 1)
	want := []client.Gap{
		{Room: "r", From: at(5), To: at(9)},
		{Room: "r", From: at(10), To: next},
		{Room: "r", From: client.Position{Epoch: "e2", Offset: 4}, To: client.Position{Epoch: "e2", Offset: 6}},
		{Room: "r", From: client.Position{Epoch: "e2", Offset: 7}, To: client.Position{Epoch: "e3"}},
	}
	for _, w := range want {
		if g := receive(t, gaps); g != w {
			t.Errorf("gap is %+v, want %+v", g, w)
		}
	}
	p.send(protocol.AppendGap(nil, "r", "e4", 8))
	if g := receive(t, gaps); g.To.Epoch != "e4" {
		t.Errorf("gap is %+v", g)
	}
	p.cut()
	if _, hello := s.greet(); hello.Resume[0].Position != (client.Position{Epoch: "e4", Offset: 8}) {
		t.Errorf("hello after the gap resumes %v", hello.Resume)
	}
	end := client.Position{Epoch: "e4", Offset: 8}
	for deadline := time.Now().Add(patience); sub.Position() != end; time.Sleep(time.Millisecond) { // set when OnGap has returned
		if time.Now().After(deadline) {
			t.Fatalf("Position is %v", sub.Position())
		}
	}
}

// TestFirstMessageBringsEpoch: nothing is missing where the first message of a room has another epoch than its ok. The second one
// of another epoch shows a gap.
func TestFirstMessageBringsEpoch(t *testing.T) {
	s := newServer(t)
	c := newClient(t, s.url)
	gaps, onGap := collect[client.Gap](100)
	got, f, _ := offsets(100)
	sub := subscribe(t, c, "r", f, client.OnGap(onGap))
	subscribe(t, c, "other", func(client.Message) {}, client.OnGap(onGap))
	run(t, c)
	p, _ := s.greet()
	p.ok(0, "r", client.Position{Epoch: "void"})
	p.ok(0, "other", client.Position{Epoch: "void"})
	p.message("r", "1", client.Position{Epoch: "e2", Offset: 1})
	p.message("r", "2", client.Position{Epoch: "e2", Offset: 2})
	wantOffsets(t, got, 1, 2)
	p.message("other", "2", client.Position{Epoch: "e3", Offset: 2})
	want := client.Gap{Room: "other", From: client.Position{Epoch: "void"}, To: client.Position{Epoch: "e3", Offset: 1}}
	if g := receive(t, gaps); g != want {
		t.Errorf("gap is %+v, want %+v", g, want)
	}
	p.cut()
	s.greet()
	if pos := sub.Position(); pos != (client.Position{Epoch: "e2", Offset: 2}) {
		t.Errorf("Position is %v", pos)
	}
}

func TestNewest(t *testing.T) {
	s := newServer(t)
	c := newClient(t, s.url)
	got, f, onGap := offsets(100)
	sub := subscribe(t, c, "r", f, onGap, client.Newest(2))
	run(t, c)
	p, hello := s.greet()
	if hello.Resume != nil {
		t.Errorf("hello resumes %v", hello.Resume)
	}
	join := p.want(protocol.OpJoin)
	if join.Room != "r" || join.History != 2 || !join.Position.IsZero() {
		t.Errorf("join is %+v", join)
	}
	p.ok(join.ID, "r", at(7))
	ready(t, sub)
	if pos := sub.Position(); pos != at(7) {
		t.Errorf("Position is %v before any message", pos)
	}
	p.cut()
	// The history was under way: it is had from the position where it begins.
	p, hello = s.greet()
	if !slices.Equal(hello.Resume, []room{{"r", at(7)}}) {
		t.Errorf("second hello resumes %v", hello.Resume)
	}
	p.ok(0, "r", at(7))
	p.message("r", "0", at(8))
	p.message("r", "0", at(9))
	wantOffsets(t, got, 8, 9)
}

// TestManySubscriptions: the hello names as many rooms as it may, the rest are joined, in order.
func TestManySubscriptions(t *testing.T) {
	const n = 200
	s := newServer(t)
	c := newClient(t, s.url, client.WithRate(math.Inf(1), 1))
	got, f := collect[client.Message](n)
	for i := range n {
		subscribe(t, c, fmt.Sprint("room", i), f)
	}
	run(t, c)
	for round := range 3 {
		p := s.accept()
		hello := p.want(protocol.OpHello)
		if len(hello.Resume) != protocol.MaxResume {
			t.Fatalf("round %d: hello resumes %d rooms, want %d", round, len(hello.Resume), protocol.MaxResume)
		}
		p.send(protocol.AppendWelcome(nil, protocol.Welcome{Conn: "c1", Limits: protocol.Limits{Message: 64 << 10}}))
		for i, r := range hello.Resume {
			want := room{Room: fmt.Sprint("room", i)}
			if round > 0 {
				want.Position = at(uint64(round))
			}
			if r != want {
				t.Errorf("round %d: hello resumes %v, want %v", round, r, want)
			}
			p.ok(0, r.Room, at(uint64(round)))
			p.message(r.Room, "0", at(uint64(round+1)))
		}
		for i := protocol.MaxResume; i < n; i++ {
			j := p.want(protocol.OpJoin)
			if want := fmt.Sprint("room", i); j.Room != want || j.Position.Offset != uint64(round) {
				t.Errorf("round %d: join of %s from %v, want %s", round, j.Room, j.Position, want)
			}
			p.ok(j.ID, j.Room, at(uint64(round)))
			p.message(j.Room, "0", at(uint64(round+1)))
		}
		seen := make(map[string]bool)
		for range n {
			seen[receive(t, got).Room] = true
		}
		if len(seen) != n {
			t.Errorf("round %d: messages of %d rooms, want %d", round, len(seen), n)
		}
		p.cut()
	}
}

func TestMessagesWithoutSubscription(t *testing.T) {
	s := newServer(t)
	direct, onDirect := collect[client.Message](10)
	strays, onStray := collect[client.Message](10)
	run(t, newClient(t, s.url, client.OnMessage(onDirect), client.OnRoomMessage(onStray)))
	p, _ := s.greet()
	p.message("", `{"invoice":12}`, client.Position{})
	p.ok(0, "lobby", at(3))
	p.message("lobby", `"hi"`, at(4))
	if m := receive(t, direct); m.Room != "" || string(m.Data) != `{"invoice":12}` || !m.Position.IsZero() {
		t.Errorf("direct message is %+v", m)
	}
	if m := receive(t, strays); m.Room != "lobby" || string(m.Data) != `"hi"` || m.Position != at(4) {
		t.Errorf("stray message is %+v", m)
	}
}

// lines is a log that can be read while it is written.
type lines struct {
	mu  sync.Mutex
	buf strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func TestSubscribeJSON(t *testing.T) {
	type point struct{ X, Y int }
	s := newServer(t)
	c := newClient(t, s.url)
	got, f := collect[client.TypedMessage[point]](10)
	errs, onError := collect[error](10)
	sub, err := client.SubscribeJSON(c, "r", f, client.OnError(onError))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.SubscribeJSON(c, "quiet", func(client.TypedMessage[point]) {}); err != nil {
		t.Fatal(err)
	}
	run(t, c)
	p, _ := s.greet()
	p.ok(0, "r", at(0))
	p.ok(0, "quiet", at(0))
	p.message("quiet", `"no point"`, at(1)) // logged
	p.message("r", `"no point"`, at(1))
	p.message("r", `{"X":1,"Y":2}`, at(2))
	if m := receive(t, got); m.Value != (point{1, 2}) || m.Room != "r" || m.Position != at(2) {
		t.Errorf("message is %+v", m)
	}
	var e *client.DecodeError
	var typeErr *json.UnmarshalTypeError
	if err := receive(t, errs); !errors.As(err, &e) || !errors.As(err, &typeErr) || string(e.Message.Data) != `"no point"` {
		t.Errorf("OnError got %v", err)
	}
	if pos := sub.Position(); pos != at(1) && pos != at(2) {
		t.Errorf("Position is %v", pos)
	}
}
