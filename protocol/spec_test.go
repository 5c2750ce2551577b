package protocol_test

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/gohubkit/hubkit/protocol"
)

func spec(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("../PROTOCOL.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Every frame shown in PROTOCOL.md, "→" to the server and "←" to the client, is one this package
// reads, and every op is shown.
func TestSpecFrames(t *testing.T) {
	shown := map[string]bool{}
	for line := range strings.Lines(spec(t)) {
		line = strings.TrimSpace(line)
		if frame, ok := strings.CutPrefix(line, "→ "); ok {
			var q protocol.Request
			if err := q.Decode([]byte(frame)); err != nil {
				t.Errorf("%s: %v", frame, err)
			}
			shown["→ "+q.Op.String()] = true
		}
		if frame, ok := strings.CutPrefix(line, "← "); ok {
			var e protocol.Event
			if err := e.Decode([]byte(frame)); err != nil {
				t.Errorf("%s: %v", frame, err)
			}
			shown["← "+e.Op.String()] = true
			if e.Err() != nil && protocol.ErrorCode(e.Code).Explain() == "" {
				t.Errorf("%s: the code is not in the table", frame)
			}
		}
	}
	for op := protocol.OpHello; op <= protocol.OpGoAway; op++ {
		if op.Request() && !shown["→ "+op.String()] {
			t.Errorf("no frame of a client shows %s", op)
		}
		if op.Event() && !shown["← "+op.String()] {
			t.Errorf("no frame of a server shows %s", op)
		}
	}
	if shown["← unknown"] {
		t.Error("a frame of a server has an unknown op")
	}
}

// The tables of PROTOCOL.md are those of the package: the same rows, and no others.
func TestSpecTables(t *testing.T) {
	text := spec(t)
	yesNo := map[bool]string{true: "yes", false: "no"}
	var want bytes.Buffer
	for _, c := range protocol.ErrorCodes() {
		fmt.Fprintf(&want, "| `%s` | %s | %s |\n", string(c), yesNo[c.Retry()], c.Explain())
	}
	if !strings.Contains(text, "|---|---|---|\n"+want.String()+"\n") {
		t.Errorf("the table of error codes should be\n%s", &want)
	}
	want.Reset()
	for _, c := range protocol.CloseCodes() {
		fmt.Fprintf(&want, "| %d | %s | %s | %s |\n", c, c.TableName(), yesNo[c.Reconnect()], c.Explain())
	}
	if !strings.Contains(text, "|---|---|---|---|\n"+want.String()+"\n") {
		t.Errorf("the table of close codes should be\n%s", &want)
	}
}

// The limits PROTOCOL.md states are those of the package.
func TestSpecLimits(t *testing.T) {
	text := spec(t)
	for _, want := range []string{
		fmt.Sprintf("| integers (`id`, `offset`) | %d (2^53-1) |", uint64(protocol.MaxID)),
		fmt.Sprintf("| nesting of a value | %d levels |", protocol.MaxDepth),
		fmt.Sprintf("| rooms in `resume` | %d |", protocol.MaxResume),
		fmt.Sprintf("| `key` | %d bytes |", protocol.MaxIdempotencyKey),
		fmt.Sprintf("| `history` | %d |", protocol.MaxHistory),
		fmt.Sprintf("| `limit` | %d |", protocol.MaxPage),
		fmt.Sprintf("| `tags` | %d |", protocol.MaxTags),
		fmt.Sprintf("| key of a tag | %d bytes |", protocol.MaxTagKey),
		fmt.Sprintf("| value of a tag | %d bytes |", protocol.MaxTagValue),
		fmt.Sprintf("| `traceparent` | %d bytes |", protocol.MaxTraceParent),
		fmt.Sprintf("| `tracestate` | %d bytes |", protocol.MaxTraceState),
		fmt.Sprintf("| times | %d ms (24 h) |", protocol.MaxDelay.Milliseconds()),
		fmt.Sprintf("| close reason | %d bytes |", protocol.MaxReason),
	} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("missing: %s", want)
		}
	}
	for _, name := range []string{protocol.Subprotocol, protocol.SubprotocolCBOR} {
		if !strings.Contains(text, "`"+name+"`") {
			t.Errorf("the subprotocol %s is not named", name)
		}
	}
}
