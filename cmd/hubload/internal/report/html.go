package report

import "io"

// WriteHTML is being written.
func (r *Result) WriteHTML(io.Writer) error { return nil }
