package hub

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"reflect"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/protocol"
)

// failure is what the hub needs to know of a callback that did not succeed. Only guard makes one, and only guard calls
// the methods of what a callback returns. Nothing in a failure runs the application's code, except its cause, which
// goes back to the application alone.
type failure struct {
	crashed bool // the code is wrong: it panicked, ended its goroutine or returned a nil pointer as its error
	late    bool // a context ended, or the broker cannot be reached
	call    *Error
	close   *CloseError
	http    *HTTPError
	cause   *cause
}

// cause is an error of the application's together with its text, so that printing it does not call its methods.
type cause struct {
	text string
	err  error
}

func (e *cause) Error() string { return e.text }
func (e *cause) Unwrap() error { return e.err }

var (
	errGoexit = errors.New("runtime.Goexit was called")
	// crash is the failure that a caller of guard starts from. If the callback ends its goroutine, guard does not
	// return, and the caller's deferred functions act on crash.
	crash = &failure{crashed: true, cause: &cause{text: "hub: the callback did not return"}}
)

// guard calls f, which is the application's code, and returns how it failed; nil if it did not. c is nil if f belongs
// to no connection. All of the application's code runs below a guard. What a callback returns is encoded within f, and
// its error is inspected here.
//
// If f calls runtime.Goexit, guard cannot return. It logs and counts that like a panic. The rest is for the callers'
// deferred functions, which run then.
func (h *Hub) guard(what string, c *Conn, f func() error) (failed *failure) {
	if c != nil {
		c.letGo() // f may take any time
	}
	returned := false
	defer func() {
		v := recover()
		switch {
		case v != nil:
			failed = h.panicked(what, c, v)
		case !returned:
			h.panicked(what, c, errGoexit)
		}
	}()
	if err := f(); err != nil {
		failed = inspect(err)
		if failed.crashed {
			h.stats.failures.Add(1)
			h.log.Error("callback returned a nil pointer as its error", append(about(what, c), "type", fmt.Sprintf("%T", err))...)
		}
	}
	returned = true
	return failed
}

func (c *Conn) guard(what string, f func() error) *failure { return c.hub.guard(what, c, f) }

// panicked logs and counts a panic.
func (h *Hub) panicked(what string, c *Conn, v any) *failure {
	h.stats.panics.Add(1)
	text := fmt.Sprint(v) // survives the panics of v's methods
	h.log.Error("handler panicked", append(about(what, c), "panic", text, "stack", string(debug.Stack()))...)
	err, _ := v.(error)
	return &failure{crashed: true, cause: &cause{text: "hub: handler panicked: " + text, err: err}}
}

// keeper is a Hub as goroutines see it that serve no connection: a life.Owner.
type keeper Hub

// Crashed implements life.Owner.
func (k *keeper) Crashed(v any) { (*Hub)(k).panicked("the hub itself", nil, v) }

func about(what string, c *Conn) []any {
	args := []any{"handler", what}
	if c != nil {
		args = append(args, "conn", c.ID())
	}
	return args
}

// inspect is the only function that looks at an error of the application's.
func inspect(err error) *failure {
	if isNilPointer(err) {
		return &failure{crashed: true, cause: &cause{text: fmt.Sprintf("hub: nil %T returned as an error", err)}}
	}
	return &failure{
		late: errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) ||
			errors.Is(err, broker.ErrUnavailable),
		call:  copyOf[Error](err),
		close: copyOf[CloseError](err),
		http:  copyOf[HTTPError](err),
		cause: &cause{text: fmt.Sprint(err), err: err},
	}
}

// isNilPointer reports whether an error that is not nil holds a nil pointer.
func isNilPointer(err error) bool {
	v := reflect.ValueOf(err)
	switch v.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Slice, reflect.Func, reflect.Chan:
		return v.IsNil()
	default:
		return false
	}
}

// copyOf finds a *T in an error. It copies it, since the application may change its own.
func copyOf[T any, P interface {
	*T
	error
}](err error) P {
	if e, ok := errors.AsType[P](err); ok && e != nil {
		e := *e
		return &e
	}
	return nil
}

// verdict reports whether the callback has decided. If not, it could not find out: its database is unreachable, its
// time was up, or its code is wrong.
func (f *failure) verdict() bool {
	switch {
	case f.crashed:
		return false
	case f.close != nil:
		return true
	case f.http != nil:
		return f.http.status() < 500 && f.http.Status != http.StatusTooManyRequests
	default:
		return f.call != nil && !f.late && !f.call.Code.Retry()
	}
}

// later reports whether the callback has decided that the client should reconnect later.
func (f *failure) later() bool {
	return f.close != nil && f.close.Code.Reconnect() && f.close.Code != protocol.CloseTokenExpired
}

