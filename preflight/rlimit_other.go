//go:build !unix

package preflight

import "errors"

// descriptorLimit fails: there is no such limit, or none that we know.
func descriptorLimit() (soft, hard uint64, err error) { return 0, 0, errors.ErrUnsupported }
