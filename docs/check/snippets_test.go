package check

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gohubkit/hubkit/internal/docs"

	// The documentation's programs import these.
	_ "github.com/centrifugal/centrifuge"
	_ "github.com/gohubkit/hubkit/broker/redis"
	_ "github.com/gohubkit/hubkit/client"
	_ "github.com/gohubkit/hubkit/metrics/prometheus"
	_ "github.com/gohubkit/hubkit/otel"
	_ "github.com/golang-jwt/jwt/v5"
	_ "github.com/gorilla/websocket"
	_ "github.com/olahol/melody"
	_ "github.com/prometheus/client_golang/prometheus/promhttp"
	_ "go.opentelemetry.io/otel/exporters/stdout/stdouttrace"
	_ "go.opentelemetry.io/otel/sdk/trace"
)

// root is the folder of the library.
const root = "../.."

// TestSnippets vets every block of Go in every document: whole programs as they are, and fragments in a function or a file that
// has what they leave out. A file of package main without a main belongs to the programs that follow it in its document.
func TestSnippets(t *testing.T) {
	dir := t.TempDir()
	module(t, dir)
	n := 0
	for _, name := range documents(t) {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var parts []string // of the document's program, besides main.go
		whole := true
		for _, b := range blocks(string(text)) {
			where, err := filepath.Rel(root, name)
			if err != nil {
				t.Fatal(err)
			}
			code, err := complete(b.text, fmt.Sprintf("//line %s:%d\n", filepath.ToSlash(where), b.line))
			if err != nil {
				t.Errorf("%s:%d: %v", where, b.line, err)
				continue
			}
			if isMain(code) && !strings.Contains(code, "\nfunc main()") {
				parts, whole = append(parts, code), false
				continue
			}
			n++
			file := filepath.Join(dir, fmt.Sprintf("s%d", n), "snippet.go")
			if strings.Contains(code, "func Test") || strings.Contains(code, "func Example") {
				file = strings.TrimSuffix(file, ".go") + "_test.go"
			}
			write(t, file, code)
			if isMain(code) {
				whole = true
				for i, part := range parts {
					write(t, filepath.Join(filepath.Dir(file), fmt.Sprintf("part%d.go", i)), part)
				}
			} else {
				write(t, filepath.Join(filepath.Dir(file), "yours.go"), strings.Replace(yours, "package p", packageOf(code), 1))
			}
		}
		if !whole {
			t.Errorf("%s has a part of a program, and no program after it", name)
		}
	}
	if n < 30 {
		t.Errorf("found %d blocks of Go: are the documents still there?", n)
	}
	cmd := exec.CommandContext(t.Context(), "go", "vet", "-mod=mod", "-unreachable=false", "./...")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("go vet: %v\n%s", err, out)
	}
}

// module makes a module in dir that has this one's requirements.
func module(t *testing.T, dir string) {
	t.Helper()
	library, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	mod, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	sum, err := os.ReadFile("go.sum")
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "go.mod"), strings.ReplaceAll(string(mod), "=> ../..", "=> "+filepath.ToSlash(library)))
	write(t, filepath.Join(dir, "go.sum"), string(sum))
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// documents are all Markdown files of the project.
func documents(t *testing.T) []string {
	t.Helper()
	names, err := docs.Documents(root)
	if err != nil {
		t.Fatal(err)
	}
	return names
}

type block struct {
	text string
	line int // of its first line
}

func blocks(text string) (found []block) {
	for _, at := range regexp.MustCompile("(?ms)^```go\n(.*?)^```").FindAllStringSubmatchIndex(text, -1) {
		found = append(found, block{text: text[at[2]:at[3]], line: 1 + strings.Count(text[:at[2]], "\n")})
	}
	return found
}

// complete makes a whole file of a block, with a comment that has the compiler name the document.
func complete(text, line string) (string, error) {
	if strings.HasPrefix(text, "package ") {
		return line + text, nil
	}
	file := token.NewFileSet()
	if f, err := parser.ParseFile(file, "", "package p\n"+text, 0); err == nil {
		return "package p\n" + imports(f) + line + text, nil
	}
	const begin = `func _(ctx context.Context, h *hub.Hub, mux *http.ServeMux, srv *http.Server) error {
{
`
	f, err := parser.ParseFile(file, "", "package p\n"+begin+text+"}\nreturn nil\n}\n", 0)
	if err != nil {
		return "", fmt.Errorf("neither a program nor a fragment: %w", err)
	}
	var used bytes.Buffer
	for _, name := range declared(f) {
		fmt.Fprintf(&used, "_ = %s\n", name)
	}
	return "package p\n" + imports(f) + begin + line + text + used.String() + "}\nreturn nil\n}\n", nil
}

// declared are the variables of the fragment's own block, which it need not use.
func declared(f *ast.File) []string {
	names := make(map[string]bool)
	body := f.Decls[0].(*ast.FuncDecl).Body.List[0].(*ast.BlockStmt)
	for _, s := range body.List {
		switch s := s.(type) {
		case *ast.AssignStmt:
			if s.Tok == token.DEFINE {
				for _, x := range s.Lhs {
					names[x.(*ast.Ident).Name] = true
				}
			}
		case *ast.DeclStmt:
			if d, ok := s.Decl.(*ast.GenDecl); ok && d.Tok == token.VAR {
				for _, v := range d.Specs {
					names[v.(*ast.ValueSpec).Names[0].Name] = true
				}
			}
		}
	}
	delete(names, "_")
	return slices.Sorted(maps.Keys(names))
}

// imports are those that a fragment leaves out.
func imports(f *ast.File) string {
	needed := make(map[string]string) // path → name
	ast.Inspect(f, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := s.X.(*ast.Ident); ok && x.Obj == nil && known[x.Name] != "" {
				needed[known[x.Name]] = x.Name
			}
		}
		return true
	})
	var b strings.Builder
	for _, path := range slices.Sorted(maps.Keys(needed)) {
		fmt.Fprintf(&b, "import %s %q\n", needed[path], path)
	}
	return b.String()
}

func isMain(code string) bool { return packageOf(code) == "package main" }

func packageOf(code string) string {
	return regexp.MustCompile(`(?m)^package \w+`).FindString(code)
}

const hubkit = "github.com/gohubkit/hubkit/"

// known are the packages that fragments use, by the name that they have there.
var known = map[string]string{
	"context": "context", "errors": "errors", "fmt": "fmt", "http": "net/http", "json": "encoding/json", "log": "log", "net": "net",
	"os": "os", "signal": "os/signal", "slog": "log/slog", "sql": "database/sql", "strings": "strings", "syscall": "syscall",
	"testing": "testing", "time": "time", "tls": "crypto/tls",
	"backoff": hubkit + "backoff", "broker": hubkit + "broker", "client": hubkit + "client", "heartbeat": hubkit + "heartbeat",
	"dash": hubkit + "dash", "hub": hubkit + "hub", "memory": hubkit + "broker/memory", "preflight": hubkit + "preflight", "protocol": hubkit + "protocol",
	"redis": hubkit + "broker/redis", "workerpool": hubkit + "workerpool", "brokertest": hubkit + "broker/brokertest",
	"hubotel": hubkit + "otel", "trace": "go.opentelemetry.io/otel/trace",
}
