package docs

import (
	"maps"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

const (
	webPage = "../../web/README.md"
	dist    = "../../web/dist/"
)

// TestWebClientPage: web/README.md has every option, method and state of the browser client, and no other.
func TestWebClientPage(t *testing.T) {
	types := tsTypes(t, dist+"types.d.ts")
	for _, file := range []string{"shared", "sse", "react", "errors"} {
		maps.Copy(types, tsTypes(t, dist+file+".d.ts"))
	}
	without := func(name string, others ...string) map[string]string {
		own := maps.Clone(members(t, types, name))
		for _, other := range others {
			for m := range members(t, types, other) {
				delete(own, m)
			}
		}
		return own
	}
	for heading, want := range map[string]map[string]string{
		"### Options of `connect`":   members(t, types, "ConnectOptions"),
		"### Hub":                    members(t, types, "Hub"),
		"### Room":                   members(t, types, "Room"),
		"### Options of `subscribe`": members(t, types, "SubscribeOptions"),
		"### Options of requests":    members(t, types, "RequestOptions"),
		"### Options of `publish`":   without("PublishOptions", "RequestOptions"),
		"### Options of `presence`":  without("PresenceOptions", "RequestOptions"),
		"### Options of `history`":   without("HistoryOptions", "RequestOptions"),
		"### HubError":               members(t, types, "HubError"),
		"### Options of `shared`":    without("SharedOptions", "ConnectOptions"),
		"### Options of `sse`":       members(t, types, "SSEOptions"),
		"### Options of `useRoom`":   members(t, types, "RoomOptions"),
		"### What `useRoom` returns": members(t, types, "RoomView"),
	} {
		names := make(map[string]bool)
		for name := range want {
			names[name] = true
		}
		t.Run(strings.Trim(heading, "# "), func(t *testing.T) { compare(t, "member", names, firstNames(t, webPage, heading)) })
	}
	t.Run("states", func(t *testing.T) {
		compare(t, "status", tsUnion(t, dist+"types.d.ts", "State", "status"), firstCells(t, webPage, "## State"))
	})
	t.Run("functions", func(t *testing.T) {
		functions := make(map[string]bool)
		for _, file := range []string{"hub", "persist", "cbor", "sse", "shared", "react"} {
			maps.Copy(functions, tsFunctions(t, dist+file+".d.ts"))
		}
		text := read(t, webPage)
		for name := range functions {
			if !strings.Contains(text, name+"(") && !strings.Contains(text, name+"<") {
				t.Errorf("the page lacks the function %s", name)
			}
		}
	})
}

// TestWebClientDefaults compares the defaults of the page, of the doc comments and of the code.
func TestWebClientDefaults(t *testing.T) {
	code := make(map[string]int64)
	for _, file := range []string{"hub", "react"} {
		text := strings.ReplaceAll(read(t, "../../web/src/"+file+".ts"), "limit = LIMIT", "options.limit ?? LIMIT")
		for _, m := range regexp.MustCompile(`options\.(\w+) \?\? ([\w* ]+)`).FindAllStringSubmatch(text, -1) {
			value := strings.TrimSpace(m[2])
			if value == "LIMIT" {
				value = regexp.MustCompile(`const LIMIT = (\d+)`).FindStringSubmatch(text)[1]
			}
			code[m[1]] = tsNumber(t, value)
		}
	}
	if len(code) < 5 {
		t.Errorf("found %d defaults in the code: are they still there?", len(code))
	}
	comments := tsTypes(t, dist+"types.d.ts")["ConnectOptions"].members
	maps.Copy(comments, tsTypes(t, dist+"react.d.ts")["RoomOptions"].members)
	page := make(map[string]string)
	for _, heading := range []string{"### Options of `connect`", "### Options of `useRoom`"} {
		for _, row := range table(t, webPage, heading) {
			for name := range backquoted(row[0]) {
				page[name] = row[1]
			}
		}
	}
	for name, n := range code {
		forms := []string{thousands(n), strconv.FormatInt(n, 10)}
		if n%(1<<20) == 0 {
			forms = []string{thousands(n>>20) + " MiB"}
		}
		if got := strings.TrimSuffix(page[name], " ms"); got != forms[0] {
			t.Errorf("%s: the page says that the default is %q, the code %s", name, page[name], forms[0])
		}
		if about := comments[name]; !strings.Contains(about, "The default is "+forms[0]) && !strings.Contains(about, "The default is "+forms[len(forms)-1]) {
			t.Errorf("%s: the code says %s, its comment %q", name, forms[0], about)
		}
	}
	for name, about := range comments {
		if _, ok := code[name]; !ok && regexp.MustCompile(`The default is \d`).MatchString(about) {
			t.Errorf("%s has a number for a default, which this test does not find in the code", name)
		}
	}
}

// tsNumber reads 1024, 24e4 and 2 ** 23.
func tsNumber(t *testing.T, text string) int64 {
	t.Helper()
	if base, power, ok := strings.Cut(text, " ** "); ok && base == "2" {
		n, err := strconv.Atoi(power)
		if err != nil {
			t.Fatal(err)
		}
		return 1 << n
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Fatal(err)
	}
	return int64(n)
}

// firstNames are the names in the first column of a table, without arguments.
func firstNames(t *testing.T, page, heading string) map[string]bool {
	t.Helper()
	names := make(map[string]bool)
	for name := range firstCells(t, page, heading) {
		name, _, _ = strings.Cut(name, "(")
		names[name] = true
	}
	return names
}
