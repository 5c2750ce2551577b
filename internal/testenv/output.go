package testenv

import (
	"bytes"
	"strings"
	"sync"
)

// maxLine bounds a line of output; a longer one is cut into several.
const maxLine = 1 << 20

// lines is an io.Writer that calls each for every line, without its newline.
type lines struct {
	each func(line string)
	part []byte
}

func (l *lines) Write(b []byte) (int, error) {
	n := len(b)
	for len(b) > 0 {
		line, rest, whole := bytes.Cut(b, []byte("\n"))
		l.part = append(l.part, line...)
		if whole || len(l.part) >= maxLine {
			l.end()
		}
		b = rest
	}
	return n, nil
}

// flush passes on what follows the last newline.
func (l *lines) flush() {
	if len(l.part) > 0 {
		l.end()
	}
}

func (l *lines) end() {
	l.each(strings.TrimSuffix(string(l.part), "\r"))
	l.part = l.part[:0]
}

// maxTail bounds what is kept of the output.
const maxTail = 64 << 10

// tail keeps the end of what is written to it.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

func (t *tail) add(line string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(append(t.buf, line...), '\n')
	if len(t.buf) > 2*maxTail { // Not at once, or every line would move the whole tail.
		t.buf = append(t.buf[:0], lastBytes(t.buf)...)
	}
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(lastBytes(t.buf))
}

func lastBytes(b []byte) []byte { return b[max(0, len(b)-maxTail):] }
