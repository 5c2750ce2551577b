//go:build !linux

package workerpool

// longSlice is for Linux only.
func longSlice() (restore func()) { return func() {} }
