package protocol

import (
	"math"
	"strconv"
)

// Limits are those of a server that concern what one connection sends. The zero value of each is none.
type Limits struct {
	// Message is the size of the largest message that the server reads, in bytes. A larger one ends the connection with
	// CloseTooBig.
	Message int
	// Rate is how many messages a second a connection may send, and Burst how many at once.
	Rate  float64
	Burst int
	// ByteRate is how many bytes a second a connection may send, and ByteBurst how many at once.
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
		dst = strconv.AppendFloat(append(dst, `,"rate":`...), l.Rate, 'f', -1, 64)
	}
	dst = appendCount(dst, `,"burst":`, l.Burst)
	dst = appendCount(dst, `,"byte_rate":`, l.ByteRate)
	dst = appendCount(dst, `,"byte_burst":`, l.ByteBurst)
	dst = appendCount(dst, `,"rooms":`, l.Rooms)
	return appendBraces(dst, start)
}

func appendCount(dst []byte, key string, n int) []byte {
	return appendUintField(dst, key, uint64(max(n, 0)))
}

// limits reads an object that the scan has found to be valid JSON. Fields that this version does not know are ignored.
func (r *reader) limits() (l Limits) {
	raw := r.object(fieldLimits)
	if raw == nil {
		return l
	}
	eachField(raw, func(name, value []byte) { r.limit(&l, name, value) })
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
		rate, err := strconv.ParseFloat(string(value), 64)
		if err != nil || rate < 0 {
			r.fail("rate must be a number of at least 0")
			return
		}
		l.Rate = rate
		return
	default:
		return
	}
	n, ok := parseUint(value)
	if !ok {
		r.fail("%s must be an integer of at least 0", name)
		return
	}
	*to = int(min(n, math.MaxInt32)) // as much as none
}
