package dash_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/dash"
	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/internal/logbound"
)

var leftOut = regexp.MustCompile(`msg="` + logbound.LeftOut + `" reason="([^"]+)" count=(\d+)`)

// of returns how many lines have a message, and how many more were counted as left out.
func (l *logs) of(t *testing.T, message string) (lines, left int) {
	t.Helper()
	text := l.String()
	for _, m := range leftOut.FindAllStringSubmatch(text, -1) {
		n, err := strconv.Atoi(m[2])
		if err != nil {
			t.Fatal(err)
		}
		if m[1] == message {
			left += n
		}
	}
	return strings.Count(text, `msg="`+message+`"`), left
}

// TestLogsAreBounded: a client that asks as often as it can makes a few lines a second, and what was left out is counted. Actions that
// are allowed are logged one by one.
func TestLogsAreBounded(t *testing.T) {
	const times = 1000
	away := errors.New("the database is away")
	for name, c := range map[string]struct {
		method, path, body, message string
		why                         string
		bounded                     bool
		opts                        []dash.Option
	}{
		"the authorizer fails": {
			http.MethodGet, "api/nodes", "", "dash: a request could not be decided", away.Error(), true,
			[]dash.Option{dash.WithAuthorizer(func(*http.Request) error { return away })},
		},
		"the authorizer panics": {
			http.MethodGet, "", "", "dash: a request could not be decided", "a bug", true,
			[]dash.Option{dash.WithAuthorizer(func(*http.Request) error { panic("a bug") })},
		},
		"an action is refused": {
			http.MethodPost, "api/publish", `{"room":"r","data":1}`, "dash: an action was refused", "you may not do this", true,
			[]dash.Option{dash.WithActions(func(*http.Request, dash.Action) error { return hub.ErrForbidden })},
		},
		"an action is allowed": {
			http.MethodPost, "api/publish", `{"room":"r","data":1}`, "dash: an action", "action=publish", false,
			[]dash.Option{dash.WithActions(allowAction)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, nil, c.opts...)
			begun := time.Now()
			for range times {
				r := httptest.NewRequestWithContext(t.Context(), c.method, s.url+c.path, strings.NewReader(c.body))
				r.Header = ours()
				s.dash.ServeHTTP(httptest.NewRecorder(), r)
			}
			eventually(t, "each request is a line, or counted as left out", func() bool {
				lines, left := s.logs.of(t, c.message)
				return lines+left == times
			})
			lines, left := s.logs.of(t, c.message)
			if !strings.Contains(s.logs.String(), c.why) {
				t.Errorf("the log does not say %q", c.why)
			}
			if !c.bounded && left > 0 {
				t.Errorf("%d allowed actions are not in the log", left)
			}
			// A machine so slow that it made no more than five a second would leave out none.
			if seconds := int(time.Since(begun)/time.Second) + 2; c.bounded && lines > seconds*logbound.PerSecond {
				t.Errorf("%d lines in %d seconds", lines, seconds)
			}
		})
	}
}

// panicky is a slog.Handler that panics when it is told how much was left out, which no request waits for.
type panicky struct {
	slog.Handler
	once *sync.Once
	told chan struct{}
}

func (panicky) Enabled(context.Context, slog.Level) bool { return true }

func (p panicky) Handle(_ context.Context, r slog.Record) error {
	if r.Message != logbound.LeftOut {
		return nil
	}
	p.once.Do(func() { close(p.told) })
	panic("a bug of the log")
}

// TestLogPanics: a log that panics outside a request does not end the process.
func TestLogPanics(t *testing.T) {
	p := panicky{slog.DiscardHandler, new(sync.Once), make(chan struct{})}
	s := start(t, nil, dash.WithLogger(slog.New(p)), dash.WithAuthorizer(func(*http.Request) error { return errors.New("away") }))
	eventually(t, "what was left out is told", func() bool {
		for range 2 * logbound.PerSecond {
			s.dash.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, s.url, nil))
		}
		select {
		case <-p.told:
			return true
		default:
			return false
		}
	})
}
