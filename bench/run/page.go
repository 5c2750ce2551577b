package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// ours are the variants of hubkit.
func ours(peer string) bool { return strings.HasPrefix(peer, "hubkit") }

// variants are those of hubkit.
var variants = []string{"hubkit", "hubkit-fast", "hubkit-v1", "hubkit-v1-fast"}

// page is all records in Markdown.
func page(all []record) string {
	all, runs := merge(all)
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format, args...) }
	p("# hubkit beside other libraries\n\nWritten by `go run ./run -o ../docs/benchmarks` in `bench/`, which runs every test against " +
		"every server; `-tests` and `-peers` choose. Servers and load are processes of their own on one machine, over loopback, and the " +
		"servers take turns within a round. Figures are medians over the rounds; losses are sums. **Bold** is the best of those that lost " +
		"nothing, whoever it is. hubkit's raw variant sends the application's frames as they are, like the others; hubkit-v1 adds its " +
		"protocol, and an identity for each connection, as centrifuge does. The variants with -fast accept connections by Hub.Serve, the " +
		"others by net/http. The variants of the others are set as their documentation or their own benchmarks say: " +
		"`bench/peers` has a source for each setting. Peers that have their own HTTP server are nbio and gws-tuned. The floor is no server but the system calls that one makes " +
		"who sends to one socket at a time, for comparison. CPU is the server's, in seconds per million deliveries (echoes, " +
		"handshakes), which is also microseconds for one.\n\n")
	p("![The first figure of each test, for each server](peers.svg)\n\n## In short\n\n")
	p("The first figure of each test, and how often hubkit's fits into that of the best other server: above 1 hubkit is better.\n\n")
	p("| test | figure | %s | best other | × %s |\n|---|---|%s---|%s\n", strings.Join(variants, " | "), strings.Join(variants, " | × "),
		strings.Repeat("---:|", len(variants)), strings.Repeat("---:|", len(variants)))
	for _, r := range all {
		p("%s\n", r.short())
	}
	p("\n## The tests\n")
	for _, r := range all {
		r.writeTable(&b)
	}
	p("\n## Where\n\n")
	versions := make(map[string]string)
	for i, run := range runs {
		var tested []string
		for _, r := range all {
			for _, name := range r.Peers {
				if slices.Contains(r.runs[name], i+1) {
					tested = append(tested, r.Test)
					break
				}
			}
		}
		p("%d. %s Tests: %s.\n", i+1, run.Machine, strings.Join(tested, ", "))
		maps.Copy(versions, run.Versions)
	}
	p("\nLibraries:\n\n")
	for _, name := range slices.Sorted(maps.Keys(versions)) {
		p("- %s: %s\n", name, versions[name])
	}
	return b.String()
}

// short is a record in one row.
func (r record) short() string {
	c, rows := columns[r.Kind][0], r.rows()
	find := func(name string) (float64, bool) {
		i := slices.IndexFunc(rows, func(one row) bool { return one.peer == name && one.rounds > 0 })
		if i < 0 {
			return 0, false
		}
		return rows[i].values[0], true
	}
	others := slices.DeleteFunc(slices.Clone(rows), func(one row) bool { return ours(one.peer) })
	other, ok := best(others, 0, c)
	name := "–"
	if ok {
		i := slices.IndexFunc(others, func(one row) bool { return one.whole && one.peer != floor && one.rounds > 0 && one.values[0] == other })
		name = fmt.Sprintf("%s "+c.format, others[i].peer, other)
	}
	var figures, factors strings.Builder
	top, _ := best(rows, 0, c)
	for _, variant := range variants {
		v, has := find(variant)
		text, factor := "–", "–"
		if has {
			text = fmt.Sprintf(c.format, v)
			if v == top {
				text = "**" + text + "**"
			}
			if ok && v > 0 {
				factor = fmt.Sprintf("%.2f", other/v)
			}
		}
		figures.WriteString(" " + text + " |")
		factors.WriteString(" " + factor + " |")
	}
	if ok && other == top {
		name = "**" + name + "**"
	}
	return fmt.Sprintf("| %s | %s |%s %s |%s", r.Title, c.name, figures.String(), name, factors.String())
}
