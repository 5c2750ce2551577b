package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// logged are the folders whose log messages docs/logs.md lists. What the hub's inner packages log is the hub's.
var logged = []string{"hub", "internal/core/nodes", "internal/core/presence", "internal/core/rooms", "internal/core/drain", "client", "broker/redis", "dash"}

// wholly are messages that the code puts together: docs/logs.md has them as they begin or end.
var wholly = map[string]string{
	`what + " failed"`: "… failed",
	`"settings in " + fastpath.Env + " are not understood: use uring=0, rawsys=0, poll=0 or door=0"`: "settings in HUBKIT_DEBUG are not understood: use uring=0, rawsys=0, poll=0 or door=0",
}

// TestLogsAreDocumented compares docs/logs.md with the log calls of the code, both ways: messages and levels.
func TestLogsAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/logs.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := make(map[string]string) // levels by message
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\| ([A-Z, ]+) \\| \\S").FindAllStringSubmatch(string(page), -1) {
		documented[m[1]] = m[2]
	}
	found := make(map[string]bool)
	for _, dir := range logged {
		for _, c := range logCalls(t, filepath.Join("..", "..", filepath.FromSlash(dir))) {
			found[c.message] = true
			if levels, ok := documented[c.message]; !ok {
				t.Errorf("%s: docs/logs.md has no message %q", c.at, c.message)
			} else if c.level != "" && !strings.Contains(levels, c.level) {
				t.Errorf("%s: %q is logged at %s, docs/logs.md says %s", c.at, c.message, c.level, levels)
			}
		}
	}
	if len(found) < 40 {
		t.Errorf("only %d messages were found in the code", len(found))
	}
	for message := range documented {
		if !found[message] {
			t.Errorf("docs/logs.md has the message %q, which nothing logs", message)
		}
	}
}

type logCall struct {
	message, level string // level is empty if it is decided when it is logged
	at             token.Position
}

// logCalls finds the calls of a slog.Logger in a folder: of Debug, Info, Warn, Error and Log, on what is called log or Log.
func logCalls(t *testing.T, dir string) (calls []logCall) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no files in %s: %v", dir, err)
	}
	set := token.NewFileSet()
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(set, name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			method, ok := call.Fun.(*ast.SelectorExpr)
			if !ok || !isLog(method.X) {
				return true
			}
			level, at := "", 0
			switch method.Sel.Name {
			case "Debug", "Info", "Warn", "Error":
				level = strings.ToUpper(method.Sel.Name)
			case "Log":
				at = 2
			default:
				return true
			}
			message, ok := text(call.Args[at])
			if !ok {
				t.Errorf("%s: the message is not a constant", set.Position(call.Pos()))
				return true
			}
			calls = append(calls, logCall{message, level, set.Position(call.Pos())})
			return true
		})
	}
	return calls
}

// isLog reports whether an expression ends in log or Log.
func isLog(x ast.Expr) bool {
	switch x := x.(type) {
	case *ast.Ident:
		return x.Name == "log"
	case *ast.SelectorExpr:
		return x.Sel.Name == "log" || x.Sel.Name == "Log"
	}
	return false
}

// text is what a string expression says.
func text(x ast.Expr) (string, bool) {
	switch x := x.(type) {
	case *ast.BasicLit:
		s, err := strconv.Unquote(x.Value)
		return s, err == nil
	case *ast.BinaryExpr:
		if s, ok := wholly[source(x)]; ok {
			return s, true
		}
		left, ok1 := text(x.X)
		right, ok2 := text(x.Y)
		return left + right, ok1 && ok2
	}
	return "", false
}

// source is a sum of strings and names as it is written.
func source(x ast.Expr) string {
	switch x := x.(type) {
	case *ast.BasicLit:
		return x.Value
	case *ast.Ident:
		return x.Name
	case *ast.SelectorExpr:
		return source(x.X) + "." + x.Sel.Name
	case *ast.BinaryExpr:
		return source(x.X) + " + " + source(x.Y)
	}
	return "?"
}
