package docs

import (
	"regexp"
	"strings"
	"testing"
)

const goClientPage = "../../docs/reference/go-client.md"

// TestGoClientPage: docs/reference/go-client.md has every exported method, function, state and error of package client, and no other.
func TestGoClientPage(t *testing.T) {
	names := exported(t, "client")
	for _, typ := range []string{"Client", "Subscription", "Publication"} {
		methods := make(map[string]bool)
		for name := range names {
			if of, method, ok := strings.Cut(name, "."); ok && of == typ {
				methods[method] = true
			}
		}
		compare(t, "method of "+typ, methods, firstNames(t, goClientPage, "## Methods of a "+typ))
	}
	p := parse(t, "client")
	functions, options, states, errs := make(map[string]bool), make(map[string]bool), make(map[string]bool), make(map[string]bool)
	for _, f := range p.Funcs {
		functions[f.Name] = true
	}
	for _, v := range p.Vars {
		for _, name := range v.Names {
			errs[name] = true
		}
	}
	for _, typ := range p.Types {
		for _, f := range typ.Funcs {
			if returnsOnly(f.Decl, typ.Name) && strings.HasSuffix(typ.Name, "Option") {
				options[f.Name] = true
			} else {
				functions[f.Name] = true
			}
		}
		if typ.Name == "Status" {
			for _, v := range typ.Consts {
				for _, name := range v.Names {
					states[name] = true
				}
			}
		}
		if strings.HasSuffix(typ.Name, "Error") {
			errs[typ.Name] = true
		}
	}
	compare(t, "function", functions, firstNames(t, goClientPage, "## Functions"))
	compare(t, "status", states, firstNames(t, goClientPage, "## States"))
	compare(t, "error", errs, firstNames(t, goClientPage, "## Errors"))

	v := newValues(t)
	want := map[string]string{
		"WithHeartbeat":        v.lasting("client", "DefaultPingInterval") + ", " + v.lasting("client", "DefaultPongTimeout"),
		"WithBackoff":          "full jitter up to " + v.lasting("backoff", "DefaultCap"),
		"WithQueue":            v.count("client", "DefaultQueue") + " and " + v.size("client", "DefaultQueueBytes"),
		"WithRetryWindow":      v.lasting("client", "DefaultRetryWindow"),
		"WithRate":             v.count("client", "DefaultRate") + " and " + v.count("client", "DefaultBurst"),
		"WithInbox":            v.count("client", "DefaultInbox"),
		"WithReadLimit":        v.size("client", "DefaultReadLimit"),
		"WithHandshakeTimeout": v.lasting("client", "DefaultHandshakeTimeout"),
		"WithWriteTimeout":     v.lasting("client", "DefaultWriteTimeout"),
	}
	for _, row := range table(t, goClientPage, "## Options") {
		for name := range backquoted(row[0]) {
			if !options[name] {
				t.Errorf("the page has the option %s, which does not exist", name)
			}
			if expected, ok := want[name]; ok && row[1] != expected {
				t.Errorf("%s: the page says that the default is %q, the code %q", name, row[1], expected)
			}
			delete(want, name)
		}
	}
	for name := range want {
		t.Errorf("the page lacks the option %s, which has a number for a default", name)
	}
	for _, name := range keysOf(v, "client", regexp.MustCompile(`^Default`)) {
		if !v.asked["client "+name] {
			t.Errorf("package client has %s: is it a default that the page lacks?", name)
		}
	}
	// All others are in options.md, which is made of the code.
	all := read(t, "../../docs/reference/options.md")
	for name := range options {
		if !regexp.MustCompile("(?m)^\\| `" + name + `[\[(]`).MatchString(all) {
			t.Errorf("options.md lacks %s", name)
		}
	}
}

// keysOf are the constants of a package that a pattern matches.
func keysOf(v *values, dir string, pattern *regexp.Regexp) (names []string) {
	for name := range exported(v.t, dir) {
		if pattern.MatchString(name) && v.declared(dir, name) != nil {
			names = append(names, name)
		}
	}
	return names
}
