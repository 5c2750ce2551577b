package preflight

import (
	"fmt"
	"log/slog"
)

// Unlimited and Unknown stand in place of a number: there is no limit, or it could not be read.
const (
	Unlimited = -1
	Unknown   = -2
)

// Connections is the value of Limit.Counts for the limits that bound Report.SafeConns.
const Connections = "connections"

// Report is the result of Check. The names of its JSON fields are stable. Unlimited and Unknown are -1
// and -2 in JSON too.
type Report struct {
	// OS is the operating system, as runtime.GOOS.
	OS string `json:"os"`
	// SafeConns is how many idle connections are safe, in addition to those open at the check. Each needs ConnBytes of
	// memory. A quarter of the memory is kept back for the additional needs of connections that are not idle.
	// SafeConns is Unlimited if no limit bounds it, and Unknown if no limit is known.
	SafeConns int `json:"safe_conns"`
	// Binding is the name of the limit that SafeConns comes from. It is empty if there is none.
	Binding string `json:"binding"`
	// Target is the number of connections that the lines of Limit.Fix lead to.
	Target int `json:"target"`
	// ConnBytes is the memory that Check assumes for a connection, in bytes.
	ConnBytes int `json:"conn_bytes"`
	// MemoryLeft is the number of bytes of memory left, in the cgroup or on the machine, whichever is less.
	// It is Unlimited or Unknown if there is no such number.
	MemoryLeft  int         `json:"memory_left"`
	Descriptors Descriptors `json:"descriptors"`
	Limits      []Limit     `json:"limits"`
}

// Descriptors has the numbers of file descriptors of the process.
type Descriptors struct {
	// Soft and Hard are the limits of RLIMIT_NOFILE.
	Soft int `json:"soft"`
	Hard int `json:"hard"`
	// Open is the number in use. Reserve is the number kept back from connections.
	Open    int `json:"open"`
	Reserve int `json:"reserve"`
}

// Limit is one limit of the operating system.
type Limit struct {
	// Name is the name under which the limit is set, such as "fs.nr_open".
	Name string `json:"name"`
	// Value is one number or more, or "unlimited" or "unknown".
	Value string `json:"value"`
	// Unit is the unit of Value and Used.
	Unit string `json:"unit"`
	Used int    `json:"used"`
	// Allows is how many more of the things named by Counts the limit allows.
	Allows int    `json:"allows"`
	Counts string `json:"counts"`
	// Note explains the limit, or says why it is unknown.
	Note string `json:"note,omitempty"`
	// Source is the file or the system call that the limit was read from.
	Source string `json:"source"`
	// Fix is empty if the limit is high enough for Report.Target, or no line can raise it.
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

// LogValue implements slog.LogValuer. It returns a group of the report's main fields.
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
