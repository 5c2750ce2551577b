package protocol_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/protocol"
)

func TestErrorMatchesItsCode(t *testing.T) {
	err := fmt.Errorf("joining: %w", &protocol.Error{
		Code: protocol.CodeRateLimited, Message: "slow down", RetryAfter: time.Second,
	})
	if !errors.Is(err, protocol.CodeRateLimited) {
		t.Error("does not match its own code")
	}
	if errors.Is(err, protocol.CodeBusy) {
		t.Error("matches another code")
	}
	var e *protocol.Error
	if !errors.As(err, &e) || e.RetryAfter != time.Second {
		t.Errorf("errors.As found %+v", e)
	}
	if got, want := err.Error(), "joining: rate_limited: slow down"; got != want {
		t.Errorf("Error() = %q, want %q", got, want)
	}
	if got, want := (&protocol.Error{Code: protocol.CodeBusy}).Error(), "busy"; got != want {
		t.Errorf("Error() without a message = %q, want %q", got, want)
	}
}

func TestErrorTable(t *testing.T) {
	seen := map[protocol.ErrorCode]bool{}
	for _, c := range protocol.ErrorCodes() {
		if seen[c] {
			t.Errorf("%s is listed twice", c)
		}
		seen[c] = true
		if c.Explain() == "" {
			t.Errorf("%s is not explained", c)
		}
	}
	for c, retry := range map[protocol.ErrorCode]bool{
		protocol.CodeRateLimited: true,
		protocol.CodeBusy:        true,
		protocol.CodeUnavailable: true,
		protocol.CodeForbidden:   false,
		"of_the_application":     false,
	} {
		if got := c.Retry(); got != retry {
			t.Errorf("%s.Retry() = %t, want %t", c, got, retry)
		}
	}
	if got := protocol.ErrorCode("of_the_application").Explain(); got != "" {
		t.Errorf("an unlisted code is explained: %q", got)
	}
}
