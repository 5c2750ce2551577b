package redis

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Start tries every command that a script uses.
func TestSamplesCoverScripts(t *testing.T) {
	for _, name := range commandsOf(allScripts...) {
		if _, ok := samples[name]; !ok && name != "TIME" {
			t.Errorf("%s has no sample arguments: Start would not notice that it is not permitted", name)
		}
	}
	if n := len(commandsOf(allScripts...)); n < 15 {
		t.Errorf("only %d commands: are scripts read any more?", n)
	}
}

// The documentation permits what the broker uses, and nothing else.
func TestDocumentedACLIsExact(t *testing.T) {
	text, err := os.ReadFile("../../docs/redis.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), "-@all ")
	block, _, _ := strings.Cut(after, "```")
	var got []string
	for _, m := range regexp.MustCompile(`\+([a-z]+)`).FindAllStringSubmatch(block, -1) {
		got = append(got, strings.ToUpper(m[1]))
	}
	want := slices.Concat(direct, commandsOf(allScripts...), []string{"PING", "EVAL", "EVALSHA", "PUBLISH", "SUBSCRIBE", "UNSUBSCRIBE"})
	slices.Sort(got)
	slices.Sort(want)
	if want = slices.Compact(want); !slices.Equal(got, want) {
		t.Errorf("docs/redis.md permits\n%s, want\n%s", got, want)
	}
}
