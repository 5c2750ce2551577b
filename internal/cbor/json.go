package cbor

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"math"
	"strconv"
)

// FromJSON appends in CBOR what a frame says that package protocol has written. It is for frames that are few.
func FromJSON(dst, frame []byte) []byte {
	c := converter{dst: dst, in: json.NewDecoder(bytes.NewReader(frame))}
	c.in.UseNumber()
	c.value(c.token(), 0)
	return c.dst
}

type converter struct {
	dst []byte
	in  *json.Decoder

	from bool // it is at the publisher of a message, whose info is the application's
}

func (c *converter) token() json.Token {
	t, err := c.in.Token()
	if err != nil {
		panic("cbor: package protocol wrote no JSON: " + err.Error())
	}
	return t
}

// raw is the next value as it was written.
func (c *converter) raw() (p json.RawMessage) {
	if err := c.in.Decode(&p); err != nil {
		panic("cbor: package protocol wrote no JSON: " + err.Error())
	}
	return p
}

func (c *converter) value(t json.Token, depth int) {
	switch t := t.(type) {
	case json.Delim:
		c.nested(t == '{', depth)
	case string:
		c.dst = text(c.dst, t)
	case json.Number:
		c.number(t)
	case bool:
		if t {
			c.dst = append(c.dst, simpleTrue)
		} else {
			c.dst = append(c.dst, simpleFalse)
		}
	default:
		c.dst = append(c.dst, simpleNull)
	}
}

// nested writes a map or an array, whose length is known at its end.
func (c *converter) nested(isMap bool, depth int) {
	start, n := len(c.dst), uint64(0)
	for ; c.in.More(); n++ {
		if isMap {
			c.field(depth)
		} else {
			c.value(c.token(), depth+1)
		}
	}
	c.token()
	var buf [9]byte
	major := byte(majorArray)
	if isMap {
		major = majorMap
	}
	h := head(buf[:0], major, n)
	c.dst = append(c.dst, h...)
	copy(c.dst[start+len(h):], c.dst[start:len(c.dst)-len(h)])
	copy(c.dst[start:], h)
}

func (c *converter) field(depth int) {
	name, _ := c.token().(string)
	switch {
	case depth == 0 && name == "bin":
		s, _ := c.token().(string)
		p, _ := base64.StdEncoding.DecodeString(s)
		c.dst = bytesOf(text(c.dst, "data"), p)
	case depth == 0 && name == "data", depth == 1 && c.from && name == "info":
		c.dst = text(text(c.dst, name), c.raw())
	default:
		if depth == 0 {
			c.from = name == "from"
		}
		c.dst = text(c.dst, name)
		c.value(c.token(), depth+1)
	}
}

func (c *converter) number(n json.Number) {
	if v, err := strconv.ParseUint(string(n), 10, 64); err == nil {
		c.dst = head(c.dst, majorUint, v)
		return
	}
	v, _ := n.Float64()
	c.dst = float(c.dst, v)
}

// float appends the shortest form that has the same value.
func float(dst []byte, v float64) []byte {
	short := float32(v)
	if float64(short) != v {
		return binary.BigEndian.AppendUint64(append(dst, float64Bits), math.Float64bits(v))
	}
	bits := math.Float32bits(short)
	if half, ok := half(bits); ok {
		return binary.BigEndian.AppendUint16(append(dst, float16Bits), half)
	}
	return binary.BigEndian.AppendUint32(append(dst, float32Bits), bits)
}

// half is a single-precision float in half precision, if that has its value.
func half(bits uint32) (uint16, bool) {
	sign, exp, mant := uint16(bits>>16&0x8000), int(bits>>23&0xff)-127, bits&(1<<23-1)
	switch {
	case bits<<1 == 0:
		return sign, true
	case exp >= -14 && exp <= 15 && mant&(1<<13-1) == 0:
		return sign | uint16(exp+15)<<10 | uint16(mant>>13), true
	case exp >= -24 && exp < -14: // subnormal: a multiple of 2^-24
		mant |= 1 << 23
		shift := -1 - exp
		return sign | uint16(mant>>shift), mant&(1<<shift-1) == 0
	}
	return 0, false
}
