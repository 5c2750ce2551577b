package protocol_test

import (
	"testing"

	"github.com/gohubkit/hubkit/protocol"
)

// The rule is stated here once more, by ranges and exceptions, and compared for every value.
func TestReconnectIsTotal(t *testing.T) {
	stayAway := map[protocol.CloseCode]bool{
		protocol.CloseNormal:          true,
		protocol.CloseProtocolError:   true,
		protocol.CloseUnsupportedData: true,
		protocol.CloseInvalidPayload:  true,
		protocol.ClosePolicyViolation: true,
		protocol.CloseTooBig:          true,
		protocol.CloseMissingExt:      true,
	}
	for n := range 1 << 16 {
		c := protocol.CloseCode(n)
		want := !stayAway[c]
		if n >= 3000 && n < 5000 {
			want = n/100 == 40
		}
		if got := c.Reconnect(); got != want {
			t.Errorf("%s: Reconnect() = %t, want %t", c, got, want)
		}
	}
}

func TestCloseTable(t *testing.T) {
	seen := map[protocol.CloseCode]bool{}
	for _, c := range protocol.CloseCodes() {
		if seen[c] {
			t.Errorf("%s is listed twice", c)
		}
		seen[c] = true
		if c.Explain() == "" || c.TableName() == "" {
			t.Errorf("%s is not explained or not named", c)
		}
	}
}

func TestCloseCodeString(t *testing.T) {
	for c, want := range map[protocol.CloseCode]string{
		protocol.CloseSlowConsumer: "4001 slow consumer",
		protocol.CloseGoingAway:    "1001 going away",
		4999:                       "4999",
		0:                          "0",
	} {
		if got := c.String(); got != want {
			t.Errorf("String() = %q, want %q", got, want)
		}
	}
	if got := protocol.CloseCode(4999).Explain(); got != "" {
		t.Errorf("an unlisted code is explained: %q", got)
	}
}

func TestSendable(t *testing.T) {
	for code := range 1 << 16 {
		want := code >= 1000 && code <= 1003 || code >= 1007 && code <= 1014 || code >= 3000 && code <= 4999
		if got := protocol.CloseCode(code).Sendable(); got != want {
			t.Errorf("%d: %t, want %t", code, got, want)
		}
	}
}
