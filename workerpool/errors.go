package workerpool

import (
	"errors"
	"fmt"
	"net"
	"time"
)

var (
	// ErrBusy matches every refusal of a task for want of space. The error itself is a *BusyError.
	ErrBusy = errors.New("workerpool: busy")
	// ErrClosed is returned once Close has been called, and by Do for a task that Close dropped.
	// It matches net.ErrClosed.
	ErrClosed = fmt.Errorf("workerpool: %w", net.ErrClosed)
	// ErrGoexit is the Value of the PanicError of a task that called runtime.Goexit.
	ErrGoexit = errors.New("workerpool: task called runtime.Goexit")
	// ErrNilTask is returned for a task that is a nil function.
	ErrNilTask = errors.New("workerpool: nil task")
)

// BusyError says that a task was not accepted, and when it may be worth trying again. It matches
// ErrBusy.
type BusyError struct {
	// Share is set if the key had used up its share, which shrinks as the pool fills; otherwise the whole
	// pool was full.
	Share bool
	// RetryAfter estimates how long it takes to work off what stood in the way: the tasks
	// waiting, times their recent mean run time, over the workers that can share in it. It is at
	// least a millisecond, and a second where no task has finished yet.
	RetryAfter time.Duration
	// Err is the error of the context that ended the wait for space; nil where the pool's policy
	// did.
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

// PanicError says that a task panicked.
type PanicError struct {
	// Key is the task's key; zero for a task without one.
	Key uint64
	// Value is what the task panicked with. It is ErrGoexit where the task called
	// runtime.Goexit.
	Value any
	// Stack is the stack of the panic, as runtime/debug.Stack formats it.
	Stack []byte
}

// Error implements error. It leaves out the stack.
func (e *PanicError) Error() string {
	return fmt.Sprintf("workerpool: task of key %d panicked: %v", e.Key, e.Value)
}

// Unwrap returns Value where it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// CloseError says that Close could not run every accepted task to its end.
type CloseError struct {
	// Dropped is the number of tasks that were accepted and will never start.
	Dropped int
	// Running is the number of tasks that had not returned when Close did. Their context is over.
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
