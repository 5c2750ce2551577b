package logbound_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/slogtest"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/gohubkit/hubkit/internal/logbound"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// log is a bounded logger and what has come through it.
type log struct {
	*slog.Logger
	handler *logbound.Handler
	buf     buffer
}

type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func newLog() *log {
	l := new(log)
	noTime := func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}
	l.handler = logbound.New(slog.NewTextHandler(&l.buf, &slog.HandlerOptions{ReplaceAttr: noTime}))
	l.Logger = slog.New(l.handler)
	return l
}

// took returns the lines since the last call.
func (l *log) took() []string {
	l.buf.mu.Lock()
	defer l.buf.mu.Unlock()
	lines := strings.Split(strings.TrimSuffix(l.buf.b.String(), "\n"), "\n")
	l.buf.b.Reset()
	if lines[0] == "" {
		return nil
	}
	return lines
}

func (l *log) expect(t *testing.T, what string, want ...string) {
	t.Helper()
	if got := l.took(); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%s: got\n%s\nwant\n%s", what, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestHandler(t *testing.T) {
	var buf bytes.Buffer
	slogtest.Run(t, func(*testing.T) slog.Handler {
		buf.Reset()
		return logbound.New(slog.NewJSONHandler(&buf, nil))
	}, func(t *testing.T) map[string]any {
		var m map[string]any
		if err := json.Unmarshal(buf.Bytes(), &m); err != nil {
			t.Fatal(err)
		}
		return m
	})
}

func TestBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLog()
		flood := func(n int) {
			for i := range n {
				l.Info("refused", "i", i)
			}
		}
		five := []string{
			"level=INFO msg=refused i=0", "level=INFO msg=refused i=1", "level=INFO msg=refused i=2",
			"level=INFO msg=refused i=3", "level=INFO msg=refused i=4",
		}
		flood(5)
		l.expect(t, "as many as pass", five...)
		time.Sleep(2 * time.Second)
		l.expect(t, "nothing was left out")

		for range 3 {
			flood(1000)
			l.Warn("refused")
			l.With("a", 1).WithGroup("g").Info("something else", "b", 2)
			l.expect(t, "a flood", append(five[:5:5], "level=WARN msg=refused", `level=INFO msg="something else" a=1 g.b=2`)...)
			time.Sleep(500 * time.Millisecond)
			flood(10)
			l.expect(t, "in the same second")
			time.Sleep(500 * time.Millisecond)
			synctest.Wait()
			l.expect(t, "the second is over", `level=INFO msg="log records left out" reason=refused count=1005`)
		}
		if n := l.handler.Dropped(); n != 3*1005 {
			t.Errorf("%d left out, want %d", n, 3*1005)
		}
		time.Sleep(time.Minute)
		l.expect(t, "quiet")
	})
}

// TestDerivedLoggers share the bounds.
func TestDerivedLoggers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLog()
		for i := range 10 {
			l.With("conn", i).WithGroup("g").Error("failed")
		}
		if n := len(l.took()); n != logbound.PerSecond {
			t.Errorf("%d lines, want %d", n, logbound.PerSecond)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		l.expect(t, "the count", `level=ERROR msg="log records left out" reason=failed count=5`)
	})
}

func TestFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLog()
		for range 8 {
			l.Info("refused")
		}
		l.took()
		l.handler.Flush()
		l.expect(t, "flushed", `level=INFO msg="log records left out" reason=refused count=3`)
		l.handler.Flush()
		time.Sleep(time.Minute)
		l.expect(t, "nothing more")
	})
}

// TestManyReasons: memory has a bound whatever the messages are.
func TestManyReasons(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLog()
		for i := range 10 * logbound.MaxReasons {
			l.Info(fmt.Sprint("reason ", i))
		}
		if n := len(l.took()); n != logbound.MaxReasons+logbound.PerSecond {
			t.Errorf("%d lines, want %d", n, logbound.MaxReasons+logbound.PerSecond)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		l.expect(t, "the count", fmt.Sprintf(`level=INFO msg="log records left out" reason="other reasons" count=%d`, 9*logbound.MaxReasons-logbound.PerSecond))
	})
}

func BenchmarkLeftOut(b *testing.B) {
	l := newLog()
	for b.Loop() {
		l.Info("refused", "remote", "127.0.0.1:1", "status", 401)
	}
	l.handler.Flush()
}
