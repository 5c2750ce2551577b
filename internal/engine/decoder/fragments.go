package decoder

import (
	"encoding/binary"
	"errors"
	"io"

	"github.com/gorilla/websocket"
)

// fragments reads a message of which gorilla has the first frame. It counts what gorilla takes of each frame, and so finds the
// header of the next one: a faultless control frame between two fragments goes the way of all others, and gorilla, which
// judges close frames differently, does not see it.
type fragments struct {
	d      *Decoder
	reader io.Reader // gorilla's, of the message
	left   uint64    // what is missing of the frame
	last   bool      // it is the last of the message
	fault  bool      // what follows is gorilla's to refuse
}

// begin takes the message whose header is next in the buffer.
func (f *fragments) begin(d *Decoder) error {
	*f = fragments{d: d}
	return f.measure()
}

// measure notes the length of the frame whose header is next. It waits for no more of it than gorilla does.
func (f *fragments) measure() error {
	const fin, opcode, mask, length = 0x80, 0x0f, 0x80, 0x7f
	head, err := f.d.br.Peek(2)
	if err != nil {
		return err
	}
	if head[0]&^(fin|opcode) != 0 || head[1]&mask == 0 {
		f.fault = true
		return nil
	}
	f.last = head[0]&fin != 0
	switch n := head[1] & length; n {
	case 126:
		if head, err = f.d.br.Peek(4); err == nil {
			f.left = uint64(binary.BigEndian.Uint16(head[2:]))
		}
	case 127:
		if head, err = f.d.br.Peek(10); err == nil {
			f.left = binary.BigEndian.Uint64(head[2:])
		}
	default:
		f.left = uint64(n)
	}
	return err
}

func (f *fragments) Read(p []byte) (int, error) {
	if f.left == 0 && !f.last && !f.fault {
		if err := f.between(); err != nil {
			return 0, cutShort(err)
		}
	}
	if f.fault {
		return f.reader.Read(p)
	}
	if f.left > 0 {
		p = p[:min(uint64(len(p)), f.left)]
	}
	n, err := f.reader.Read(p)
	f.left -= uint64(n)
	return n, err
}

// between takes control frames and empty fragments, up to the next fragment with content or gorilla's fault to find.
func (f *fragments) between() error {
	const fin, mask, headerLen = 0x80, 0x80, 6
	for {
		head, err := f.d.br.Peek(2)
		if err != nil {
			return err
		}
		opcode, n := head[0]&^fin, int(head[1])&^mask
		switch {
		case head[1]&mask == 0:
			f.fault = true
			return nil
		case head[0] == 0 && n == 0: // gorilla would go on to the frame behind it
			if _, err := f.d.br.Discard(headerLen); err != nil {
				return err
			}
			continue
		case opcode == 0:
			return f.measure()
		case head[0]&fin == 0:
			f.fault = true
			return nil
		}
		switch opcode {
		case Ping, Pong, websocket.CloseMessage:
			taken, _, err := f.d.control(int(opcode), n)
			if taken == 0 || err != nil {
				f.fault = true
				return err
			}
		default:
			f.fault = true
			return nil
		}
	}
}

// cutShort is what gorilla makes of a connection that ends within a message.
func cutShort(err error) error {
	if errors.Is(err, io.EOF) {
		return &websocket.CloseError{Code: websocket.CloseAbnormalClosure, Text: io.ErrUnexpectedEOF.Error()}
	}
	return err
}
