package resp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

const (
	// MaxFrame is how many bytes a Reader takes for one value; what is longer is an error. Redis cuts off a
	// subscriber for whom 32 MiB wait.
	MaxFrame = 64 << 20

	maxElems = 4096 // of one value, those in its elements included
	maxDepth = 8
	maxLine  = 64 << 10
)

// ErrProtocol is matched by the errors of a Reader whose bytes are not RESP3, or exceed its bounds. There is no
// way on after it.
var ErrProtocol = errors.New("resp: protocol error")

// Reader takes apart what comes in. It is used by one goroutine.
type Reader struct {
	src      io.Reader
	buf      []byte
	size     int // of buf, unless a value is larger
	from, to int // what is in buf and was not taken
	need     int // how many bytes the value at from has at least
	elems    []Value
}

// NewReader returns a Reader with a buffer of size bytes, which grows while a value needs more.
func NewReader(src io.Reader, size int) *Reader {
	return &Reader{src: src, buf: make([]byte, size), size: size}
}

// Next takes the next value if all of it has been read. The value is good until the next call of any method.
func (r *Reader) Next() (v Value, ok bool, err error) {
	if r.to-r.from < r.need || r.to == r.from {
		return v, false, nil
	}
	p := parser{buf: r.buf[r.from:r.to], elems: r.elems[:0]}
	v, err = p.value(0)
	r.elems = p.elems
	switch {
	case err == nil:
		r.from += p.at
		r.need = 0
		return v, true, nil
	case errors.Is(err, errShort):
		if r.need = p.need; r.need > MaxFrame {
			return Value{}, false, fmt.Errorf("%w: a value of more than %d bytes", ErrProtocol, MaxFrame)
		}
		return Value{}, false, nil
	default:
		return Value{}, false, err
	}
}

// Fill reads once more. It blocks until something comes.
func (r *Reader) Fill() error {
	n, err := r.src.Read(r.room())
	return r.took(n, err)
}

// room is where the next bytes go. It is never empty.
func (r *Reader) room() []byte {
	held := r.to - r.from
	switch {
	case held == 0 && len(r.buf) > r.size:
		r.buf = make([]byte, r.size) // what was large is over
		r.from, r.to = 0, 0
	case held == 0:
		r.from, r.to = 0, 0
	case r.from+r.need > len(r.buf) || r.to == len(r.buf):
		to := r.buf
		if want := max(r.need, held+1); want > len(to) {
			to = make([]byte, max(want, min(2*len(to), MaxFrame)))
		}
		copy(to, r.buf[r.from:r.to])
		r.buf, r.from, r.to = to, 0, held
	}
	return r.buf[r.to:]
}

func (r *Reader) took(n int, err error) error {
	r.to += max(n, 0)
	if n > 0 {
		return nil // an error comes again
	}
	if err == nil {
		return io.ErrNoProgress
	}
	return err
}

// errShort says that a value is not complete yet.
var errShort = errors.New("resp: short")

// parser takes one value apart.
type parser struct {
	buf   []byte
	at    int
	need  int
	elems []Value // an arena
}

func (p *parser) value(depth int) (v Value, err error) {
	if p.at >= len(p.buf) {
		return v, p.short(p.at + 1)
	}
	kind := Kind(p.buf[p.at])
	p.at++
	switch kind {
	case Blob, '!', '=':
		return p.blob(kind)
	case Array, Push, Map, '~', '|':
		return p.list(kind, depth)
	}
	line, err := p.line()
	if err != nil {
		return v, err
	}
	v = Value{Kind: kind, Text: line}
	switch kind {
	case Simple, Fail, Number:
	case '(':
		v.Kind = Number
	case Int:
		v.Text = nil
		v.Int, err = number(line)
	case Bool:
		v.Text = nil
		switch string(line) {
		case "t":
			v.Int = 1
		case "f":
		default:
			err = fmt.Errorf("%w: boolean %q", ErrProtocol, line)
		}
	case Null:
		v.Text = nil
		if len(line) > 0 {
			err = fmt.Errorf("%w: null %q", ErrProtocol, line)
		}
	default:
		err = fmt.Errorf("%w: a value of kind %q", ErrProtocol, byte(kind))
	}
	return v, err
}