// closes reports whether the callback wants the connection to be closed with a code.
func (f *failure) closes(code protocol.CloseCode) bool { return f.close != nil && f.close.Code == code }

// status is the status of the answer.
func (e *HTTPError) status() int {
	if e.Status < 400 || e.Status > 599 {
		return http.StatusInternalServerError
	}
	return e.Status
}

// refusal is how a handshake is refused. status and message apply to a verdict that names none.
func (h *Hub) refusal(f *failure, status int, message string) *HTTPError {
	e := &HTTPError{Status: status, Message: message}
	switch {
	case f.crashed:
		e.Status, e.Message = http.StatusInternalServerError, "internal error"
	case f.http != nil:
		e.Status, e.Message, e.RetryAfter = f.http.status(), f.http.Message, f.http.RetryAfter
	case f.later():
		e.Status, e.Message, e.RetryAfter = http.StatusServiceUnavailable, "try again later", f.close.RetryAfter
	case !f.verdict():
		e.Status, e.Message, e.RetryAfter = http.StatusServiceUnavailable, "try again later", f.retryAfter()
	case f.code() == protocol.CodeUnauthorized, f.closes(protocol.CloseUnauthorized):
		e.Status, e.Message = http.StatusUnauthorized, "unauthorized"
	case f.code() == protocol.CodeForbidden, f.closes(protocol.CloseForbidden):
		e.Status, e.Message = http.StatusForbidden, "forbidden"
	}
	e.Err = f.cause
	return e
}

// closeFor is how a connection is refused. code applies to a verdict that names none.
func (h *Hub) closeFor(f *failure, code protocol.CloseCode) *CloseError {
	switch {
	case f.crashed:
		return &CloseError{Code: protocol.CloseHandlerPanic, Err: f.cause}
	case f.close != nil:
		why := *f.close
		why.Err = f.cause
		return &why
	case !f.verdict():
		why := h.unavailable(f.cause)
		why.RetryAfter = f.hint()
		return why
	case f.http != nil && f.http.Status == http.StatusUnauthorized, f.code() == protocol.CodeUnauthorized:
		code = protocol.CloseUnauthorized
	case f.http != nil && f.http.Status == http.StatusForbidden, f.code() == protocol.CodeForbidden:
		code = protocol.CloseForbidden
	}
	return &CloseError{Code: code, Err: f.cause}
}

// denial is what a client is told if an authorizer did not allow its request.
func (f *failure) denial() *Error {
	switch {
	case f.crashed:
		return &Error{Code: protocol.CodeInternal, Message: "the authorizer failed"}
	case f.call != nil && (!f.late || f.call.Code.Retry()):
		return f.call
	case f.later():
		return tryLater(f.close.RetryAfter)
	case f.verdict():
		return ErrForbidden
	default:
		return tryLater(f.hint())
	}
}

// code returns the code of an *Error; empty if the failure has none.
func (f *failure) code() protocol.ErrorCode {
	if f.call == nil {
		return ""
	}
	return f.call.Code
}

// hint is what the failure itself says about the next try.
func (f *failure) hint() (after time.Duration) {
	switch {
	case f.http != nil:
		return f.http.RetryAfter
	case f.call != nil:
		return f.call.RetryAfter
	}
	return 0
}

// retryAfter is when to try again. It is drawn at random if the failure does not say.
func (f *failure) retryAfter() time.Duration {
	return orDrawn(f.hint())
}

func orDrawn(after time.Duration) time.Duration {
	if after > 0 {
		return after
	}
	return retryAfter()
}

// retryAfter draws when to try again.
func retryAfter() time.Duration { return time.Second + rand.N(unavailableSpread-time.Second) }

// report logs and counts a failure that is no verdict. gone says that the client has left, which ends contexts and is
// no fault.
func (h *Hub) report(what string, c *Conn, f *failure, gone bool) {
	switch {
	case f.crashed, f.verdict(): // guard has logged the former
	case f.late && gone:
		h.log.Debug("callback ended with its client", append(about(what, c), "err", f.cause.text)...)
	default:
		h.stats.failures.Add(1)
		h.log.Error("callback failed", append(about(what, c), "err", f.cause.text)...)
	}
}

// guarding is the name of guard's function, by which a stack shows that a callback is on it.
const guarding = "hub.(*Hub).guard"

// inCallback reports whether the calling goroutine runs a callback of a hub.
func inCallback() bool {
	pcs := make([]uintptr, 64)
	for skip := 0; ; skip += len(pcs) {
		n := runtime.Callers(skip, pcs)
		if n == 0 {
			return false
		}
		for frames := runtime.CallersFrames(pcs[:n]); ; {
			frame, more := frames.Next()
			if strings.HasSuffix(frame.Function, guarding) {
				return true
			}
			if !more {
				break
			}
		}
	}
}
