package testenv

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
)

// packages names the Debian package of a tool where the two are called differently.
var packages = map[string]string{
	"node":             "nodejs",
	"redis-cli":        "redis-tools",
	"/usr/bin/python3": "python3",
}

// RequireTool returns the path of an installed program, and fails the test where there is none. name
// is looked up in PATH and in /usr/sbin unless it contains a slash.
func RequireTool(t testing.TB, name string) string {
	t.Helper()
	path, err := findTool(name)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func findTool(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err != nil && !strings.Contains(name, "/") {
		// Servers live where the PATH of most users does not lead.
		if sbin, sbinErr := exec.LookPath("/usr/sbin/" + name); sbinErr == nil {
			return sbin, nil
		}
	}
	if err != nil {
		return "", fmt.Errorf("this test needs %s (Debian package %s): run \"make deps\" as root: %w", name, debianPackage(name), err)
	}
	return path, nil
}

func debianPackage(tool string) string {
	if p, ok := packages[tool]; ok {
		return p
	}
	return tool
}
