package load

import (
	"github.com/gohubkit/hubkit/cmd/hubload/internal/plan"
	"github.com/gohubkit/hubkit/internal/payload"
)

// A message is a payload (package payload) that goes on with three numbers of eight hexadecimal digits each: the
// run, the stream and the place in it.
type mark struct {
	sent   int64 // nanoseconds of the Unix clock
	run    uint32
	stream uint32
	seq    uint32
}

const afterMark = 16 + 3*8

func newMessage(size int) []byte { return payload.New(max(size, plan.MinSize), 0) }

func (m mark) stamp(b []byte) {
	payload.Stamp(b, m.sent)
	b = b[payload.MinSize:]
	for i, v := range [3]uint32{m.run, m.stream, m.seq} {
		for d := range 8 {
			b[8*i+d] = "0123456789abcdef"[v>>(28-4*d)&15]
		}
	}
}

// next finds the first message in b, and returns what is behind it.
func next(b []byte) (m mark, rest []byte, ok bool) {
	for {
		i := payload.Next(b)
		if i < 0 || len(b) < i+afterMark {
			return mark{}, nil, false
		}
		b = b[i:]
		sent, ok1 := hex(b[:16])
		head, ok2 := hex(b[16:32])
		seq, ok3 := hex(b[32:40])
		if ok1 && ok2 && ok3 {
			return mark{int64(sent), uint32(head >> 32), uint32(head), uint32(seq)}, b[afterMark:], true
		}
	}
}

func hex(b []byte) (v uint64, ok bool) {
	for _, c := range b {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		default:
			return 0, false
		}
		v = v<<4 | uint64(c)
	}
	return v, true
}

// window knows which of the newest messages of a stream a connection has: the anti-replay window of RFC 4303,
// section 3.4.3, 64 wide.
type window struct {
	next uint32 // one more than the highest seq seen
	seen uint64 // bit n: next-1-n has been seen
}

// take notes a message. It is fresh unless it came before, or is so late that nobody knows.
func (w *window) take(seq uint32) (fresh, ordered bool) {
	if seq >= w.next {
		w.seen = w.seen<<(seq-w.next+1) | 1 // a shift by more than 63 leaves nothing
		w.next = seq + 1
		return true, true
	}
	bit := uint64(1) << (w.next - 1 - seq)
	if bit == 0 || w.seen&bit != 0 {
		return false, false
	}
	w.seen |= bit
	return true, false
}
