package workerpool_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"runtime"
	"strings"
	"testing"

	"github.com/gohubkit/hubkit/workerpool"
)

func TestPanic(t *testing.T) {
	tests := []struct {
		name  string
		fn    func(context.Context) error
		text  string
		cause error
	}{
		{"value", func(context.Context) error { panic("boom") }, "boom", nil},
		{"error", func(context.Context) error { panic(io.ErrUnexpectedEOF) }, "unexpected EOF", io.ErrUnexpectedEOF},
		{"nil", func(context.Context) error { panic(nil) }, "nil", nil}, //nolint:govet // what a program may do
		{"runtime error", func(context.Context) error { return []error{}[len(t.Name())] }, "index out of range", nil},
		{"Goexit", func(context.Context) error { runtime.Goexit(); return nil }, "Goexit", workerpool.ErrGoexit},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var reported []*workerpool.PanicError
			var p *workerpool.Pool
			p = newPool(t, workerpool.WithWorkers(1), workerpool.WithPanicHandler(func(e *workerpool.PanicError) {
				reported = append(reported, e)
				if n := p.Pending(e.Key); n != 1 {
					t.Errorf("Pending = %d in the handler, want 1: the task has not finished", n)
				}
			}))
			for i := range 3 { // the worker goes on, and so does the key
				err := p.Do(t.Context(), 5, test.fn)
				e, ok := errors.AsType[*workerpool.PanicError](err)
				if !ok {
					t.Fatalf("Do: %v, want a PanicError", err)
				}
				if e.Key != 5 || !strings.Contains(e.Error(), test.text) || !bytes.Contains(e.Stack, []byte("TestPanic")) {
					t.Errorf("got %q with stack\n%s", e, e.Stack)
				}
				if test.cause != nil && !errors.Is(err, test.cause) {
					t.Errorf("%v does not match %v", err, test.cause)
				}
				if len(reported) != i+1 || reported[i] != e {
					t.Errorf("reported %v, want the same error once", reported)
				}
			}
			must(t, p.Do(t.Context(), 5, func(context.Context) error { return nil }))
			if s := p.Stats(); s.Panics != 3 || s.Completed != 4 {
				t.Errorf("stats %+v, want 3 panics of 4 completed", s)
			}
		})
	}
}

// A task that ends its goroutine leaves the tasks behind it to another worker.
func TestGoexitKeepsQueue(t *testing.T) {
	p := newPool(t, workerpool.WithWorkers(1), workerpool.WithPanicHandler(func(*workerpool.PanicError) {}))
	release := hold(t, p, 0)
	ran := 0
	for range 10 {
		must(t, p.Submit(t.Context(), 1, func(context.Context) { ran++; runtime.Goexit() }))
		must(t, p.Submit(t.Context(), 1, func(context.Context) { ran++ }))
	}
	release()
	must(t, p.Close(t.Context()))
	if ran != 20 {
		t.Errorf("%d tasks ran, want 20", ran)
	}
}

func captureLog(t *testing.T) *bytes.Buffer {
	var buf bytes.Buffer
	old := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&buf, nil)))
	t.Cleanup(func() { slog.SetDefault(old) })
	return &buf
}

func TestPanicIsLogged(t *testing.T) {
	log := captureLog(t)
	p := newPool(t)
	must(t, p.Submit(t.Context(), 77, func(context.Context) { panic("boom") }))
	must(t, p.Close(t.Context()))
	for _, want := range []string{"level=ERROR", "key=77", "panic=boom", "TestPanicIsLogged"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %q:\n%s", want, log)
		}
	}
}

func TestPanicHandlerFails(t *testing.T) {
	for name, fail := range map[string]func(){"panics": func() { panic("worse") }, "exits": runtime.Goexit} {
		t.Run(name, func(t *testing.T) {
			captureLog(t)
			p := newPool(t, workerpool.WithWorkers(1),
				workerpool.WithPanicHandler(func(*workerpool.PanicError) { fail() }))
			for range 3 {
				err := p.Do(t.Context(), 1, func(context.Context) error { panic("boom") })
				if e, ok := errors.AsType[*workerpool.PanicError](err); !ok || e.Value != "boom" {
					t.Errorf("Do: %v, want the task's own panic", err)
				}
			}
		})
	}
}
