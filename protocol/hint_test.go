package protocol_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/gohubkit/hubkit/protocol"
)

func TestAppendHint(t *testing.T) {
	for _, tt := range []struct {
		name string
		in   protocol.Hint
		want string
	}{
		{"zero", protocol.Hint{}, ""},
		{"all", protocol.Hint{RetryAfter: 1200 * time.Millisecond, Spread: 30 * time.Second, Reason: "drain"},
			`{"retry_after_ms":1200,"spread_ms":30000,"reason":"drain"}`},
		{"rounded up", protocol.Hint{RetryAfter: time.Nanosecond}, `{"retry_after_ms":1}`},
		{"exact", protocol.Hint{RetryAfter: time.Millisecond}, `{"retry_after_ms":1}`},
		{"reason only", protocol.Hint{Reason: "kicked"}, `{"reason":"kicked"}`},
		{"negative", protocol.Hint{RetryAfter: -time.Second, Spread: time.Second}, `{"spread_ms":1000}`},
		{"above the cap", protocol.Hint{Spread: 1<<63 - 1}, `{"spread_ms":86400000}`},
		{"escapes", protocol.Hint{Reason: "a\"b\\c\nd\x01"}, `{"reason":"a\"b\\c\nd\u0001"}`},
		{"invalid UTF-8", protocol.Hint{Reason: "a\xffb"}, "{\"reason\":\"a\ufffdb\"}"},
		{"cut", protocol.Hint{Reason: strings.Repeat("x", 200)}, `{"reason":"` + strings.Repeat("x", 110) + `"}`},
		{"cut before a rune", protocol.Hint{Reason: "x" + strings.Repeat("é", 100)},
			`{"reason":"x` + strings.Repeat("é", 54) + `"}`},
		{"cut before an escape", protocol.Hint{Reason: strings.Repeat("\x00", 30)},
			`{"reason":"` + strings.Repeat(`\u0000`, 18) + `"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := string(protocol.AppendHint([]byte("before"), tt.in))
			if got != "before"+tt.want {
				t.Errorf("got  %s\nwant before%s", got, tt.want)
			}
			if n := len(got) - len("before"); n > protocol.MaxReason {
				t.Errorf("%d bytes", n)
			}
		})
	}
}

func TestParseHint(t *testing.T) {
	for _, tt := range []struct {
		name string
		in   string
		want protocol.Hint
		ok   bool
	}{
		{"empty", "", protocol.Hint{}, false},
		{"text", "going away", protocol.Hint{}, false},
		{"number", "1000", protocol.Hint{}, false},
		{"array", "[]", protocol.Hint{}, false},
		{"null", "null", protocol.Hint{}, false},
		{"empty object", "{}", protocol.Hint{}, true},
		{"all", `{"spread_ms":30000, "reason":"dr\u0061in", "retry_after_ms":1200}`,
			protocol.Hint{RetryAfter: 1200 * time.Millisecond, Spread: 30 * time.Second, Reason: "drain"}, true},
		{"unknown field", `{"x":[1],"spread_ms":1}`, protocol.Hint{Spread: time.Millisecond}, true},
		{"nulls", `{"retry_after_ms":null,"reason":null}`, protocol.Hint{}, true},
		{"negative", `{"retry_after_ms":-1}`, protocol.Hint{}, false},
		{"one field broken", `{"retry_after_ms":5,"spread_ms":-1}`, protocol.Hint{}, false},
		{"fraction", `{"retry_after_ms":1.5}`, protocol.Hint{}, false},
		{"exponent", `{"retry_after_ms":1e3}`, protocol.Hint{}, false},
		{"text for a number", `{"retry_after_ms":"5"}`, protocol.Hint{}, false},
		{"number for a text", `{"reason":5}`, protocol.Hint{}, false},
		{"at the cap", `{"spread_ms":86400000}`, protocol.Hint{Spread: protocol.MaxDelay}, true},
		{"above the cap", `{"spread_ms":86400001}`, protocol.Hint{Spread: protocol.MaxDelay}, true},
		{"2^64", `{"spread_ms":18446744073709551616}`, protocol.Hint{Spread: protocol.MaxDelay}, true},
		{"absurd", `{"spread_ms":` + strings.Repeat("9", 100) + `}`, protocol.Hint{Spread: protocol.MaxDelay}, true},
		{"cut", `{"retry_after_ms":1200,"rea`, protocol.Hint{}, false},
		{"two", `{}{}`, protocol.Hint{}, false},
		{"invalid UTF-8", "{\"reason\":\"\xff\"}", protocol.Hint{}, false},
		{"longest", `{"reason":"` + strings.Repeat("x", 110) + `"}`, protocol.Hint{Reason: strings.Repeat("x", 110)}, true},
		{"too long", `{"reason":"` + strings.Repeat("x", 111) + `"}`, protocol.Hint{}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := protocol.ParseHint(tt.in)
			if got != tt.want || ok != tt.ok {
				t.Errorf("ParseHint(%q) = %+v, %t, want %+v, %t", tt.in, got, ok, tt.want, tt.ok)
			}
		})
	}
}

func FuzzParseHint(f *testing.F) {
	f.Add(`{"retry_after_ms":1200,"spread_ms":30000,"reason":"drain"}`)
	f.Add(`{"retry_after_ms":-1}`)
	f.Add(`{"reason":"\ud800"}`)
	f.Fuzz(func(t *testing.T, reason string) {
		h, ok := protocol.ParseHint(reason)
		if !ok {
			if h != (protocol.Hint{}) {
				t.Fatalf("no hint, but %+v", h)
			}
			return
		}
		if h.RetryAfter < 0 || h.RetryAfter > protocol.MaxDelay || h.Spread < 0 || h.Spread > protocol.MaxDelay {
			t.Fatalf("out of range: %+v", h)
		}
		if len(reason) > protocol.MaxReason || !utf8.ValidString(h.Reason) {
			t.Fatalf("accepted %q as %+v", reason, h)
		}
	})
}

func FuzzAppendHint(f *testing.F) {
	f.Add(int64(1200), int64(30000), "drain")
	f.Add(int64(-1), int64(1<<62), "\x00\xff\u2028é\"\\")
	f.Add(int64(1), int64(1), strings.Repeat("界", 60))
	f.Fuzz(func(t *testing.T, retry, spread int64, reason string) {
		in := protocol.Hint{RetryAfter: time.Duration(retry), Spread: time.Duration(spread), Reason: reason}
		b := protocol.AppendHint(nil, in)
		if len(b) == 0 {
			if retry > 0 || spread > 0 || reason != "" {
				t.Fatalf("nothing written of %+v", in)
			}
			return
		}
		if len(b) > protocol.MaxReason || !json.Valid(b) || !utf8.Valid(b) {
			t.Fatalf("%+v written as %q", in, b)
		}
		out, ok := protocol.ParseHint(string(b))
		if !ok {
			t.Fatalf("%q is not read back", b)
		}
		if out.RetryAfter != written(in.RetryAfter) || out.Spread != written(in.Spread) {
			t.Fatalf("%+v read back as %+v", in, out)
		}
		if clean := string([]rune(reason)); !strings.HasPrefix(clean, out.Reason) {
			t.Fatalf("reason %q read back as %q", clean, out.Reason)
		}
	})
}

// written is what a time becomes on its way over the wire.
func written(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return min((min(d, protocol.MaxDelay) + time.Millisecond - 1).Truncate(time.Millisecond), protocol.MaxDelay)
}
