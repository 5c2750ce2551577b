package preflight

import (
	"fmt"
	"io/fs"
	"os"
)

const (
	nameNOFILE  = "RLIMIT_NOFILE"
	nameNROpen  = "fs.nr_open"
	nameFileMax = "fs.file-max"
	nameWatches = "fs.epoll.max_user_watches"

	unitDescriptors = "descriptors"
)

// watchesPerConn: the Go runtime registers every socket with its epoll set, and the hub those that
// are idle with its own.
const watchesPerConn = 2

func (m *machine) descriptors() ([]finding, Descriptors) {
	ceiling := int64(Unlimited)
	if m.files != nil {
		if n, err := m.number("proc/sys/fs/nr_open"); err == nil {
			ceiling = n
		}
	}
	// Not before a file was read: with the first one the Go runtime opens its poller, which stays.
	open := m.open()
	d := Descriptors{Soft: Unknown, Hard: Unknown, Open: clamp(open), Reserve: clamp(m.config.keep(0))}
	var findings []finding
	if soft, hard, err := m.config.rlimit(); err == nil {
		s, h := finite(soft), finite(hard)
		d.Soft, d.Hard = clamp(s), clamp(h)
		d.Reserve = clamp(m.config.keep(max(s, 0)))
		findings = append(findings, m.nofile(s, h, open, ceiling))
	} else if m.files != nil {
		findings = append(findings, unknownLimit(nameNOFILE, "getrlimit(2)", unitDescriptors, err))
	}
	if m.files != nil {
		findings = append(findings, m.nrOpen(open), m.fileMax(), m.watches())
	}
	return findings, d
}

// open counts the descriptors that the process has open.
func (m *machine) open() int64 {
	if m.files == nil {
		return Unknown
	}
	entries, err := fs.ReadDir(m.files, "proc/self/fd")
	if err != nil {
		return Unknown
	}
	n := int64(len(entries))
	if m.own {
		n-- // the one that the directory was read with
	}
	return n
}

// OpenDescriptors returns the number of open file descriptors of the process, or Unknown. On Linux 6.2 and later it takes one
// system call, whatever their number. On earlier kernels it returns Unknown.
func OpenDescriptors() int {
	info, err := os.Stat("/proc/self/fd")
	if err != nil || info.Size() <= 0 {
		return Unknown
	}
	return int(info.Size())
}

// nofile is the limit on descriptors of the process. ceiling is fs.nr_open.
func (m *machine) nofile(soft, hard, open, ceiling int64) finding {
	used := atLeast0(open)
	l := newLimit(nameNOFILE, "getrlimit(2)", unitDescriptors, soft, open, atLeast0(soft-used-m.config.keep(soft)))
	l.Note = "Go raises the soft limit to the hard one when a program starts, so the hard one is to be changed."
	if soft >= 0 && (hard == Unlimited || soft < hard-1) { // Go stays one below
		l.Note = "The hard limit is " + amount(hard) + ": something has lowered the soft one since the program started."
	}
	return finding{Limit: l, raise: func(l *Limit, goal int64) {
		if !l.bounds() || int64(l.Allows) >= goal {
			return
		}
		need := m.config.need(goal, used)
		n := powerOfTwo(need)
		if ceiling >= need {
			n = min(n, ceiling) // setrlimit refuses more than fs.nr_open
		}
		line := fmt.Sprintf("LimitNOFILE=%d", n)
		l.Fix = []Fix{
			{"systemd", "systemctl edit UNIT, [Service]", line},
			{"limits.conf", "/etc/security/limits.d/90-hubkit.conf (root needs its own)", fmt.Sprintf("* - nofile %d", n)},
			{"docker", "docker run", fmt.Sprintf("--ulimit nofile=%d:%d", n, n)},
			{"kubernetes", "on each node: systemctl edit containerd, [Service]", line},
		}
	}}
}

// nrOpen is what no RLIMIT_NOFILE can be above.
func (m *machine) nrOpen(open int64) finding {
	const file = "proc/sys/fs/nr_open"
	value, err := m.number(file)
	if err != nil {
		return unknownLimit(nameNROpen, "/"+file, unitDescriptors, err)
	}
	used := atLeast0(open)
	l := newLimit(nameNROpen, "/"+file, unitDescriptors, value, open, atLeast0(value-used-m.config.keep(value)))
	l.Note = "RLIMIT_NOFILE cannot be set higher than this."
	return finding{Limit: l, raise: func(l *Limit, goal int64) {
		if l.bounds() && int64(l.Allows) < goal {
			l.Fix = []Fix{sysctl(nameNROpen, powerOfTwo(m.config.need(goal, used)))}
		}
	}}
}

// fileMax is the limit on open files of the whole machine.
func (m *machine) fileMax() finding {
	const file = "proc/sys/fs/file-max"
	const unit = "open files"
	value, err := m.number(file)
	if err != nil {
		return unknownLimit(nameFileMax, "/"+file, unit, err)
	}
	inUse := m.numberOr("proc/sys/fs/file-nr") // the first of three
	used := atLeast0(inUse)
	l := newLimit(nameFileMax, "/"+file, unit, value, inUse, atLeast0(value-used-m.config.keep(value)))
	l.Note = "For the whole machine. Root may pass it; everybody else's open and accept then fail with ENFILE."
	return finding{Limit: l, raise: func(l *Limit, goal int64) {
		if l.bounds() && int64(l.Allows) < goal {
			l.Fix = []Fix{sysctl(nameFileMax, powerOfTwo(m.config.need(goal, used)))}
		}
	}}
}

// watches is the limit on descriptors in the epoll sets of a user.
func (m *machine) watches() finding {
	const file = "proc/sys/fs/epoll/max_user_watches"
	const unit = "watches"
	value, err := m.number(file)
	if err != nil {
		return unknownLimit(nameWatches, "/"+file, unit, err)
	}
	l := newLimit(nameWatches, "/"+file, unit, value, Unknown, value/watchesPerConn)
	l.Note = "For all processes of the user together. A connection takes two: the Go runtime's and the hub's."
	return finding{Limit: l, raise: func(l *Limit, goal int64) {
		if l.bounds() && int64(l.Allows) < goal {
			l.Fix = []Fix{sysctl(nameWatches, powerOfTwo(goal*watchesPerConn))}
		}
	}}
}
