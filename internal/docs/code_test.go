package docs

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/doc"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// values reads numbers out of the code, so that pages can be compared with them: constants, the fields of a struct that a function
// returns, and the arguments of a call that it returns.
type values struct {
	t     *testing.T
	files map[string][]*ast.File // by folder
	asked map[string]bool        // "folder name"
}

func newValues(t *testing.T) *values {
	return &values{t, make(map[string][]*ast.File), make(map[string]bool)}
}

// number returns a constant of a package by its name. "f.field" is a field of what the function f returns, and "f.0" the first
// argument of the call whose result f returns.
func (v *values) number(dir, name string) int64 {
	v.t.Helper()
	v.asked[dir+" "+name] = true
	n, exact := constant.Int64Val(v.eval(dir, v.find(dir, name)))
	if !exact {
		v.t.Fatalf("%s: %s is not an integer", dir, name)
	}
	return n
}

func (v *values) packageOf(dir string) []*ast.File {
	v.t.Helper()
	if v.files[dir] != nil {
		return v.files[dir]
	}
	names, err := filepath.Glob(filepath.Join("..", "..", filepath.FromSlash(dir), "*.go"))
	if err != nil || len(names) == 0 {
		v.t.Fatalf("no package in %s: %v", dir, err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			v.t.Fatal(err)
		}
		v.files[dir] = append(v.files[dir], f)
	}
	return v.files[dir]
}

func (v *values) find(dir, name string) ast.Expr {
	v.t.Helper()
	name, part, _ := strings.Cut(name, ".")
	x := v.declared(dir, name)
	if x == nil {
		v.t.Fatalf("%s has no constant and no function %s that returns one expression", dir, name)
	}
	for part != "" {
		var step string
		step, part, _ = strings.Cut(part, ".")
		switch of := x.(type) {
		case *ast.CompositeLit:
			x = field(of, step)
		case *ast.CallExpr:
			n, err := strconv.Atoi(step)
			if err != nil || n >= len(of.Args) {
				v.t.Fatalf("%s: %s has no argument %s", dir, name, step)
			}
			x = of.Args[n]
		}
		if x == nil {
			v.t.Fatalf("%s: %s has no %s", dir, name, step)
		}
	}
	return x
}

func (v *values) declared(dir, name string) ast.Expr {
	for _, f := range v.packageOf(dir) {
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil && d.Name.Name == name && len(d.Body.List) == 1 {
					if r, ok := d.Body.List[0].(*ast.ReturnStmt); ok && len(r.Results) == 1 {
						return r.Results[0]
					}
				}
			case *ast.GenDecl:
				for _, s := range d.Specs {
					s, ok := s.(*ast.ValueSpec)
					if !ok {
						continue
					}
					for i, n := range s.Names {
						if n.Name == name && i < len(s.Values) {
							return s.Values[i]
						}
					}
				}
			}
		}
	}
	return nil
}

func field(of *ast.CompositeLit, name string) ast.Expr {
	for _, e := range of.Elts {
		if kv, ok := e.(*ast.KeyValueExpr); ok && kv.Key.(*ast.Ident).Name == name {
			return kv.Value
		}
	}
	return nil
}

// units are the constants of package time.
var units = map[string]time.Duration{"Millisecond": time.Millisecond, "Second": time.Second, "Minute": time.Minute, "Hour": time.Hour}

func (v *values) eval(dir string, x ast.Expr) constant.Value {
	v.t.Helper()
	switch x := x.(type) {
	case *ast.BasicLit:
		return constant.MakeFromLiteral(x.Value, x.Kind, 0)
	case *ast.ParenExpr:
		return v.eval(dir, x.X)
	case *ast.Ident:
		return v.eval(dir, v.find(dir, x.Name))
	case *ast.SelectorExpr:
		if d, ok := units[x.Sel.Name]; ok && source(x.X) == "time" {
			return constant.MakeInt64(int64(d))
		}
	case *ast.BinaryExpr:
		left, right := v.eval(dir, x.X), v.eval(dir, x.Y)
		if x.Op == token.SHL || x.Op == token.SHR {
			by, _ := constant.Uint64Val(right)
			return constant.Shift(left, x.Op, uint(by))
		}
		return constant.BinaryOp(left, x.Op, right)
	}
	v.t.Fatalf("%s: %s is more than this test reads", dir, source(x))
	return nil
}

