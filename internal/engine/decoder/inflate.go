package decoder

import (
	"bytes"
	"compress/flate"
	"errors"
	"io"
	"sync"
)

var errCorrupt = errors.New("decoder: corrupt compressed data")

// inflaters are kept apart from Decoders, of which most never see a compressed message: each is 40 KB.
var inflaters = sync.Pool{New: func() any {
	z := new(inflater)
	z.r = flate.NewReader(&z.src)
	return z
}}

type inflater struct {
	src bytes.Reader
	r   io.ReadCloser
}

// inflateTail is what RFC 7692, section 7.2.2, says to append: the four bytes that the sender took off the end of
// its last block. A final block follows, so that the data has an end.
const inflateTail = "\x00\x00\xff\xff\x01\x00\x00\xff\xff"

// inflate appends to dst what data was, without context takeover, and returns data with its capacity grown.
func inflate(dst, data []byte, limit int) (plain, grown []byte, err error) {
	z := inflaters.Get().(*inflater)
	defer inflaters.Put(z)
	data = append(data, inflateTail...)
	z.src.Reset(data)
	if err := z.r.(flate.Resetter).Reset(&z.src, nil); err != nil {
		return dst, data, err
	}
	dst, err = readAll(z.r, dst, limit, nil)
	z.src.Reset(nil)
	if err != nil && !errors.Is(err, ErrTooLarge) {
		err = errCorrupt
	}
	return dst, data, err
}
