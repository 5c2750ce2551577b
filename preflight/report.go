package preflight

import (
	"fmt"
	"log/slog"
)

// What stands in the place of a number.
const (
	Unlimited = -1
	Unknown   = -2
)

// Connections is Limit.Counts of the limits that bound Report.SafeConns.
const Connections = "connections"

// Report is what Check found. The names of its JSON fields are stable; Unlimited and Unknown are -1
// and -2 there too.
type Report struct {
	// OS is the operating system, as runtime.GOOS.
	OS string `json:"os"`
	// SafeConns is how many idle connections are safe, on top of what the process had open at the check: each is taken to
	// need ConnBytes of memory, and a quarter of the memory is kept back for what those that are not idle need.
	// Unlimited where no limit bounds it; Unknown where no limit is known.
	SafeConns int `json:"safe_conns"`
	// Binding names the limit that SafeConns comes from; empty where there is none.
	Binding string `json:"binding"`
	// Target is the number of connections that the lines of Limit.Fix lead to.
	Target int `json:"target"`
	// ConnBytes is the memory a connection was taken to need, in bytes.
	ConnBytes int `json:"conn_bytes"`
	// MemoryLeft is how many bytes of memory are left, of the cgroup or of the machine, whichever has less.
	// Unlimited or Unknown where there is no such number.
	MemoryLeft  int         `json:"memory_left"`
	Descriptors Descriptors `json:"descriptors"`
	Limits      []Limit     `json:"limits"`
}

// Descriptors counts file descriptors of the process.
type Descriptors struct {
	// Soft and Hard are RLIMIT_NOFILE.
	Soft int `json:"soft"`
	Hard int `json:"hard"`
	// Open is how many are in use, Reserve how many are kept back from connections.
	Open    int `json:"open"`
	Reserve int `json:"reserve"`
}

// Limit is one limit of the operating system.
type Limit struct {
	// Name is what it is called where it is set, such as "fs.nr_open".
	Name string `json:"name"`
	// Value is one number or more, or "unlimited" or "unknown".
	Value string `json:"value"`
	// Unit is what Value and Used count.
	Unit string `json:"unit"`
	Used int    `json:"used"`
	// Allows is how many more of what Counts says can be had.
	Allows int    `json:"allows"`
	Counts string `json:"counts"`
	// Note says what is special about it, or why it is unknown.
	Note string `json:"note,omitempty"`
	// Source is where it was read: a file or a system call.
	Source string `json:"source"`
	// Fix is empty where the limit is high enough for Report.Target, or no line can raise it.
	Fix []Fix `json:"fix,omitempty"`
}

// Fix is a line that raises a limit. Each Fix of a limit is for another way to run the service.
type Fix struct {
	// Where is "systemd", "limits.conf", "sysctl", "docker" or "kubernetes".
	Where string `json:"where"`
	// File is the file, or the part of one, or the command that Line belongs to.
	File string `json:"file"`
	Line string `json:"line"`
}

// Bound returns the limit that binds, and whether there is one.
func (r Report) Bound() (Limit, bool) {
	for _, l := range r.Limits {
		if l.Name == r.Binding {
			return l, true
		}
	}
	return Limit{}, false
}

// Short returns the limits that allow fewer connections than Target.
func (r Report) Short() []Limit {
	var short []Limit
	for _, l := range r.Limits {
		if l.bounds() && l.Allows < r.Target {
			short = append(short, l)
		}
	}
	return short
}

// bounds reports whether the limit bounds SafeConns.
func (l Limit) bounds() bool { return l.Counts == Connections && l.Allows >= 0 }

// String returns the report in one line, for a log. WriteText has more.
func (r Report) String() string {
	l, ok := r.Bound()
	if !ok {
		return "preflight: " + r.verdict()
	}
	s := fmt.Sprintf("preflight: %s if idle, %s bytes each: %s is %s", r.verdict(), grouped(int64(r.ConnBytes)), l.Name, l.amount())
	if len(l.Fix) > 0 {
		s += fmt.Sprintf("; for %s set %s (%s)", grouped(int64(r.Target)), l.Fix[0].Line, l.Fix[0].Where)
	}
	return s
}

func (r Report) verdict() string {
	switch r.SafeConns {
	case Unknown:
		return "the limits of " + r.OS + " are not known"
	case Unlimited:
		return "no limit on connections"
	case 1:
		return "1 connection is safe"
	}
	return grouped(int64(r.SafeConns)) + " connections are safe"
}

// LogValue makes a group of the report's main fields.
func (r Report) LogValue() slog.Value {
	attrs := []slog.Attr{slog.Int("safe_conns", r.SafeConns), slog.Int("conn_bytes", r.ConnBytes)}
	if l, ok := r.Bound(); ok {
		attrs = append(attrs, slog.String("binding", l.Name), slog.String("value", l.Value))
		if len(l.Fix) > 0 {
			attrs = append(attrs, slog.Int("target", r.Target), slog.String("fix", l.Fix[0].Line))
		}
	}
	return slog.GroupValue(attrs...)
}
