package main

import (
	"bytes"
	"strings"
	"sync"
	"testing"
)

// lockedBuffer is read while a process writes to it.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestSaidKeepsTheEnd(t *testing.T) {
	var s said
	for range 100 {
		_, _ = s.Write([]byte(strings.Repeat("x", 99) + "\n"))
	}
	_, _ = s.Write([]byte("the end\n"))
	if got := s.tail(); len(got) > 2000 || !strings.HasSuffix(got, "x\nthe end") {
		t.Errorf("%d bytes, %q", len(got), got[max(0, len(got)-20):])
	}
}
