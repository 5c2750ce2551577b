// Package payload is the body of a message that is sent to be measured: "MSG:", sixteen hexadecimal digits of the
// sending time in nanoseconds of the Unix clock, and padding. A reader finds it by the four letters
// wherever a protocol has wrapped it, so the padding never contains them.
package payload

import (
	"bytes"
	"strconv"
)

// Mark starts every payload.
const Mark = "MSG:"

const digits = 16

// MinSize is the length in bytes of a payload without padding.
const MinSize = len(Mark) + digits

var mark = []byte(Mark)

// New returns a payload of size bytes, or of MinSize where size is less, stamped with a time in
// nanoseconds.
func New(size int, nanos int64) []byte {
	b := bytes.Repeat([]byte{'.'}, max(size, MinSize))
	Stamp(b, nanos)
	return b
}

// Stamp writes the mark and a time over the first MinSize bytes of b.
func Stamp(b []byte, nanos int64) {
	const hex = "0123456789abcdef"
	copy(b, Mark)
	for i := MinSize - 1; i >= len(Mark); i-- {
		b[i] = hex[nanos&15]
		nanos >>= 4
	}
}

// Next finds the first payload in b. It returns the index just past the mark, or -1.
func Next(b []byte) int {
	i := bytes.Index(b, mark)
	if i < 0 {
		return -1
	}
	return i + len(Mark)
}

// Time reads the digits at the start of b, which is what follows a mark.
func Time(b []byte) (nanos int64, ok bool) {
	if len(b) < digits {
		return 0, false
	}
	n, err := strconv.ParseUint(string(b[:digits]), 16, 64)
	return int64(n), err == nil
}
