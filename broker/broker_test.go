package broker_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"go.uber.org/goleak"

	"github.com/gohubkit/hubkit/broker"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestCheckRoom(t *testing.T) {
	for _, c := range []struct {
		room, fault string
	}{
		{"news", ""},
		{"größe 🎈", ""},
		{" ", ""},
		{strings.Repeat("x", broker.MaxRoomName), ""},
		{strings.Repeat("é", broker.MaxRoomName/2), ""},
		{"", "empty"},
		{strings.Repeat("x", broker.MaxRoomName+1), "256 bytes, at most 255"},
		{strings.Repeat("é", broker.MaxRoomName/2+1), "256 bytes"},
		{"bad\xff", "UTF-8"},
		{"half \xc3", "UTF-8"},
		{"line\nfeed", "control character U+000A"},
		{"nul\x00", "control character U+0000"},
		{"delete\x7f", "control character U+007F"},
		{"c1\u0085", "control character U+0085"},
	} {
		err := broker.CheckRoom(c.room)
		if c.fault == "" && err != nil {
			t.Errorf("CheckRoom(%q): %v", c.room, err)
		}
		if c.fault != "" && (!errors.Is(err, broker.ErrRoomName) || !strings.Contains(err.Error(), c.fault)) {
			t.Errorf("CheckRoom(%q): %v, want ErrRoomName with %q", c.room, err, c.fault)
		}
	}
}

// A name that passes can be put into a line, a JSON string and back, unchanged.
func FuzzCheckRoom(f *testing.F) {
	for _, s := range []string{"", "news", "größe", "\x00", "\xff", strings.Repeat("x", 256)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, room string) {
		err := broker.CheckRoom(room)
		if err != nil {
			if !errors.Is(err, broker.ErrRoomName) {
				t.Fatalf("CheckRoom(%q): %v, want ErrRoomName", room, err)
			}
			return
		}
		if room == "" || len(room) > broker.MaxRoomName || !utf8.ValidString(room) || strings.ContainsAny(room, "\x00\r\n") {
			t.Fatalf("CheckRoom(%q) has no objection", room)
		}
		encoded, err := json.Marshal(room)
		if err != nil {
			t.Fatal(err)
		}
		var back string
		if err := json.Unmarshal(encoded, &back); err != nil || back != room {
			t.Fatalf("%q became %q, %v", room, back, err)
		}
	})
}

func TestRetention(t *testing.T) {
	for _, c := range []struct {
		r           broker.Retention
		enabled, ok bool
	}{
		{broker.Retention{}, false, true},
		{broker.Retention{Size: 1, TTL: 1}, true, true},
		{broker.Retention{Size: math.MaxInt, TTL: math.MaxInt64}, true, true},
		{broker.Retention{Size: 1, TTL: 1, Bytes: 1}, true, true},
		{broker.Retention{Size: 1, TTL: 1, Bytes: -1}, true, false},
		{broker.Retention{Bytes: 1}, false, false},
		{broker.Retention{Size: 1}, false, false},
		{broker.Retention{TTL: 1}, false, false},
		{broker.Retention{Size: -1, TTL: 1}, false, false},
		{broker.Retention{Size: 1, TTL: -1}, false, false},
	} {
		if got := c.r.Enabled(); got != c.enabled {
			t.Errorf("%+v enabled: %v, want %v", c.r, got, c.enabled)
		}
		p, q := broker.Publication{Retention: c.r}, broker.Query{Retention: c.r}
		for what, err := range map[string]error{"retention": c.r.Check(), "publication": p.Check(), "query": q.Check()} {
			if (err == nil) != c.ok || err != nil && !errors.Is(err, broker.ErrInvalid) {
				t.Errorf("%s with %+v: %v, want ErrInvalid: %v", what, c.r, err, !c.ok)
			}
		}
	}
}

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		name string
		arg  interface{ Check() error }
		ok   bool
	}{
		{"no TTL", &broker.Publication{IdempotencyKey: "k"}, true},
		{"TTL", &broker.Publication{IdempotencyKey: "k", IdempotencyTTL: time.Second}, true},
		{"negative TTL", &broker.Publication{IdempotencyKey: "k", IdempotencyTTL: -1}, false},
		{"all", &broker.Query{}, true},
		{"some", &broker.Query{Last: 1, Limit: 1}, true},
		{"negative last", &broker.Query{Last: -1}, false},
		{"negative limit", &broker.Query{Limit: -1}, false},
		{"member", &broker.Member{Conn: "c"}, true},
		{"nobody", &broker.Member{User: "u"}, false},
	} {
		if err := c.arg.Check(); (err == nil) != c.ok || err != nil && !errors.Is(err, broker.ErrInvalid) {
			t.Errorf("%s: %v, want ErrInvalid: %v", c.name, err, !c.ok)
		}
	}
}

func TestErrClosedMatchesNet(t *testing.T) {
	if err := fmt.Errorf("publish: %w", broker.ErrClosed); !errors.Is(err, net.ErrClosed) || !errors.Is(err, broker.ErrClosed) {
		t.Errorf("%v matches net.ErrClosed: %v", err, errors.Is(err, net.ErrClosed))
	}
}

func TestPosition(t *testing.T) {
	for _, c := range []struct {
		p    broker.Position
		zero bool
		json string
	}{
		{broker.Position{}, true, `{}`},
		{broker.Position{Epoch: "e"}, false, `{"epoch":"e"}`},
		{broker.Position{Epoch: "e", Offset: math.MaxUint64}, false, `{"epoch":"e","offset":18446744073709551615}`},
	} {
		if c.p.IsZero() != c.zero {
			t.Errorf("%+v is zero: %v, want %v", c.p, !c.zero, c.zero)
		}
		if got, err := json.Marshal(c.p); err != nil || string(got) != c.json {
			t.Errorf("%+v as JSON: %s, %v; want %s", c.p, got, err, c.json)
		}
	}
}

func TestState(t *testing.T) {
	if broker.Live.String() != "live" || broker.Stale.String() != "stale" {
		t.Errorf("states are called %v and %v", broker.Live, broker.Stale)
	}
	if s := broker.State(0); s != broker.Live {
		t.Errorf("the first state is %v, want live", s)
	}
}

func BenchmarkCheckRoom(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if err := broker.CheckRoom("chat:0123456789abcdef"); err != nil {
			b.Fatal(err)
		}
	}
}