func (p *parser) blob(kind Kind) (v Value, err error) {
	size, err := p.length(MaxFrame)
	if err != nil {
		return v, err
	}
	if size < 0 {
		return Value{Kind: Null}, nil
	}
	end := p.at + size
	if end+2 > len(p.buf) {
		return v, p.short(end + 2)
	}
	text := p.buf[p.at:end]
	if p.buf[end] != '\r' || p.buf[end+1] != '\n' {
		return v, fmt.Errorf("%w: a string that is not at its end", ErrProtocol)
	}
	p.at = end + 2
	switch kind {
	case '!':
		kind = Fail
	case '=':
		if len(text) < 4 || text[3] != ':' {
			return v, fmt.Errorf("%w: verbatim string without a format", ErrProtocol)
		}
		kind, text = Blob, text[4:]
	}
	return Value{Kind: kind, Text: text}, nil
}

func (p *parser) list(kind Kind, depth int) (v Value, err error) {
	n, err := p.length(maxElems)
	if err != nil {
		return v, err
	}
	if n < 0 {
		return Value{Kind: Null}, nil
	}
	if depth == maxDepth {
		return v, fmt.Errorf("%w: lists in lists, %d deep", ErrProtocol, depth)
	}
	if kind == Map || kind == '|' {
		n *= 2
	}
	first := len(p.elems)
	if first+n > maxElems {
		return v, fmt.Errorf("%w: a value of more than %d elements", ErrProtocol, maxElems)
	}
	if first+n > cap(p.elems) {
		p.elems = append(make([]Value, 0, max(2*cap(p.elems), first+n, 8)), p.elems...)
	}
	p.elems = p.elems[:first+n]
	for i := range n {
		e, err := p.value(depth + 1)
		if err != nil {
			return v, err
		}
		p.elems[first+i] = e
	}
	switch kind {
	case '|': // attributes are about the value that follows, which can do without
		return p.value(depth + 1)
	case '~':
		kind = Array
	}
	return Value{Kind: kind, Elems: p.elems[first : first+n : first+n]}, nil
}

// length reads the line of a length: -1 is that of nothing.
func (p *parser) length(most int) (int, error) {
	line, err := p.line()
	if err != nil {
		return 0, err
	}
	n, err := number(line)
	if err != nil || n < -1 || n > int64(most) {
		return 0, fmt.Errorf("%w: length %q", ErrProtocol, line)
	}
	return int(n), nil
}

// line reads up to the end of a line.
func (p *parser) line() ([]byte, error) {
	rest := p.buf[p.at:]
	end := bytes.IndexByte(rest, '\r')
	if end > maxLine || end < 0 && len(rest) > maxLine {
		return nil, fmt.Errorf("%w: a line of more than %d bytes", ErrProtocol, maxLine)
	}
	if end < 0 || end+1 == len(rest) {
		return nil, p.short(len(p.buf) + 1)
	}
	if rest[end+1] != '\n' {
		return nil, fmt.Errorf("%w: a line that ends with %q", ErrProtocol, rest[end:end+2])
	}
	p.at += end + 2
	return rest[:end], nil
}

func (p *parser) short(need int) error {
	p.need = need
	return errShort
}

// number reads a 64-bit integer.
func number(line []byte) (n int64, err error) {
	digits := line
	negative := len(digits) > 0 && digits[0] == '-'
	if negative || len(digits) > 0 && digits[0] == '+' {
		digits = digits[1:]
	}
	if len(digits) == 0 || len(digits) > 19 {
		return 0, fmt.Errorf("%w: number %q", ErrProtocol, line)
	}
	var u uint64
	for _, d := range digits {
		if d < '0' || d > '9' {
			return 0, fmt.Errorf("%w: number %q", ErrProtocol, line)
		}
		u = u*10 + uint64(d-'0') // 19 digits do not overflow
	}
	switch {
	case negative && u <= 1<<63:
		return -int64(u), nil
	case !negative && u < 1<<63:
		return int64(u), nil
	}
	return 0, fmt.Errorf("%w: number %q", ErrProtocol, line)
}
