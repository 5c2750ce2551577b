package testenv

import (
	"slices"
	"strings"
	"testing"
)

func TestLines(t *testing.T) {
	tests := []struct {
		name   string
		writes []string
		want   []string
	}{
		{"nothing", nil, nil},
		{"one by one", []string{"a\n", "b\n"}, []string{"a", "b"}},
		{"at once", []string{"a\nb\n\nc\n"}, []string{"a", "b", "", "c"}},
		{"in pieces", []string{"a", "b", "\nc", "\n"}, []string{"ab", "c"}},
		{"carriage return", []string{"a\r\n"}, []string{"a"}},
		{"no newline at the end", []string{"a\nb"}, []string{"a", "b"}},
		{"too long", []string{strings.Repeat("x", maxLine), "y\n"}, []string{strings.Repeat("x", maxLine), "y"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			l := &lines{each: func(line string) { got = append(got, line) }}
			for _, w := range tt.writes {
				if n, err := l.Write([]byte(w)); n != len(w) || err != nil {
					t.Fatalf("Write = %d, %v", n, err)
				}
			}
			l.flush()
			if !slices.Equal(got, tt.want) {
				t.Errorf("%.100q, want %.100q", got, tt.want)
			}
		})
	}
}

func TestTailKeepsTheEnd(t *testing.T) {
	var o tail
	for range 5 * maxTail / 1000 {
		o.add(strings.Repeat("x", 999))
	}
	o.add("the end")
	got := o.String()
	if len(got) != maxTail || !strings.HasSuffix(got, "xxx\nthe end\n") {
		t.Errorf("%d bytes that end in %q", len(got), got[max(0, len(got)-20):])
	}
	if cap(o.buf) > 4*maxTail {
		t.Errorf("holds on to %d bytes", cap(o.buf))
	}
}
