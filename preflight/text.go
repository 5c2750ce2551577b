package preflight

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// WriteText writes the report for people: the verdict, a table of the limits, and the lines that
// raise the limits that are too low for Target. It returns the error of w.
func (r Report) WriteText(w io.Writer) error {
	var b bytes.Buffer
	verdict := r.verdict()
	b.WriteString(strings.ToUpper(verdict[:1]) + verdict[1:])
	if r.Binding != "" {
		fmt.Fprintf(&b, "; %s binds", r.Binding)
	}
	b.WriteString(".\n")
	if len(r.Limits) > 0 {
		fmt.Fprintf(&b, "That is with %s open descriptors, %s kept back, and %s bytes for each connection, if it is idle.\n\n",
			amount(int64(r.Descriptors.Open)), grouped(int64(r.Descriptors.Reserve)), grouped(int64(r.ConnBytes)))
		r.writeTable(&b)
	}
	goal := grouped(int64(r.Target))
	writeFixes(&b, "For "+goal+" connections:", r.Short())
	writeFixes(&b, "For bursts, and for a proxy, with "+goal+" connections:", r.advice())
	_, err := w.Write(b.Bytes())
	return err
}

// advice returns the limits that bound nothing but should be raised.
func (r Report) advice() []Limit {
	var ls []Limit
	for _, l := range r.Limits {
		if l.Counts != Connections && len(l.Fix) > 0 {
			ls = append(ls, l)
		}
	}
	return ls
}

func (r Report) writeTable(b *bytes.Buffer) {
	rows := [][4]string{{"LIMIT", "VALUE", "IN USE", "ALLOWS"}}
	for _, l := range r.Limits {
		used := "-"
		if l.Used >= 0 {
			used = quantity(int64(l.Used), l.Unit)
		}
		rows = append(rows, [4]string{l.Name, l.amount(), used, l.allowance(r.Binding)})
	}
	var width [3]int
	for _, row := range rows {
		for i := range width {
			width[i] = max(width[i], len(row[i]))
		}
	}
	for _, row := range rows {
		fmt.Fprintf(b, "%-*s  %*s  %*s  %s\n", width[0], row[0], width[1], row[1], width[2], row[2], row[3])
	}
}

// allowance is the last column of the table.
func (l Limit) allowance(binding string) string {
	switch l.Allows {
	case Unknown:
		return "unknown: " + l.Note
	case Unlimited:
		return "no limit"
	}
	s := grouped(int64(l.Allows))
	if l.Counts != Connections {
		s += " " + l.Counts
	}
	if l.Name == binding {
		s += " (binds)"
	}
	return s
}

func writeFixes(b *bytes.Buffer, title string, limits []Limit) {
	if len(limits) == 0 {
		return
	}
	fmt.Fprintf(b, "\n%s\n", title)
	for _, l := range limits {
		fmt.Fprintf(b, "\n%s\n", l.Name)
		writeWrapped(b, l.Note)
		var width [2]int
		for _, f := range l.Fix {
			width[0], width[1] = max(width[0], len(f.Where)), max(width[1], len(f.File))
		}
		for _, f := range l.Fix {
			fmt.Fprintf(b, "    %-*s  %-*s  %s\n", width[0], f.Where, width[1], f.File, f.Line)
		}
	}
}

// writeWrapped writes a paragraph, indented, in lines of about a hundred columns.
func writeWrapped(b *bytes.Buffer, s string) {
	const columns = 100
	line := " "
	for word := range strings.FieldsSeq(s) {
		if len(line)+1+len(word) > columns && line != " " {
			b.WriteString(line + "\n")
			line = " "
		}
		line += " " + word
	}
	b.WriteString(line + "\n")
}

// amount is Value with its unit, for people.
func (l Limit) amount() string {
	var parts []string
	for field := range strings.FieldsSeq(l.Value) {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return l.Value
		}
		parts = append(parts, quantity(n, l.Unit))
	}
	s := strings.Join(parts, " ")
	if l.Unit == unitBytes {
		return s
	}
	return s + " " + l.Unit
}

// amount is a number that may be Unlimited or Unknown.
func amount(n int64) string {
	switch n {
	case Unlimited:
		return "unlimited"
	case Unknown:
		return "unknown"
	}
	return grouped(n)
}

func quantity(n int64, unit string) string {
	if unit == unitBytes {
		return binary(n)
	}
	return grouped(n)
}

// grouped writes 1234567 as 1,234,567.
func grouped(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// binary writes bytes in MiB or GiB.
func binary(n int64) string {
	unit, name := float64(1<<20), "MiB"
	if n >= 1<<30 {
		unit, name = 1<<30, "GiB"
	}
	return strings.TrimSuffix(strconv.FormatFloat(float64(n)/unit, 'f', 1, 64), ".0") + " " + name
}
