package dash

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/hub"
)

// apiError is an error with its answer.
type apiError struct {
	status  int
	code    string
	message string
}

func (e *apiError) Error() string { return e.message }

func badRequest(format string, args ...any) error {
	return &apiError{http.StatusBadRequest, "bad_request", fmt.Sprintf(format, args...)}
}

// elsewhere is an error of an action that this node has done: only the other nodes may lack it.
type elsewhere struct{ error }

func (e *elsewhere) Unwrap() error { return e.error }

// denied is what a function of the embedding service said. Unlike other errors it is shown with a status that the service chose.
type denied struct {
	answer     apiError
	retryAfter time.Duration
	cause      error // to be logged; nil for a verdict
}

func (e *denied) Error() string { return e.answer.message }

// allowed asks a function of the embedding service. Whatever it does but return nil allows nothing.
func (d *Dash) allowed(ask func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &denied{
				answer: apiError{http.StatusInternalServerError, "internal", "the function that decides on requests has panicked"},
				cause:  fmt.Errorf("panic: %v", v),
			}
		}
	}()
	err = ask()
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*hub.HTTPError](err); ok && e != nil {
		status := e.Status
		if status < 400 || status > 599 {
			status = http.StatusInternalServerError
		}
		return &denied{answer: apiError{status, codeOf(status), e.Message}, retryAfter: e.RetryAfter}
	}
	switch {
	case errors.Is(err, hub.ErrUnauthorized):
		return &denied{answer: apiError{http.StatusUnauthorized, "unauthorized", "log in first"}}
	case errors.Is(err, hub.ErrForbidden):
		return &denied{answer: apiError{http.StatusForbidden, "forbidden", "you may not do this"}}
	}
	return &denied{answer: apiError{http.StatusServiceUnavailable, "unavailable", "the service cannot decide now whether you may do this; try again"}, cause: err}
}

// codeOf is the code of a status that the embedding service chose.
func codeOf(status int) string {
	switch status {
	case http.StatusUnauthorized:
		return "unauthorized"
	case http.StatusForbidden:
		return "forbidden"
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return "unavailable"
	}
	if status >= 500 {
		return "internal"
	}
	return "refused"
}

// errorBody is how every error is answered.
type errorBody struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// toError is how an error of the hub's is answered.
func toError(err error) *apiError {
	if e, ok := errors.AsType[*apiError](err); ok {
		return e
	}
	if e, ok := errors.AsType[*elsewhere](err); ok {
		said := *toError(e.error)
		if said.status >= 500 && said.code != "closed" {
			said.message = "this node has done it, other nodes may not have: " + said.message
		}
		return &said
	}
	switch {
	case errors.Is(err, hub.ErrCloseCode), errors.Is(err, broker.ErrRoomName), errors.Is(err, hub.ErrData), errors.Is(err, hub.ErrText),
		errors.Is(err, hub.ErrOption):
		return &apiError{http.StatusBadRequest, "bad_request", err.Error()}
	case errors.Is(err, hub.ErrClosed):
		return &apiError{http.StatusServiceUnavailable, "closed", "the hub is closed or draining"}
	case errors.Is(err, hub.ErrNoAnswer), errors.Is(err, context.DeadlineExceeded):
		return &apiError{http.StatusGatewayTimeout, "no_answer", err.Error()}
	case errors.Is(err, broker.ErrUnavailable):
		return &apiError{http.StatusServiceUnavailable, "unavailable", "the broker cannot be reached"}
	}
	return &apiError{http.StatusInternalServerError, "internal", "internal error"}
}

// partial is an error beside what other nodes have answered; nil without one.
func partial(err error) *errorBody {
	if err == nil {
		return nil
	}
	e := toError(err)
	return &errorBody{e.code, e.message}
}

func (d *Dash) answerError(w http.ResponseWriter, r *http.Request, err error) {
	var e *apiError
	if no, ok := errors.AsType[*denied](err); ok {
		e = &no.answer
		if no.cause != nil {
			d.log.Error("dash: a request could not be decided", "addr", d.addr(r), "path", r.URL.Path, "err", no.cause)
		}
		if s := (no.retryAfter + time.Second - 1) / time.Second; s > 0 {
			w.Header().Set("Retry-After", strconv.FormatInt(int64(s), 10))
		}
	} else if e = toError(err); e.status >= 500 && r.Context().Err() == nil {
		d.log.Warn("dash: a request failed", "addr", d.addr(r), "path", r.URL.Path, "err", err)
	}
	write(w, e.status, struct {
		Error errorBody `json:"error"`
	}{errorBody{e.code, e.message}})
}

// addr is whom a request comes from, for the log.
func (d *Dash) addr(r *http.Request) string {
	if a := d.hub.ClientAddr(r); a.IsValid() {
		return a.String()
	}
	return r.RemoteAddr
}

func answer(w http.ResponseWriter, v any) error {
	write(w, http.StatusOK, v)
	return nil
}

func write(w http.ResponseWriter, status int, v any) {
	text, err := json.Marshal(v)
	if err != nil { // none of the types has a value that cannot be encoded
		status, text = http.StatusInternalServerError, []byte(`{"error":{"code":"internal","message":"internal error"}}`)
	}
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Content-Length", strconv.Itoa(len(text)+1))
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n'))
}
