package workerpool

import (
	"errors"
	"fmt"
	"net"
	"time"
)

var (
	// ErrBusy matches every refusal of a task for lack of space. The error itself is a *BusyError.
	ErrBusy = errors.New("workerpool: busy")
	// ErrClosed is returned after a call of Close, and by Do for a task that Close dropped.
	// It matches net.ErrClosed.
	ErrClosed = fmt.Errorf("workerpool: %w", net.ErrClosed)
	// ErrGoexit is the Value of the PanicError of a task that called runtime.Goexit.
	ErrGoexit = errors.New("workerpool: task called runtime.Goexit")
	// ErrNilTask is returned for a task that is a nil function.
	ErrNilTask = errors.New("workerpool: nil task")
)

// BusyError is the error of a task that was not accepted for lack of space. It has a retry hint, and matches
// ErrBusy.
type BusyError struct {
	// Share is set if the key had used up its share, which shrinks as the pool fills. Otherwise the whole
	// pool was full.
	Share bool
	// RetryAfter estimates how long the tasks before this one take. It is the number of waiting tasks, times
	// their recent mean run time, divided by the workers that can run them. It is at least 1 ms, and 1 s if no
	// task has finished yet.
	RetryAfter time.Duration
	// Err is the error of the context that ended the wait for space. It is nil if the pool's policy ended
	// the wait.
	Err error
}

// Error implements error.
func (e *BusyError) Error() string {
	what := "all places are taken"
	if e.Share {
		what = "the key's share is used up"
	}
	s := fmt.Sprintf("%v: %s, retry after %v", ErrBusy, what, e.RetryAfter)
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Is reports whether target is ErrBusy.
func (e *BusyError) Is(target error) bool { return target == ErrBusy }

// Unwrap returns Err.
func (e *BusyError) Unwrap() error { return e.Err }

// PanicError is the error of a task that panicked.
type PanicError struct {
	// Key is the task's key. It is zero for a task without one.
	Key uint64
	// Value is the value of the panic. It is ErrGoexit if the task called
	// runtime.Goexit.
	Value any
	// Stack is the stack of the panic, as runtime/debug.Stack formats it.
	Stack []byte
}

// Error implements error. It leaves out the stack.
func (e *PanicError) Error() string {
	return fmt.Sprintf("workerpool: task of key %d panicked: %v", e.Key, e.Value)
}

// Unwrap returns Value if it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// CloseError is the error of a Close that could not run every accepted task to its end.
type CloseError struct {
	// Dropped is the number of tasks that were accepted and will never start.
	Dropped int
	// Running is the number of tasks that had not returned when Close did. Their context has ended.
	Running int
	// Err is the error of the context that ended the wait.
	Err error
}

// Error implements error.
func (e *CloseError) Error() string {
	return fmt.Sprintf("workerpool: closed with %d tasks dropped and %d still running: %v", e.Dropped, e.Running, e.Err)
}

// Unwrap returns Err.
func (e *CloseError) Unwrap() error { return e.Err }