// count, size and lasting write a number of the code as the pages do.

func (v *values) count(dir, name string) string { return thousands(v.number(dir, name)) }

func (v *values) size(dir, name string) string {
	switch n := v.number(dir, name); {
	case n%(1<<20) == 0:
		return thousands(n>>20) + " MiB"
	case n%(1<<10) == 0:
		return thousands(n>>10) + " KiB"
	default:
		return thousands(n) + " bytes"
	}
}

func (v *values) lasting(dir, name string) string {
	switch d := time.Duration(v.number(dir, name)); {
	case d%time.Minute == 0 && d > time.Minute:
		return fmt.Sprint(int64(d/time.Minute)) + " min"
	case d%time.Second == 0:
		return fmt.Sprint(int64(d/time.Second)) + " s"
	default:
		return fmt.Sprint(int64(d/time.Millisecond)) + " ms"
	}
}

func thousands(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// exports are the results of exported, by folder.
var exports = make(map[string]map[string]string)

// exported are the names that a package exports, with their doc comments. Methods and fields are Type.Name.
func exported(t *testing.T, dir string) map[string]string {
	t.Helper()
	if exports[dir] != nil {
		return exports[dir]
	}
	p, names := parse(t, dir), make(map[string]string)
	exports[dir] = names
	list := func(prefix string, fs []*doc.Func) {
		for _, f := range fs {
			names[prefix+f.Name] = f.Doc
		}
	}
	consts := func(vs []*doc.Value) {
		for _, v := range vs {
			for _, name := range v.Names {
				names[name] = v.Doc
			}
		}
	}
	list("", p.Funcs)
	consts(p.Consts)
	consts(p.Vars)
	for _, typ := range p.Types {
		names[typ.Name] = typ.Doc
		list("", typ.Funcs)
		list(typ.Name+".", typ.Methods)
		consts(typ.Consts)
		consts(typ.Vars)
		for _, s := range typ.Decl.Specs {
			if st, ok := s.(*ast.TypeSpec).Type.(*ast.StructType); ok {
				for _, f := range st.Fields.List {
					for _, n := range f.Names {
						names[typ.Name+"."+n.Name] = f.Doc.Text()
					}
				}
			}
		}
	}
	return names
}

// table returns the rows of the tables below a heading of a page, as cells without what is around them. It ends at the next
// heading of any level.
func table(t *testing.T, page, heading string) (rows [][]string) {
	t.Helper()
	_, text, ok := strings.Cut(read(t, page), "\n"+heading+"\n")
	if !ok {
		t.Fatalf("%s has no heading %q", page, heading)
	}
	text, _, _ = strings.Cut(codeBlock.ReplaceAllString(text, ""), "\n#")
	begun := false
	for line := range strings.SplitSeq(text, "\n") {
		switch {
		case !strings.HasPrefix(line, "|"):
			begun = false
		case strings.HasPrefix(strings.ReplaceAll(line, " ", ""), "|--"):
			begun = true
		case begun:
			cells := strings.Split(strings.Trim(strings.ReplaceAll(line, `\|`, "\x00"), "| "), "|")
			for i := range cells {
				cells[i] = strings.ReplaceAll(strings.TrimSpace(cells[i]), "\x00", "|")
			}
			rows = append(rows, cells)
		}
	}
	if len(rows) == 0 {
		t.Fatalf("%s has no table under %q", page, heading)
	}
	return rows
}
