package broker

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// A Meta in binary form is a sequence of parts. A part is a byte with its kind, its length as an unsigned varint, and its
// bytes. A reader skips a part of unknown kind, so that later versions can add some. Parts come in this order; empty ones
// are left out.
const (
	partConn          = 1
	partUser          = 2
	partInfo          = 3
	partTime          = 4 // an unsigned varint
	partTag           = 5 // the length of the key as an unsigned varint, the key, and the value
	partTraceParent   = 6
	partTraceState    = 7
	partExceptConn    = 8
	partExceptSession = 9
	partPublisher     = 10 // empty: there is a publisher of whom nothing is told
)

var errMeta = errors.New("broker: not a Meta")

// AppendBinary implements encoding.BinaryAppender, for brokers. Equal Metas have the same form. The error is
// always nil.
func (m *Meta) AppendBinary(dst []byte) ([]byte, error) {
	if m == nil {
		return dst, nil
	}
	if p := m.Publisher; p != nil {
		dst = appendPart(dst, partConn, p.Conn)
		dst = appendPart(dst, partUser, p.User)
		dst = appendPart(dst, partInfo, p.Info)
		if p.Conn == "" && p.User == "" && len(p.Info) == 0 {
			dst = append(dst, partPublisher, 0)
		}
	}
	if m.Time > 0 {
		var n [binary.MaxVarintLen64]byte
		dst = appendPart(dst, partTime, binary.AppendUvarint(n[:0], uint64(m.Time)))
	}
	for _, k := range slices.Sorted(maps.Keys(m.Tags)) {
		v := m.Tags[k]
		dst = append(dst, partTag)
		dst = binary.AppendUvarint(dst, uint64(sizeOfVarint(len(k))+len(k)+len(v)))
		dst = binary.AppendUvarint(dst, uint64(len(k)))
		dst = append(append(dst, k...), v...)
	}
	dst = appendPart(dst, partTraceParent, m.Trace.Parent)
	dst = appendPart(dst, partTraceState, m.Trace.State)
	dst = appendPart(dst, partExceptConn, m.Except.Conn)
	return appendPart(dst, partExceptSession, m.Except.Session), nil
}

func sizeOfVarint(n int) int {
	var buf [binary.MaxVarintLen64]byte
	return binary.PutUvarint(buf[:], uint64(n))
}

func appendPart[T ~string | ~[]byte](dst []byte, part byte, v T) []byte {
	if len(v) == 0 {
		return dst
	}
	dst = binary.AppendUvarint(append(dst, part), uint64(len(v)))
	return append(dst, v...)
}

// UnmarshalBinary implements encoding.BinaryUnmarshaler, for brokers. It overwrites all of m, and keeps nothing of data. It
// does not check Info, which is JSON only if a hub has written it.
func (m *Meta) UnmarshalBinary(data []byte) error {
	*m = Meta{}
	for rest := string(data); rest != ""; {
		part := rest[0]
		var v string
		var ok bool
		if v, rest, ok = cutText(rest[1:]); !ok {
			return fmt.Errorf("%w: part %d is cut short", errMeta, part)
		}
		if err := m.set(part, v); err != nil {
			return err
		}
	}
	return nil
}

func (m *Meta) set(part byte, v string) error {
	switch part {
	case partConn:
		m.publisher().Conn = v
	case partUser:
		m.publisher().User = v
	case partInfo:
		m.publisher().Info = []byte(v)
	case partPublisher:
		m.publisher()
	case partTime:
		n, size := binary.Uvarint([]byte(v))
		if size <= 0 || size != len(v) || n > 1<<53 {
			return fmt.Errorf("%w: faulty time", errMeta)
		}
		m.Time = int64(n)
	case partTag:
		k, v, ok := cutText(v)
		if !ok {
			return fmt.Errorf("%w: a tag is cut short", errMeta)
		}
		if m.Tags == nil {
			m.Tags = make(map[string]string)
		}
		m.Tags[k] = v
	case partTraceParent:
		m.Trace.Parent = v
	case partTraceState:
		m.Trace.State = v
	case partExceptConn:
		m.Except.Conn = v
	case partExceptSession:
		m.Except.Session = v
	}
	return nil
}

func (m *Meta) publisher() *Publisher {
	if m.Publisher == nil {
		m.Publisher = new(Publisher)
	}
	return m.Publisher
}

// cutText cuts a text and the length before it off.
func cutText(s string) (text, rest string, ok bool) {
	n, size := uvarint(s)
	if size <= 0 || n > uint64(len(s)-size) {
		return "", "", false
	}
	return s[size : size+int(n)], s[size+int(n):], true
}

// uvarint is binary.Uvarint of a string.
func uvarint(s string) (n uint64, size int) {
	return binary.Uvarint([]byte(s[:min(len(s), binary.MaxVarintLen64)]))
}
