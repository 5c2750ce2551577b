// Package machine says where a figure was measured: on what machine, with which versions.
package machine

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// Machine is one, and what runs on it.
type Machine struct {
	Date     string `json:"date"`
	CPU      string `json:"cpu"`
	Cores    int    `json:"cores"`
	MemoryMB int    `json:"memory_mb"`
	Kernel   string `json:"kernel"`
	Go       string `json:"go"`
	// Revision is that of the source, with a plus where it was changed since; empty outside a repository.
	Revision string `json:"revision,omitempty"`
	// Redis is empty where there is none.
	Redis string `json:"redis,omitempty"`
}

// Look describes this machine. What cannot be found out is left out.
func Look(ctx context.Context) Machine {
	m := Machine{
		Date:     time.Now().UTC().Format("2006-01-02"),
		CPU:      field("/proc/cpuinfo", "model name"),
		Cores:    runtime.NumCPU(),
		Kernel:   read("/proc/sys/kernel/ostype") + " " + read("/proc/sys/kernel/osrelease"),
		Go:       strings.TrimPrefix(runtime.Version(), "go") + " " + runtime.GOOS + "/" + runtime.GOARCH,
		Revision: say(ctx, "git", "rev-parse", "--short=12", "HEAD"),
	}
	var kb int
	if _, err := fmt.Sscanf(field("/proc/meminfo", "MemTotal"), "%d kB", &kb); err == nil {
		m.MemoryMB = kb >> 10
	}
	if m.Revision != "" && say(ctx, "git", "status", "--porcelain", "--untracked-files=no") != "" {
		m.Revision += "+"
	}
	if _, rest, ok := strings.Cut(say(ctx, "redis-server", "--version"), " v="); ok {
		m.Redis, _, _ = strings.Cut(rest, " ")
	}
	return m
}

// String is one sentence.
func (m Machine) String() string {
	s := fmt.Sprintf("%s: %s, %d cores, %.1f GiB; %s; Go %s", m.Date, m.CPU, m.Cores, float64(m.MemoryMB)/1024, m.Kernel, m.Go)
	if m.Redis != "" {
		s += "; Redis " + m.Redis
	}
	if m.Revision != "" {
		s += "; hubkit " + m.Revision
	}
	return s + "."
}

// field is the first value of a name in a file of lines "name: value".
func field(file, name string) string {
	f, err := os.Open(file) //nolint:gosec // a file of /proc
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }()
	for s := bufio.NewScanner(f); s.Scan(); {
		if k, v, ok := strings.Cut(s.Text(), ":"); ok && strings.TrimSpace(k) == name {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

func read(file string) string {
	data, _ := os.ReadFile(file) //nolint:gosec // a file of /proc
	return strings.TrimSpace(string(data))
}

// say is what a command prints; nothing where it fails.
func say(ctx context.Context, name string, args ...string) string {
	out, err := exec.CommandContext(ctx, name, args...).Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}
