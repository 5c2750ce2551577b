//go:build !linux

package wire

// writeMore is writeFD: that more follows at once can be said on Linux only.
func writeMore(fd int, p []byte) (int, error) { return writeFD(fd, p) }
