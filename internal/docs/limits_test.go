package docs

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gohubkit/hubkit/protocol"
)

const limitsPage = "../../docs/reference/limits.md"

// notLimits are defaults of a hub that bound nothing.
var notLimits = []string{"logger", "costs", "compressLevel", "compressMin", "newDecoders"}

// inPlace are defaults that the page has from elsewhere than hub.defaults.
var inPlace = []string{"heartbeat"}

// TestLimitsPage: docs/reference/limits.md has every limit that holds by default, with the value that the code gives it.
func TestLimitsPage(t *testing.T) {
	v := newValues(t)
	of := func(name string) string { return "defaults." + name }
	want := map[string]string{
		"a ping after silence / its answer":    v.lasting("heartbeat", "DefaultInterval") + " / " + v.lasting("heartbeat", "DefaultTimeout"),
		"hello after the handshake":            v.lasting("hub", of("handshakeTimeout")),
		"the rest of a message that has begun": v.lasting("hub", of("readTimeout")),
		"the socket takes nothing":             v.lasting("hub", of("writeTimeout")),
		"the other side's close frame":         v.lasting("hub", of("closeTimeout")),
		"size of a message, also decompressed": v.size("hub", of("maxMessage")),
		"messages a second / at once":          v.count("hub", of("messages.0")) + " / " + v.count("hub", of("messages.1")),
		"backlog":                              v.count("hub", of("backlogMessages")) + " messages and " + v.size("hub", of("backlogBytes")),
		"rooms":                                v.count("hub", of("maxRooms")),
		"rooms of an event stream, and the length of its ids": v.count("internal/core/codec", "MaxStreamRooms") + ", " +
			v.size("internal/core/codec", "MaxID"),
		"unfinished heavy calls":                          v.count("workerpool", "DefaultKeyShare"),
		"length of a room's name":                         v.size("broker", "MaxRoomName"),
		"length of a session, an idempotency key":         v.size("protocol", "MaxSession"),
		"depth of JSON":                                   v.count("protocol", "MaxDepth"),
		"connections":                                     "the capacity of the machine",
		"memory for backlogs, partial messages and rooms": "half of the free memory",
		"connections closed for age or idleness a second": v.count("hub", "defaultMaxAgePace"),
		"heavy calls at once":                             "GOMAXPROCS−1",
		"heavy calls that wait":                           v.count("workerpool", "DefaultQueuePerWorker") + " a worker",
		"time of a drain":                                 v.lasting("hub", of("drain")),
		"log lines of one message a second":               v.count("internal/logbound", "PerSecond"),
		"an answer to a survey":                           v.lasting("internal/core/nodes", "MaxWait") + " and " + v.size("internal/core/nodes", "MaxBody"),
		"history, if enabled by `DefaultHistory`":         v.count("hub", "DefaultHistory.0") + " messages, " + v.lasting("hub", "DefaultHistory.1"),
		"bytes of a history":                              v.size("broker", "DefaultHistoryBytes"),
		"messages in an answer to `history`":              v.size("internal/core/rooms", "MaxPage"),
		"members in an answer to `presence`":              v.size("internal/core/presence", "maxBytes"),
		"joins and leaves a second / at once":             v.count("hub", "DefaultPresenceRate") + " / " + v.count("hub", "DefaultPresenceBurst"),
		"subscription after the last local member":        v.lasting("hub", of("linger")),
	}
	if v.number("protocol", "MaxSession") != v.number("protocol", "MaxIdempotencyKey") {
		t.Error("a session and an idempotency key have bounds of their own: the page has one for both")
	}
	hub := exported(t, "hub")
	stands := make(map[string]bool)
	for _, heading := range []string{"## Of a connection", "## Of a node", "## Of a room"} {
		for _, row := range table(t, limitsPage, heading) {
			limit, value, options := row[0], row[1], row[2]
			stands[limit] = true
			if expected, ok := want[limit]; !ok {
				t.Errorf("this test knows no limit %q", limit)
			} else if value != expected {
				t.Errorf("%s: the page says %q, the code %q", limit, value, expected)
			}
			for name := range backquoted(options) {
				checkOption(t, name, value, hub)
				stands[name] = true
			}
			for _, cell := range row[3:] {
				checkCodes(t, cell)
			}
		}
	}
	for limit := range want {
		if !stands[limit] {
			t.Errorf("the page lacks %q", limit)
		}
	}
	for _, name := range keys(t, v.find("hub", "defaults")) {
		asked := slices.ContainsFunc([]string{"", ".0"}, func(part string) bool { return v.asked["hub "+of(name)+part] })
		if !asked && !slices.Contains(notLimits, name) && !slices.Contains(inPlace, name) {
			t.Errorf("hub.defaults has %s: is it a limit that the page lacks?", name)
		}
	}
	// An option that has a number for a default is one of a limit.
	number := regexp.MustCompile(`[Tt]he default is (half|[1-9])`)
	p := parse(t, "hub")
	for _, typ := range p.Types {
		for _, f := range typ.Funcs {
			if slices.Contains([]string{"Option", "RoomOption", "PresenceOption"}, typ.Name) && number.MatchString(firstParagraph(p, f.Doc)) && !stands[f.Name] {
				t.Errorf("the page lacks the option %s", f.Name)
			}
		}
	}
}

// checkOption: an option of the page exists. If it is one of a hub, its doc comment has the numbers of the row.
func checkOption(t *testing.T, name, value string, hub map[string]string) {
	t.Helper()
	if pkg, of, ok := strings.Cut(name, "."); ok {
		if _, ok := exported(t, pkg)[of]; !ok {
			t.Errorf("the page names %s, which does not exist", name)
		}
		return
	}
	about, ok := hub[name]
	if !ok {
		t.Errorf("the page names the option %s, which does not exist", name)
	}
	about = strings.Join(strings.Fields(about), " ")
	for _, n := range regexp.MustCompile(`\b\d[\d,]*( s\b| KiB| MiB)?`).FindAllString(strings.ReplaceAll(value, "GOMAXPROCS−1", ""), -1) {
		if !strings.Contains(about, n) && name != "History" {
			t.Errorf("the doc comment of %s does not say %s", name, n)
		}
	}
}

// checkCodes: the close codes and error codes of a cell exist.
func checkCodes(t *testing.T, cell string) {
	t.Helper()
	for _, n := range regexp.MustCompile(`\b[1-4]\d\d\d\b`).FindAllString(cell, -1) {
		if _, ok := closeCodes(t)[n]; !ok {
			t.Errorf("the page names %s, which is no close code", n)
		}
	}
	for name := range backquoted(cell) {
		switch {
		case regexp.MustCompile(`^[a-z_]+$`).MatchString(name):
			if protocol.ErrorCode(name).Explain() == "" {
				t.Errorf("the page names %s, which is no error code", name)
			}
		case strings.HasPrefix(name, "Err"):
			if _, ok := exported(t, "hub")[name]; !ok {
				t.Errorf("the page names hub.%s, which does not exist", name)
			}
		}
	}
}
