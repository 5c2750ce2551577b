package preflight

import (
	"errors"
	"fmt"
	"io/fs"
)

const (
	nameCgroup  = "cgroup memory"
	nameMachine = "machine memory"
	unitBytes   = "bytes"

	memoryNote = "A quarter of what is left is kept back for traffic."
)

// memory is the limits of the cgroup and of the machine.
func (m *machine) memory() []finding {
	return []finding{m.cgroupMemory(), m.machineMemory()}
}

// conns is how many connections fit into what is left of memory.
func (m *machine) conns(left int64) int64 { return atLeast0(left) / 4 * 3 / m.config.connBytes() }

// bytes is the inverse of conns.
func (m *machine) bytes(conns int64) int64 { return (conns*m.config.connBytes() + 2) / 3 * 4 }

func (m *machine) machineMemory() finding {
	const file = "proc/meminfo"
	s, err := m.text(file)
	if err != nil {
		return unknownLimit(nameMachine, "/"+file, unitBytes, err)
	}
	total, errTotal := lookup(s, "", "MemTotal:")
	available, errAvailable := lookup(s, "", "MemAvailable:")
	err = errors.Join(errTotal, errAvailable)
	if err == nil && (total < 0 || total > infinity/1024 || available < 0 || available > total) {
		err = fmt.Errorf("%w: %d kB available of %d", errMalformed, available, total)
	}
	if err != nil {
		return unknownLimit(nameMachine, "/"+file, unitBytes, err)
	}
	total, available = total*1024, available*1024
	l := newLimit(nameMachine, "/"+file, unitBytes, total, total-available, m.conns(available))
	l.Note = memoryNote
	return finding{Limit: l, memory: true, left: available, raise: func(l *Limit, goal int64) {
		if int64(l.Allows) < goal {
			l.Note = "No line raises it: more memory does, or more machines. " + memoryNote
		}
	}}
}

// cgroupMemory is the tightest limit of the cgroup of the process and those above it.
func (m *machine) cgroupMemory() finding {
	const file = "proc/self/cgroup"
	s, err := m.text(file)
	if err != nil {
		return unknownLimit(nameCgroup, "/"+file, unitBytes, err)
	}
	var tightest memoryLevel
	found := false
	for _, level := range m.memoryLevels(parseCgroups(s)) {
		if !found || level.tighter(tightest) {
			tightest, found = level, true
		}
	}
	if !found {
		return unknownLimit(nameCgroup, "/"+file, unitBytes, fmt.Errorf("no memory limit below /sys/fs/cgroup: %w", fs.ErrNotExist))
	}
	l := newLimit("cgroup "+tightest.file, "/"+tightest.path, unitBytes, tightest.limit, tightest.used, m.conns(tightest.left()))
	l.Note = memoryNote
	return finding{Limit: l, memory: true, left: atLeast0(tightest.left()), raise: func(l *Limit, goal int64) {
		if l.bounds() && int64(l.Allows) < goal {
			l.Fix = memoryFix(tightest.setting, atLeast0(tightest.used)+m.bytes(goal))
		}
	}}
}
