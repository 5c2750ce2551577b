package payload_test

import (
	"testing"

	"github.com/gohubkit/hubkit/internal/payload"
)

func TestRoundTrip(t *testing.T) {
	for _, nanos := range []int64{0, 1, 1_700_000_000_123_456_789} {
		b := payload.New(64, nanos)
		if len(b) != 64 {
			t.Errorf("%d bytes, want 64", len(b))
		}
		i := payload.Next(append([]byte(`{"data":"`), b...))
		if i != 9+len(payload.Mark) {
			t.Fatalf("Next %d", i)
		}
		got, ok := payload.Time(b[len(payload.Mark):])
		if !ok || got != nanos {
			t.Errorf("Time %d, %t; want %d", got, ok, nanos)
		}
		if payload.Next(b[len(payload.Mark):]) >= 0 {
			t.Error("the padding contains a mark")
		}
	}
	if n := len(payload.New(3, 1)); n != payload.MinSize {
		t.Errorf("%d bytes, want MinSize", n)
	}
	for _, bad := range []string{"", "0123", "0123456789abcdeg"} {
		if _, ok := payload.Time([]byte(bad)); ok {
			t.Errorf("Time(%q) is ok", bad)
		}
	}
}
