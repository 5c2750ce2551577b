package docs

import (
	"maps"
	"regexp"
	"strings"
	"testing"
)

// declarations of the browser client, as tsc writes them: members are indented by four spaces.

var (
	tsInterface = regexp.MustCompile(`^export (?:declare class|interface) (\w+)(?:<.*?>)?(?: extends (\w+)(?:<.*?>)?)? \{$`)
	tsMember    = regexp.MustCompile(`^    (?:readonly )?(\w+)\??[:(<]`)
	tsFunction  = regexp.MustCompile(`(?m)^export declare function (\w+)`)
	tsQuoted    = regexp.MustCompile(`"([a-z]+)"`)
)

type tsType struct {
	extends string
	members map[string]string // doc comments by name
}

// tsTypes are the interfaces and classes that a declaration file exports.
func tsTypes(t *testing.T, name string) map[string]tsType {
	t.Helper()
	types := make(map[string]tsType)
	var in *tsType
	var about []string
	for line := range strings.SplitSeq(read(t, name), "\n") {
		if m := tsInterface.FindStringSubmatch(line); m != nil {
			in, about = &tsType{m[2], make(map[string]string)}, nil
			types[m[1]] = *in
			continue
		}
		trimmed := strings.TrimSpace(line)
		switch {
		case in == nil:
		case line == "}":
			in = nil
		case strings.HasPrefix(trimmed, "/*") || strings.HasPrefix(trimmed, "*"):
			about = append(about, strings.Trim(trimmed, "/* "))
		default:
			if m := tsMember.FindStringSubmatch(line); len(m) > 1 && m[1] != "constructor" {
				in.members[m[1]] = strings.Join(about, " ")
			}
			about = nil
		}
	}
	if len(types) == 0 {
		t.Fatalf("%s exports no interface: is it still written in the same way?", name)
	}
	return types
}

// members are those of a type, its own and those of the types that it extends.
func members(t *testing.T, types map[string]tsType, name string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	for name != "" {
		typ, ok := types[name]
		if !ok && name != "Error" {
			t.Fatalf("the declarations have no %s", name)
		}
		maps.Copy(all, typ.members)
		name = typ.extends
	}
	return all
}

// tsUnion are the literals of a property in a union of object types.
func tsUnion(t *testing.T, file, typ, property string) map[string]bool {
	t.Helper()
	_, text, ok := strings.Cut(read(t, file), "\nexport type "+typ+" = ")
	if !ok {
		t.Fatalf("%s has no type %s", file, typ)
	}
	text, _, _ = strings.Cut(text, "\n};\n")
	literals := make(map[string]bool)
	for line := range strings.SplitSeq(text, "\n") {
		if strings.HasPrefix(strings.TrimSpace(line), "readonly "+property+":") {
			for _, m := range tsQuoted.FindAllStringSubmatch(line, -1) {
				literals[m[1]] = true
			}
		}
	}
	return literals
}

// tsFunctions are the functions that a declaration file exports.
func tsFunctions(t *testing.T, file string) map[string]bool {
	t.Helper()
	names := make(map[string]bool)
	for _, m := range tsFunction.FindAllStringSubmatch(read(t, file), -1) {
		names[m[1]] = true
	}
	return names
}
