package deps

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestPolicy looks at the imports on every system that the code distinguishes.
func TestPolicy(t *testing.T) {
	for _, goos := range []string{"linux", "darwin", "windows"} {
		t.Run(goos, func(t *testing.T) {
			pkgs := list(t, goos)
			if len(pkgs) < 5 {
				t.Fatalf("go list names only %d packages", len(pkgs))
			}
			for _, fault := range check(pkgs, policy) {
				t.Error(fault)
			}
		})
	}
}

// list asks the go command for the packages of the module.
func list(t *testing.T, goos string) []pkg {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports,TestImports,XTestImports", module+"/...")
	cmd.Env = append(os.Environ(), "GOOS="+goos, "CGO_ENABLED=0")
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, &stderr)
	}
	var pkgs []pkg
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return pkgs
		} else if err != nil {
			t.Fatal(err)
		}
		pkgs = append(pkgs, p)
	}
}

// TestCheckFindsFaults holds the policy against imports that are wrong.
func TestCheckFindsFaults(t *testing.T) {
	imports := func(name string, imports ...string) pkg {
		return pkg{ImportPath: in(name), Imports: imports}
	}
	tests := []struct {
		name string
		pkgs []pkg
		want []string
	}{
		{
			name: "clean",
			pkgs: []pkg{
				imports("hub", "context", in("broker"), in("internal/engine/wire"), gorilla),
				imports("broker", "time"),
				imports("internal/engine/wire", gorilla),
				imports("broker/brokertest", "testing", in("broker"), in("internal/testenv")),
				{ImportPath: in("broker/memory"), TestImports: []string{in("broker/brokertest"), goleak}},
				{ImportPath: in("backoff"), XTestImports: []string{in("backoff"), in("internal/testenv")}},
				{ImportPath: in("hub"), XTestImports: []string{in("client"), in("broker/redis")}},
			},
		},
		{
			name: "direct",
			pkgs: []pkg{imports("client", in("hub"))},
			want: []string{"client must not import hub: client → hub"},
		},
		{
			name: "by a chain",
			pkgs: []pkg{
				imports("hub", in("internal/room")),
				imports("internal/room", in("internal/link")),
				imports("internal/link", in("client")),
			},
			want: []string{
				"hub must not import client: hub → internal/room → internal/link → client",
				"internal/room must not import client: internal/room → internal/link → client",
				"internal/link must not import client: internal/link → client",
			},
		},
		{
			name: "leaf imports leaf",
			pkgs: []pkg{imports("heartbeat", in("backoff"))},
			want: []string{"heartbeat must not import backoff: heartbeat → backoff"},
		},
		{
			name: "third party",
			pkgs: []pkg{imports("broker", rueidis), imports("hub", ants), imports("broker/redis", rueidis+"/rueidislock")},
			want: []string{"broker must not import " + rueidis, "hub must not import " + ants},
		},
		{
			name: "similar path",
			pkgs: []pkg{imports("broker/redis", rueidis+"x")},
			want: []string{"broker/redis must not import " + rueidis + "x"},
		},
		{
			name: "test help in the product",
			pkgs: []pkg{imports("cmd/hubload", in("internal/testenv"))},
			want: []string{"cmd/hubload must not import internal/testenv outside its tests"},
		},
		{
			name: "tests",
			pkgs: []pkg{
				{ImportPath: in("backoff"), XTestImports: []string{in("hub")}},
				{ImportPath: in("protocol"), TestImports: []string{ants}},
			},
			want: []string{"tests of backoff must not import hub", "tests of protocol must not import " + ants},
		},
		{
			name: "unknown package",
			pkgs: []pkg{imports("util")},
			want: []string{"util: no rule names it"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := check(tt.pkgs, policy); !slices.Equal(got, tt.want) {
				t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(tt.want, "\n\t"))
			}
		})
	}
}

func TestMatch(t *testing.T) {
	tests := []struct {
		pattern, name string
		want          bool
	}{
		{"hub", "hub", true},
		{"hub", "hub/x", false},
		{"broker/...", "broker", true},
		{"broker/...", "broker/redis", true},
		{"broker/...", "brokerage", false},
		{"...", "anything/at/all", true},
	}
	for _, tt := range tests {
		if got := match(tt.pattern, tt.name); got != tt.want {
			t.Errorf("match(%q, %q) = %v", tt.pattern, tt.name, got)
		}
	}
}

// in returns the import path of a package of the module.
func in(name string) string { return module + "/" + name }
