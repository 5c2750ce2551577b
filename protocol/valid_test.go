package protocol_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/gohubkit/hubkit/protocol"
)

var validTests = []struct {
	name string
	in   string
	want bool
}{
	{"empty", "", false},
	{"space", " \t\r\n", false},
	{"null", "null", true},
	{"cut word", "nul", false},
	{"long word", "nulll", false},
	{"other word", "True", false},
	{"true", " true ", true},
	{"false", "\nfalse", true},
	{"zero", "0", true},
	{"minus zero", "-0", true},
	{"leading zero", "01", false},
	{"minus", "-", false},
	{"plus", "+1", false},
	{"fraction", "1.50", true},
	{"no fraction", "1.", false},
	{"no integer", ".5", false},
	{"exponent", "1E+09", true},
	{"small exponent", "1e-9", true},
	{"no exponent", "1e", false},
	{"signed nothing", "1e+", false},
	{"hexadecimal", "0x10", false},
	{"not a number", "NaN", false},
	{"empty string", `""`, true},
	{"string", `"a plain string that is longer than eight bytes"`, true},
	{"every escape", `"\"\\\/\b\f\n\r\t\u00e9\uD83D\uDE00"`, true},
	{"lone surrogate", `"\ud800"`, true},
	{"unknown escape", `"\x41"`, false},
	{"cut escape", `"\`, false},
	{"cut unicode escape", `"\u12"`, false},
	{"open string", `"abc`, false},
	{"control character", "\"a\x1fb\"", false},
	{"newline in string", "\"abcdefgh\nijkl\"", false},
	{"delete in string", "\"a\x7fb\"", true},
	{"UTF-8", `"grüße, 世界"`, true},
	{"invalid UTF-8", "\"abc\xff\"", false},
	{"surrogate in UTF-8", "\"\xed\xa0\x80\"", false},
	{"single quotes", `'a'`, false},
	{"empty array", "[ ]", true},
	{"array", "[1, [2, []], {\"a\": [null]}]", true},
	{"comma at the end", "[1,]", false},
	{"comma at the start", "[,1]", false},
	{"no comma", "[1 2]", false},
	{"open array", "[1", false},
	{"crossed", "[{]}", false},
	{"wrong bracket", "[1}", false},
	{"empty object", "{}", true},
	{"object", `{"a":1,"b":{"c":"d"},"a":[]}`, true},
	{"no key", `{:1}`, false},
	{"key is no string", `{1:1}`, false},
	{"no colon", `{"a" 1}`, false},
	{"no value", `{"a":}`, false},
	{"object comma at the end", `{"a":1,}`, false},
	{"open object", `{"a":1`, false},
	{"open key", `{"a`, false},
	{"two values", "1 2", false},
	{"value and bracket", "{}]", false},
	{"comment", "1 // one", false},
	{"byte order mark", "\ufeff1", false},
	{"null byte", "1\x00", false},
	{"deepest array", nest("[", "1", "]", 64), true},
	{"deepest object", nest(`{"a":`, "1", "}", 64), true},
	{"too deep array", nest("[", "1", "]", 65), false},
	{"too deep object", nest(`{"a":`, "{}", "}", 64), false},
	{"wide, not deep", "[" + strings.Repeat("[[]],", 500) + "[]]", true},
}

func nest(open, inner, end string, n int) string {
	return strings.Repeat(open, n) + inner + strings.Repeat(end, n)
}

func TestValid(t *testing.T) {
	for _, tt := range validTests {
		t.Run(tt.name, func(t *testing.T) {
			if got := protocol.Valid([]byte(tt.in)); got != tt.want {
				t.Errorf("Valid(%q) = %t, want %t", tt.in, got, tt.want)
			}
		})
	}
}

// A string ends, or breaks, at every place of the eight bytes that are looked at together.
func TestValidStringAtEveryOffset(t *testing.T) {
	for pad := range 20 {
		for tail, want := range map[string]bool{
			`"`: true, `\n"`: true, `\u00e9"`: true, "é\"": true,
			"\x00\"": false, "\x1f\"": false, `\q"`: false, `""`: false, "": false,
		} {
			in := `"` + strings.Repeat("x", pad) + tail
			if got := protocol.Valid([]byte(in)); got != want {
				t.Errorf("Valid(%q) = %t, want %t", in, got, want)
			}
		}
	}
}

func FuzzValid(f *testing.F) {
	for _, tt := range validTests {
		f.Add([]byte(tt.in))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		want := json.Valid(data) && utf8.Valid(data) && depth(data) <= protocol.MaxDepth
		if got := protocol.Valid(data); got != want {
			t.Errorf("Valid(%q) = %t, encoding/json says %t", data, got, want)
		}
	})
}

// depth is how deep valid JSON is nested.
func depth(data []byte) int {
	deepest, open, inString := 0, 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '[' || c == '{':
			open++
			deepest = max(deepest, open)
		case c == ']' || c == '}':
			open--
		}
	}
	return deepest
}
