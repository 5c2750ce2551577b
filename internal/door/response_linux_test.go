package door

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// answers are what handlers do that do not hijack.
var answers = map[string]http.HandlerFunc{
	"nothing":  func(http.ResponseWriter, *http.Request) {},
	"text":     func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "text") },
	"html":     func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html><body>x")) },
	"error":    func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusForbidden) },
	"redirect": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/else?where", http.StatusFound) },
	"headers": func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["x-lower"] = []string{"as it is"}
		w.Header().Add("Set-Cookie", "a=b")
		w.Header().Add("Set-Cookie", "c=d")
		w.Header().Set("X-Split", "a\r\nX-Injected: b")
		w.Header().Set("Bad Name", "left out")
		w.Header().Set("Content-Type", "application/x-test")
		w.WriteHeader(299)
		w.Header().Set("X-Late", "too late")
	},
	"no type": func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Content-Type"] = nil
		_, _ = io.WriteString(w, "text")
	},
	"encoded": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "x-test")
		_, _ = io.WriteString(w, "text")
	},
	"long": func(w http.ResponseWriter, _ *http.Request) {
		for range 1000 {
			_, _ = io.WriteString(w, "0123456789")
		}
	},
	"just kept": func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, strings.Repeat("x", beforeChunks))
	},
	"just too long": func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, strings.Repeat("x", beforeChunks+1))
	},
	"flushed": func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "a")
		_ = http.NewResponseController(w).Flush()
		_, _ = io.WriteString(w, "b")
	},
	"flushed before": func(w http.ResponseWriter, _ *http.Request) {
		w.(http.Flusher).Flush()
		_, _ = io.WriteString(w, "b")
	},
	"a length": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "4")
		w.(http.Flusher).Flush()
		_, _ = io.WriteString(w, "text")
		if _, err := io.WriteString(w, "more"); !errors.Is(err, http.ErrContentLength) {
			panic(err)
		}
	},
	"a length that is none": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "-4")
		_, _ = io.WriteString(w, "text")
	},
	"identity": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Transfer-Encoding", "identity")
		_, _ = io.WriteString(w, "text")
	},
	"chunked": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Transfer-Encoding", "chunked")
		_, _ = io.WriteString(w, "text")
	},
	"204": func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNoContent)
		if _, err := w.Write([]byte("x")); !errors.Is(err, http.ErrBodyNotAllowed) {
			panic(err)
		}
	},
	"304": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "left/out")
		w.Header().Set("Etag", `"x"`)
		w.WriteHeader(http.StatusNotModified)
	},
	"twice": func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusTeapot)
		w.WriteHeader(http.StatusOK)
	},
	"trailers": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Trailer", "X-After")
		_, _ = io.WriteString(w, "text")
		w.Header().Set("X-After", "all")
		w.Header().Set(http.TrailerPrefix+"X-Undeclared", "too")
	},
	"a date": func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Date"] = nil
		w.WriteHeader(http.StatusOK)
	},
	"closing": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "close")
		_, _ = io.WriteString(w, "text")
	},
}

// TestResponses: a handler that does not hijack is answered for as package http does, but that the connection is closed.
func TestResponses(t *testing.T) {
	for name, f := range answers {
		srv := func() *http.Server {
			return &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodGet {
					f(w, r)
				}
			})}
		}
		head := strings.Replace(upgrade("/a/b"), "Connection: Upgrade", "Connection: Upgrade, keep-alive", 1)
		want, err := answer(netHTTP.start(t, srv()).say(head))
		if err != nil {
			t.Fatal(err)
		}
		r := theDoor.start(t, srv())
		if got, err := answer(r.say(head)); got != want || err != nil {
			t.Errorf("%s: %s, %v\nnet/http:\n%s", name, got, err, want)
		}
		res, err := http.ReadResponse(bufio.NewReader(r.say(head)), nil) //nolint:bodyclose // its connection is
		if err != nil || !res.Close || name != "a date" && res.Header.Get("Date") == "" {
			t.Errorf("%s: %+v, %v", name, res, err)
		}
	}
}

// TestInformational: what comes before the answer.
func TestInformational(t *testing.T) {
	onBoth(t, func(t *testing.T, s side) {
		r := s.start(t, &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Link", "</style.css>")
			w.WriteHeader(http.StatusEarlyHints)
			w.Header().Del("Link")
			_, _ = io.WriteString(w, "text")
		})})
		br := bufio.NewReader(r.say(upgrade("/")))
		for _, want := range []struct {
			code int
			link string
		}{{103, "</style.css>"}, {200, ""}} {
			res, err := http.ReadResponse(br, nil) //nolint:bodyclose // its connection is
			if err != nil || res.StatusCode != want.code || res.Header.Get("Link") != want.link {
				t.Errorf("%+v, %v", res, err)
			}
		}
	})
}

// TestSlowReaderOfAnswer: a client that does not read its answer holds up nobody, for no longer than the server's WriteTimeout.
func TestSlowReaderOfAnswer(t *testing.T) {
	onBoth(t, func(t *testing.T, s side) {
		failed := make(chan error, 1)
		r := s.start(t, &http.Server{WriteTimeout: 200 * time.Millisecond, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodGet {
				return
			}
			var err error
			for err == nil {
				_, err = w.Write(make([]byte, 1<<20))
			}
			<-r.Context().Done()
			failed <- err
		})})
		r.say(upgrade("/"))
		if err := <-failed; !isTimeout(err) {
			t.Errorf("%v", err)
		}
	})
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout() || errors.Is(err, context.DeadlineExceeded)
}
