package workerpool_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/workerpool"
)

func TestErrorTexts(t *testing.T) {
	tests := []struct {
		err   error
		want  string
		match error
	}{
		{
			&workerpool.BusyError{RetryAfter: time.Second},
			"workerpool: busy: all places are taken, retry after 1s",
			workerpool.ErrBusy,
		},
		{
			&workerpool.BusyError{Share: true, RetryAfter: time.Minute, Err: context.Canceled},
			"workerpool: busy: the key's share is used up, retry after 1m0s: context canceled",
			context.Canceled,
		},
		{
			&workerpool.PanicError{Key: 3, Value: io.EOF},
			"workerpool: task of key 3 panicked: EOF",
			io.EOF,
		},
		{
			&workerpool.CloseError{Dropped: 2, Running: 1, Err: context.DeadlineExceeded},
			"workerpool: closed with 2 tasks dropped and 1 still running: context deadline exceeded",
			context.DeadlineExceeded,
		},
	}
	for _, test := range tests {
		if got := test.err.Error(); got != test.want {
			t.Errorf("got  %q\nwant %q", got, test.want)
		}
		if !errors.Is(test.err, test.match) {
			t.Errorf("%q does not match %q", test.err, test.match)
		}
	}
}

func TestRejectIsTheDefault(t *testing.T) {
	if workerpool.Reject() != (workerpool.Policy{}) {
		t.Error("the zero Policy is not Reject")
	}
}
