package deps

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// pkg is a package as go list tells of it.
type pkg struct {
	ImportPath   string
	Imports      []string
	TestImports  []string
	XTestImports []string
}

// check returns what in pkgs, all packages of the module, breaks the policy.
func check(pkgs []pkg, policy []rule) []string {
	graph := make(map[string][]string) // package → what it imports of the module
	for _, p := range pkgs {
		graph[p.ImportPath] = append(graph[p.ImportPath], ours(p.Imports)...)
	}
	var faults []string
	for _, p := range pkgs {
		name := strings.TrimPrefix(p.ImportPath, module+"/")
		r, ok := ruleFor(name, policy)
		if !ok {
			faults = append(faults, fmt.Sprintf("%s: no rule names it", name))
			continue
		}
		faults = append(faults, checkImports(p, name, r, graph)...)
		faults = append(faults, checkTests(p, name, r)...)
	}
	return faults
}

func checkImports(p pkg, name string, r rule, graph map[string][]string) (faults []string) {
	via := reach(p.ImportPath, graph)
	for _, to := range slices.Sorted(maps.Keys(via)) {
		if dep := strings.TrimPrefix(to, module+"/"); dep != name && matchAny(r.not, dep) {
			faults = append(faults, fmt.Sprintf("%s must not import %s: %s", name, dep, chain(p.ImportPath, to, via)))
		}
	}
	for _, to := range p.Imports {
		dep := strings.TrimPrefix(to, module+"/")
		switch {
		case dep != to:
			if matchAny(testOnly, dep) && !matchAny(testOnly, name) {
				faults = append(faults, fmt.Sprintf("%s must not import %s outside its tests", name, dep))
			}
		case !standard(to) && !granted(r.grants, to):
			faults = append(faults, fmt.Sprintf("%s must not import %s", name, to))
		}
	}
	return faults
}

func checkTests(p pkg, name string, r rule) (faults []string) {
	for _, to := range slices.Concat(p.TestImports, p.XTestImports) {
		dep := strings.TrimPrefix(to, module+"/")
		var bad bool
		if dep != to {
			bad = dep != name && matchAny(r.not, dep) && !matchAny(r.tests, dep) && !matchAny(testOnly, dep)
		} else {
			bad = !standard(to) && !granted(r.grants, to) && !granted(testGrants, to)
		}
		if bad {
			faults = append(faults, fmt.Sprintf("tests of %s must not import %s", name, dep))
		}
	}
	return faults
}

func ruleFor(name string, policy []rule) (rule, bool) {
	for _, r := range policy {
		if matchAny(r.pkgs, name) {
			return r, true
		}
	}
	return rule{}, false
}

// reach maps every package that from imports, directly or not, to one that imports it.
func reach(from string, graph map[string][]string) map[string]string {
	via := make(map[string]string)
	for queue := []string{from}; len(queue) > 0; queue = queue[1:] {
		for _, to := range graph[queue[0]] {
			if _, seen := via[to]; !seen {
				via[to] = queue[0]
				queue = append(queue, to)
			}
		}
	}
	return via
}

// chain tells how from comes to import to.
func chain(from, to string, via map[string]string) string {
	path := []string{to}
	for to != from {
		to = via[to]
		path = append(path, to)
	}
	slices.Reverse(path)
	for i := range path {
		path[i] = strings.TrimPrefix(path[i], module+"/")
	}
	return strings.Join(path, " → ")
}

func ours(imports []string) []string {
	return slices.DeleteFunc(slices.Clone(imports), func(p string) bool { return !strings.HasPrefix(p, module+"/") })
}

// standard goes by the rule that the first element of any other path is a domain name.
func standard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".")
}

func granted(mods []string, path string) bool {
	return slices.ContainsFunc(mods, func(m string) bool { return path == m || strings.HasPrefix(path, m+"/") })
}

func matchAny(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return match(p, name) })
}

func match(pattern, name string) bool {
	if pattern == "..." {
		return true
	}
	root, below := strings.CutSuffix(pattern, "/...")
	return name == root || below && strings.HasPrefix(name, root+"/")
}
