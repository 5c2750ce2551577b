package protocol

import (
	"math"
	"strconv"
)

// Limits are the limits of a server on the messages and the rooms of one connection. Zero means no limit.
type Limits struct {
	// Message is the size of the largest message that the server accepts, in bytes. A larger one closes the connection with
	// CloseTooBig.
	Message int
	// Rate is how many messages a second a connection may send. Burst is how many it may send at once.
	Rate  float64
	Burst int
	// ByteRate is how many bytes a second a connection may send. ByteBurst is how many it may send at once.
	ByteRate, ByteBurst int
	// Rooms is how many rooms a connection may be in.
	Rooms int
}

// IsZero reports whether there are no limits.
func (l Limits) IsZero() bool { return l == Limits{} }

// appendLimits appends the field of a welcome, unless there are none.
func appendLimits(dst []byte, l Limits) []byte {
	if l.IsZero() {
		return dst
	}
	dst = append(dst, `,"limits":`...)
	start := len(dst)
	dst = appendCount(dst, `,"message":`, l.Message)
	if l.Rate > 0 && !math.IsInf(l.Rate, 1) {
		dst = appendFloat(append(dst, `,"rate":`...), l.Rate)
	}
	dst = appendCount(dst, `,"burst":`, l.Burst)
	dst = appendCount(dst, `,"byte_rate":`, l.ByteRate)
	dst = appendCount(dst, `,"byte_burst":`, l.ByteBurst)
	dst = appendCount(dst, `,"rooms":`, l.Rooms)
	return appendBraces(dst, start)
}

// appendFloat appends a number without an exponent. That of a whole number is a tenth of the work, and every connection is told
// one.
func appendFloat(dst []byte, f float64) []byte {
	const exact = 1 << 53 // up to which all whole numbers are
	if n := int64(min(f, exact)); float64(n) == f {
		return strconv.AppendInt(dst, n, 10)
	}
	return strconv.AppendFloat(dst, f, 'f', -1, 64)
}

func appendCount(dst []byte, key string, n int) []byte {
	return appendUintField(dst, key, uint64(max(n, 0)))
}

func (r *reader) float(raw []byte) (float64, bool) {
	if r.cbor {
		return cborFloatOf(raw)
	}
	v, err := strconv.ParseFloat(string(raw), 64)
	return v, err == nil
}

// limits reads an object that the scan has found to be in order. Fields that this version does not know are ignored.
func (r *reader) limits() (l Limits) {
	raw := r.object(fieldLimits)
	if raw == nil {
		return l
	}
	r.each(raw, func(name, value []byte) { r.limit(&l, name, value) })
	return l
}

func (r *reader) limit(l *Limits, name, value []byte) {
	var to *int
	switch string(name) {
	case "message":
		to = &l.Message
	case "burst":
		to = &l.Burst
	case "byte_rate":
		to = &l.ByteRate
	case "byte_burst":
		to = &l.ByteBurst
	case "rooms":
		to = &l.Rooms
	case "rate":
		rate, ok := r.float(value)
		if !ok || rate < 0 {
			r.fail("rate must be a number of at least 0")
			return
		}
		l.Rate = rate
		return
	default:
		return
	}
	n, ok := r.uint(value)
	if !ok {
		r.fail("%s must be an integer of at least 0", name)
		return
	}
	*to = int(min(n, math.MaxInt32)) // as much as none
}
