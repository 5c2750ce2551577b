package memory

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"time"

	"github.com/gohubkit/hubkit/broker"
)

// decoder reads the parts of a snapshot. After the first error all it returns is zero. It believes no
// length: memory is taken as bytes arrive.
type decoder struct {
	r     *bufio.Reader
	sum   uint32
	err   error
	taken int64  // when the snapshot was taken, on the clock of the broker that restores it
	flags uint64 // the most that a message of its version can have
}

func newDecoder(r io.Reader) *decoder { return &decoder{r: bufio.NewReader(r)} }

func (d *decoder) fail(format string, args ...any) {
	if d.err == nil {
		d.err = fmt.Errorf(format, args...)
	}
}

// failRead notes an error of the stream; an end is always too early.
func (d *decoder) failRead(err error) {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	d.fail("%w", err)
}

// ReadByte is for binary.ReadUvarint.
func (d *decoder) ReadByte() (byte, error) {
	c, err := d.r.ReadByte()
	if err == nil {
		d.sum = crc32.Update(d.sum, castagnoli, []byte{c})
	}
	return c, err
}

func (d *decoder) number() uint64 {
	if d.err != nil {
		return 0
	}
	n, err := binary.ReadUvarint(d)
	if err != nil {
		d.failRead(err)
		return 0
	}
	return n
}

func (d *decoder) time() int64 {
	n := d.number()
	if n > longest {
		d.fail("time of %d ns", n)
		return 0
	}
	return int64(n)
}

func (d *decoder) bytes() []byte {
	left := d.number()
	if d.err == nil && left > math.MaxInt64/2 {
		d.fail("length %d", left)
	}
	if d.err != nil {
		return nil
	}
	const step = 64 << 10
	p := make([]byte, 0, min(left, step))
	for left > 0 {
		n := min(left, step)
		at := len(p)
		p = append(p, make([]byte, n)...)
		if _, err := io.ReadFull(d.r, p[at:]); err != nil {
			d.failRead(err)
			return nil
		}
		left -= n
	}
	d.sum = crc32.Update(d.sum, castagnoli, p)
	return p
}

func (d *decoder) text() string { return string(d.bytes()) }

// header returns when the snapshot was taken.
func (d *decoder) header() time.Time {
	var magic [len(snapshotMagic)]byte
	for i := range magic {
		c, err := d.ReadByte()
		if err != nil {
			d.failRead(err)
		}
		magic[i] = c
	}
	if string(magic[:]) != snapshotMagic {
		d.fail("not a snapshot")
	}
	switch v := d.number(); v {
	case plainVersion:
		d.flags = flagBinary | flagJSON
	case snapshotVersion:
		d.flags = flagBinary | flagJSON | flagMeta
	default:
		d.fail("version %d, known are %d and %d", v, plainVersion, snapshotVersion)
	}
	return time.Unix(0, int64(min(d.number(), math.MaxInt64)))
}

func (d *decoder) voids() (epochs [voidCount]string) {
	for i := range epochs {
		if epochs[i] = d.text(); epochs[i] == "" {
			d.fail("void epoch without a name")
		}
	}
	return epochs
}

func (d *decoder) id() (i id) {
	for at := range i {
		c, err := d.ReadByte()
		if err != nil {
			d.failRead(err)
		}
		i[at] = c
	}
	return i
}

func (d *decoder) trailer() {
	if d.err != nil {
		return
	}
	var sum [4]byte
	if _, err := io.ReadFull(d.r, sum[:]); err != nil {
		d.failRead(err)
		return
	}
	if binary.BigEndian.Uint32(sum[:]) != d.sum {
		d.fail("checksum does not match")
	}
	if _, err := d.r.ReadByte(); err == nil {
		d.fail("more after the end")
	} else if !errors.Is(err, io.EOF) {
		d.failRead(err)
	}
}

func (d *decoder) room(tag uint64) *room {
	r := &room{name: d.text()}
	parts := d.number()
	if d.err != nil {
		return r
	}
	if len(r.name) == publisherSize && r.isPublisher() {
		if parts != partKeys {
			d.fail("publisher with parts %d", parts)
		}
	} else if err := broker.CheckRoom(r.name); err != nil {
		d.fail("%w", err)
	}
	if tag != 1 || parts == 0 || parts > partHistory|partKeys {
		d.fail("tag %d, parts %d", tag, parts)
	}
	if parts&partHistory != 0 {
		d.history(r)
	}
	if parts&partKeys != 0 {
		d.keys(r)
	}
	return r
}

func (d *decoder) history(r *room) {
	epoch, top, ttl, idle, n := d.text(), d.number(), d.time(), d.time(), d.number()
	if d.err == nil && (epoch == "" || ttl == 0 || top == 0 || top > longest || n > top) {
		d.fail("history with epoch %q, TTL %d, %d messages up to offset %d", epoch, ttl, n, top)
	}
	if d.err != nil {
		return
	}
	h := newHistory(r, epoch, time.Duration(ttl))
	h.top, h.touched = top, d.taken-idle
	for older := int64(math.MaxInt64); n > 0 && d.err == nil; n-- {
		flags, age := d.number(), d.time()
		e := entry{at: d.taken - age, binary: flags&flagBinary != 0, json: flags&flagJSON != 0, key: d.text(), data: d.bytes()}
		if d.err == nil && (flags > d.flags || age > older) {
			d.fail("message with flags %d, age %d ns after %d ns", flags, age, older)
		}
		if flags&flagMeta != 0 {
			e.meta = d.meta()
		}
		older = age
		h.bytes += e.cost()
		h.entries.push(e, 0)
	}
	r.history = h
}

func (d *decoder) meta() *broker.Meta {
	m := new(broker.Meta)
	if err := m.UnmarshalBinary(d.bytes()); err != nil {
		d.fail("%w", err)
	}
	return m
}

func (d *decoder) keys(r *room) {
	n := d.number()
	if d.err == nil && n == 0 {
		d.fail("no keys")
	}
	k := newKeys(r)
	for ; n > 0 && d.err == nil; n-- {
		i := d.id()
		pos := broker.Position{Epoch: d.text(), Offset: d.number()}
		k.insert(i, seen{pos, d.taken + d.time()}, 0)
	}
	r.keys = k
}
