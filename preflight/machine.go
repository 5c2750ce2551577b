package preflight

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
)

// infinity and what is above it means no limit: RLIM_INFINITY, LONG_MAX in fs.file-max and the like are
// just below 1<<63 or 1<<64, with small differences between systems.
const infinity = 1 << 62

var errMalformed = errors.New("malformed")

// machine is what the limits are read from.
type machine struct {
	config *config
	os     string
	files  fs.FS // nil if there is no /proc that we know
	own    bool  // files are those of this process
}

func newMachine(c *config) *machine {
	m := &machine{config: c, os: osName(c), files: c.files}
	if m.files == nil && m.os == "linux" {
		m.files, m.own = os.DirFS("/"), true
	}
	return m
}

// text returns the content of a file. Names are without the leading slash, as fs.FS wants them.
func (m *machine) text(name string) (string, error) {
	b, err := fs.ReadFile(m.files, name)
	return string(b), err
}

// numbers returns what a file consists of: count numbers or more.
func (m *machine) numbers(name string, count int) ([]int64, error) {
	s, err := m.text(name)
	if err != nil {
		return nil, err
	}
	ns, err := parseNumbers(s)
	if err != nil {
		return nil, err
	}
	if len(ns) < count {
		return nil, fmt.Errorf("%w: %d numbers, want %d", errMalformed, len(ns), count)
	}
	return ns, nil
}

func (m *machine) number(name string) (int64, error) {
	ns, err := m.numbers(name, 1)
	if err != nil {
		return 0, err
	}
	return ns[0], nil
}

// numberOr returns Unknown if number returns an error.
func (m *machine) numberOr(name string) int64 {
	n, err := m.number(name)
	if err != nil {
		return Unknown
	}
	return n
}

// parseNumbers parses numbers between white space, "max" among them as cgroups write it.
func parseNumbers(s string) ([]int64, error) {
	var ns []int64
	for field := range strings.FieldsSeq(s) {
		n, err := parseNumber(field)
		if err != nil {
			return nil, err
		}
		ns = append(ns, n)
	}
	return ns, nil
}

func parseNumber(s string) (int64, error) {
	if s == "max" {
		return Unlimited, nil
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%w: %.40q is not a number", errMalformed, s)
	}
	return finite(n), nil
}

func finite(n uint64) int64 {
	if n >= infinity {
		return Unlimited
	}
	return int64(n)
}

// lookup finds the number that follows a word on any line of "word number ..." pairs, as memory.stat
// ("inactive_file 4096"), meminfo ("MemTotal: 16 kB") and sockstat ("TCP: inuse 5 mem 3") have them. line
// selects the lines with that first word; empty selects all.
func lookup(s, line, word string) (int64, error) {
	for l := range strings.Lines(s) {
		fields := strings.Fields(l)
		if len(fields) == 0 || line != "" && fields[0] != line {
			continue
		}
		for i, f := range fields[:len(fields)-1] {
			if f == word {
				return parseNumber(fields[i+1])
			}
		}
	}
	return 0, fmt.Errorf("%w: no %s", errMalformed, word)
}

// column finds a number in a table of two lines that begin with the same word, the first of them
// with the names, as /proc/net/snmp has them.
func column(s, table, name string) (int64, error) {
	var header []string
	for l := range strings.Lines(s) {
		fields := strings.Fields(l)
		if len(fields) == 0 || fields[0] != table {
			continue
		}
		if header == nil {
			header = fields
			continue
		}
		for i, h := range header {
			if h == name && i < len(fields) {
				return parseNumber(fields[i])
			}
		}
		break
	}
	return 0, fmt.Errorf("%w: no %s", errMalformed, name)
}
