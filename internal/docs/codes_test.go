package docs

import (
	"fmt"
	"go/ast"
	"iter"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/gohubkit/hubkit/protocol"
)

const codesPage = "../../docs/reference/codes.md"

// TestCloseCodesPage: docs/reference/codes.md has every close code and no other, and says of each what a client does after it.
func TestCloseCodesPage(t *testing.T) {
	codes, stands := closeCodes(t), make(map[string]bool)
	does := map[bool]string{true: "reconnects", false: "stays closed"}
	for _, row := range table(t, codesPage, "## What a client does after a close code") {
		for n := range strings.SplitSeq(row[0], ", ") {
			code, ok := codes[n]
			if !ok {
				t.Errorf("the page names the close code %q, which does not exist", n)
				continue
			}
			stands[n] = true
			if !strings.HasPrefix(row[1], does[code.Reconnect()]) {
				t.Errorf("%s: the page says that the client %s, the code that it %s", n, row[1], does[code.Reconnect()])
			}
		}
		for name := range backquoted(row[2]) {
			known(t, name)
		}
	}
	for n := range codes {
		if !stands[n] {
			t.Errorf("the page lacks the close code %s", n)
		}
	}
}

// TestErrorCodesPage: the page has every error code and no other, and says which a client may retry.
func TestErrorCodesPage(t *testing.T) {
	stands := make(map[string]bool)
	for _, row := range table(t, codesPage, "## Which errors to retry") {
		for name := range backquoted(row[0]) {
			code := protocol.ErrorCode(name)
			if code.Explain() == "" {
				t.Errorf("the page names the error code %s, which does not exist", name)
			}
			stands[name] = true
			if want := map[bool]string{true: "yes", false: "no"}[code.Retry()]; row[1] != want {
				t.Errorf("%s: the page says that a retry is %q, the code %q", name, row[1], want)
			}
		}
		for name := range backquoted(row[2]) {
			known(t, name)
		}
	}
	names := constants(t, "ErrorCode")
	for _, name := range names {
		code, err := strconv.Unquote(name)
		if err != nil {
			t.Fatal(err)
		}
		if !stands[code] {
			t.Errorf("the page lacks the error code %s", code)
		}
	}
	for _, row := range table(t, codesPage, "## Return errors from callbacks") {
		for _, cell := range row {
			for name := range backquoted(cell) {
				if regexp.MustCompile(`^[a-z_]+$`).MatchString(name) {
					checkCodes(t, "`"+name+"`")
				} else {
					known(t, strings.TrimLeft(name, "*"))
				}
			}
		}
	}
}

var codesByNumber map[string]protocol.CloseCode

// closeCodes are the close codes of package protocol, by their number.
func closeCodes(t *testing.T) map[string]protocol.CloseCode {
	t.Helper()
	if codesByNumber != nil {
		return codesByNumber
	}
	codes := make(map[string]protocol.CloseCode)
	codesByNumber = codes
	for _, n := range constants(t, "CloseCode") {
		code, err := strconv.ParseUint(n, 10, 16)
		if err != nil {
			t.Fatal(err)
		}
		codes[n] = protocol.CloseCode(code)
	}
	return codes
}

// constants are the literals of package protocol's constants of a type.
func constants(t *testing.T, typ string) (literals []string) {
	t.Helper()
	for _, f := range newValues(t).packageOf("protocol") {
		ast.Inspect(f, func(n ast.Node) bool {
			if s, ok := n.(*ast.ValueSpec); ok && s.Type != nil && source(s.Type) == typ {
				literals = append(literals, source(s.Values[0]))
			}
			return true
		})
	}
	if len(literals) < 15 {
		t.Fatalf("found %d constants of type %s: are they still there?", len(literals), typ)
	}
	return literals
}

// backquoted are the code spans of a text.
func backquoted(text string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(text, -1) {
			if !yield(m[1]) {
				return
			}
		}
	}
}

// keys are the names of a struct literal's fields.
func keys(t *testing.T, x ast.Expr) (names []string) {
	t.Helper()
	lit, ok := x.(*ast.CompositeLit)
	if !ok {
		t.Fatal("it is no literal")
	}
	for _, e := range lit.Elts {
		names = append(names, fmt.Sprint(e.(*ast.KeyValueExpr).Key))
	}
	return names
}

// known: a name that a page has is one of package hub, or of the package before its dot. It may be a method of Hub or Conn. A name
// in lower case is not one of Go.
func known(t *testing.T, name string) {
	t.Helper()
	dir, of, ok := strings.Cut(name, ".")
	if !ok || !regexp.MustCompile(`^[a-z]+$`).MatchString(dir) {
		dir, of = "hub", name
	}
	if !regexp.MustCompile(`^[A-Z]\w*(\.[A-Z]\w*)?$`).MatchString(of) {
		return
	}
	names := exported(t, dir)
	for _, owner := range []string{"", "Hub.", "Conn."} {
		if _, ok := names[owner+of]; ok {
			return
		}
	}
	t.Errorf("the page names %s.%s, which does not exist", dir, of)
}
