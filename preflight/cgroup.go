package preflight

import (
	"path"
	"slices"
	"strings"
)

// cgroup is one of those that the process is in.
type cgroup struct {
	version int
	path    string // within the hierarchy, rooted and clean
}

// parseCgroups finds in /proc/self/cgroup those that may limit memory: that of version 2, and that of
// version 1 with the memory controller. Each line is "id:controllers:path"; cgroups(7).
func parseCgroups(s string) []cgroup {
	var found []cgroup
	for line := range strings.Lines(s) {
		parts := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(parts) != 3 {
			continue
		}
		// A process outside the root of its cgroup namespace sees "/../..": then the root is all we see.
		p := path.Clean("/" + parts[2])
		switch {
		case parts[0] == "0" && parts[1] == "":
			found = append(found, cgroup{2, p})
		case slices.Contains(strings.Split(parts[1], ","), "memory"):
			found = append(found, cgroup{1, p})
		}
	}
	return found
}

// memoryFiles is a limit and its companions in the directory of a cgroup.
type memoryFiles struct {
	limit, usage, inactive string
	setting                string // of systemd
}

var (
	mountsV1 = []string{"sys/fs/cgroup/memory"}
	mountsV2 = []string{"sys/fs/cgroup", "sys/fs/cgroup/unified"}

	filesV1 = []memoryFiles{{"memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file", "MemoryMax"}}
	filesV2 = []memoryFiles{
		{"memory.max", "memory.current", "inactive_file", "MemoryMax"},
		{"memory.high", "memory.current", "inactive_file", "MemoryHigh"}, // above it the kernel slows the process down
	}
)

// memoryLevel is one limit on memory: of the process's cgroup, or of one above it.
type memoryLevel struct {
	file, path string
	setting    string
	limit      int64 // Unlimited for none
	used       int64 // Unknown if it cannot be read
}

func (l memoryLevel) left() int64 { return l.limit - atLeast0(l.used) }

func (l memoryLevel) tighter(than memoryLevel) bool {
	switch {
	case l.limit == Unlimited:
		return false
	case than.limit == Unlimited:
		return true
	}
	return l.left() < than.left()
}

// memoryLevels reads the limits of the cgroups and of those above them, up to what is mounted. A
// container may see the path that its cgroup has on the host while its own cgroup is mounted as the
// root, so directories that do not exist are passed over.
func (m *machine) memoryLevels(groups []cgroup) []memoryLevel {
	var levels []memoryLevel
	for _, g := range groups {
		mounts, files := mountsV2, filesV2
		if g.version == 1 {
			mounts, files = mountsV1, filesV1
		}
		for _, mount := range mounts {
			for dir := g.path; ; dir = path.Dir(dir) {
				for _, f := range files {
					if l, ok := m.memoryLevel(path.Join(mount, dir), f); ok {
						levels = append(levels, l)
					}
				}
				if dir == "/" {
					break
				}
			}
		}
	}
	return levels
}

func (m *machine) memoryLevel(dir string, f memoryFiles) (memoryLevel, bool) {
	name := path.Join(dir, f.limit)
	limit, err := m.number(name)
	if err != nil {
		return memoryLevel{}, false
	}
	l := memoryLevel{file: f.limit, path: name, setting: f.setting, limit: limit, used: Unknown}
	if limit == Unlimited {
		return l, true
	}
	if usage := m.numberOr(path.Join(dir, f.usage)); usage >= 0 {
		l.used = usage
		if stat, err := m.text(path.Join(dir, "memory.stat")); err == nil {
			if cache, err := lookup(stat, f.inactive, f.inactive); err == nil && cache >= 0 {
				l.used = atLeast0(usage - cache)
			}
		}
	}
	return l, true
}
