//go:build !unix

package wire

import "errors"

// writeFD is not used here: no descriptor is ever handed out without a poller.
func writeFD(int, []byte) (int, error) { return 0, errors.ErrUnsupported }
