package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode"
)

// documents are all Markdown files of the project.
func documents(t *testing.T) []string {
	t.Helper()
	names, err := Documents("../..")
	if err != nil {
		t.Fatal(err)
	}
	return names
}

var (
	codeBlock = regexp.MustCompile("(?ms)^```.*?\n```")
	link      = regexp.MustCompile(`\]\(([^)#\s]*)(#[^)\s]*)?\)`)
	heading   = regexp.MustCompile(`(?m)^#+ (.*)$`)
)

// TestLinks finds every file and every heading that the project's documents link to.
func TestLinks(t *testing.T) {
	anchors := make(map[string]map[string]bool) // by file
	found := 0
	for _, name := range documents(t) {
		text := codeBlock.ReplaceAllString(read(t, name), "")
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			if strings.Contains(m[1], "://") || strings.HasPrefix(m[1], "mailto:") {
				continue
			}
			found++
			to := name
			if m[1] != "" {
				to = filepath.Join(filepath.Dir(name), m[1])
			}
			if _, err := os.Stat(to); err != nil {
				t.Errorf("%s links to %s: %v", name, m[1], err)
				continue
			}
			if m[2] == "" {
				continue
			}
			if anchors[to] == nil {
				anchors[to] = headings(read(t, to))
			}
			if !anchors[to][m[2][1:]] {
				t.Errorf("%s links to %s%s, which has no such heading", name, m[1], m[2])
			}
		}
	}
	if found < 100 {
		t.Errorf("found %d links: are the documents still there?", found)
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// headings are the anchors of a document, as GitHub makes them of its headings.
func headings(text string) map[string]bool {
	anchors := make(map[string]bool)
	for _, m := range heading.FindAllStringSubmatch(codeBlock.ReplaceAllString(text, ""), -1) {
		a := slug(m[1])
		for i := 1; anchors[a]; i++ {
			a = slug(m[1]) + "-" + strconv.Itoa(i)
		}
		anchors[a] = true
	}
	return anchors
}

func slug(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
			return unicode.ToLower(r)
		}
		return -1
	}, s)
}

// TestIndex: docs/README.md links to every page of the documentation, so that none is a dead end.
func TestIndex(t *testing.T) {
	index := read(t, "../../docs/README.md")
	for _, name := range documents(t) {
		page, err := filepath.Rel("../../docs", name)
		if err != nil {
			t.Fatal(err)
		}
		page = filepath.ToSlash(page)
		if strings.HasPrefix(page, "..") || page == "README.md" || strings.HasPrefix(page, "benchmarks/") {
			continue
		}
		if !strings.Contains(index, "]("+page+")") {
			t.Errorf("docs/README.md does not link to %s", page)
		}
	}
}

// TestReadmeIsShort: the front door has fewer than 900 words.
func TestReadmeIsShort(t *testing.T) {
	if n := len(strings.Fields(read(t, "../../README.md"))); n >= 900 {
		t.Errorf("README.md has %d words", n)
	}
}
