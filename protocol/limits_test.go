package protocol_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/gohubkit/hubkit/protocol"
)

// TestRateInWelcome: a rate is a plain number, whole or not, that says exactly what it is.
func TestRateInWelcome(t *testing.T) {
	for _, rate := range []float64{1, 100, 0.5, 16.666666666666668, 1e9, 1 << 53, 1<<53 + 2, 1e22, 1e300, 5e-324} {
		want := `"limits":{"rate":` + strconv.FormatFloat(rate, 'f', -1, 64) + `}`
		frame := string(protocol.AppendWelcome(nil, protocol.Welcome{Conn: "c", Limits: protocol.Limits{Rate: rate}}))
		if !strings.Contains(frame, want) {
			t.Errorf("%s, want %s", frame, want)
		}
	}
}
