package admission

import (
	"strings"
	"testing"
	"time"
)

func TestReasons(t *testing.T) {
	seen := make(map[string]bool)
	for r := PerAddress; r < reasons; r++ {
		text := r.String()
		if seen[text] || !strings.HasPrefix(text, "too many") {
			t.Errorf("reason %d is called %q", r, text)
		}
		seen[text] = true
	}
	if got := Reason(reasons).String(); got != "Reason(5)" {
		t.Errorf("no reason is called %q", got)
	}
}

func TestRefusalIsAnError(t *testing.T) {
	var err error = &Refusal{Reason: Handshakes, RetryAfter: time.Second}
	if got, want := err.Error(), "admission: too many handshakes; again after 1s"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
