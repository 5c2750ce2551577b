//go:build !unix

package sock

import "errors"

// Supported reports whether Send and Recv do anything on this system.
const Supported = false

// Send fails.
func Send(int, []byte) (int, error) { return 0, errors.ErrUnsupported }

// Recv fails.
func Recv(int, []byte) (int, error) { return 0, errors.ErrUnsupported }

// SendLast fails.
func SendLast(int, []byte) (int, error) { return 0, errors.ErrUnsupported }

// EndSending fails.
func EndSending(int) error { return errors.ErrUnsupported }
