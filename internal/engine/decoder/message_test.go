package decoder

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/gohubkit/hubkit/internal/engine/frame"
	"github.com/gorilla/websocket"
)

// sizes in which the socket yields its bytes.
var sizes = []int{1, 2, 3, 7, 100, 1 << 20}

func TestNext(t *testing.T) {
	long := strings.Repeat("long ", 2000)
	join := func(frames ...[]byte) []byte { return bytes.Join(frames, nil) }
	tests := []struct {
		name     string
		compress bool
		wire     []byte
		want     []string
	}{
		{"nothing", false, nil, nil},
		{"text", false, text("hello"), []string{message(1, []byte("hello"))}},
		{"empty", false, text(""), []string{message(1, nil)}},
		{"binary", false, clientFrame(fin|frame.Binary, []byte{0, 1, 255}), []string{message(2, []byte{0, 1, 255})}},
		{"long", false, text(long), []string{message(1, []byte(long))}},
		{"at the limit", false, text(strings.Repeat("x", limit)), []string{message(1, bytes.Repeat([]byte("x"), limit))}},
		{
			"many", false, join(text("a"), text("b"), text("c")),
			[]string{message(1, []byte("a")), message(1, []byte("b")), message(1, []byte("c"))},
		},
		{
			"fragments", false,
			join(clientFrame(frame.Text, []byte("a")), clientFrame(0, nil), clientFrame(0, []byte(long)), clientFrame(fin, []byte("z"))),
			[]string{message(1, []byte("a"+long+"z"))},
		},
		{
			"control frames between messages", false,
			join(clientFrame(fin|frame.Ping, []byte("p")), text("a"), clientFrame(fin|frame.Pong, []byte("ignored")),
				clientFrame(fin|frame.Ping, []byte(strings.Repeat("p", 125))), clientFrame(fin|frame.Ping, nil), text("b")),
			[]string{
				`ping "p"`, message(1, []byte("a")), "pong", `ping "` + strings.Repeat("p", 125) + `"`, `ping ""`,
				message(1, []byte("b")),
			},
		},
		{
			"control frames inside a message", false,
			join(clientFrame(frame.Binary, []byte("a")), clientFrame(fin|frame.Ping, []byte("inside")),
				clientFrame(0, []byte("b")), clientFrame(fin|frame.Pong, nil), clientFrame(fin, []byte("c")), text("d")),
			[]string{`ping "inside"`, "pong", message(2, []byte("abc")), message(1, []byte("d"))},
		},
		{
			"compressed", true,
			join(clientFrame(fin|rsv1|frame.Text, deflated(t, []byte(long))), text("not compressed"),
				clientFrame(fin|rsv1|frame.Binary, deflated(t, nil)), clientFrame(fin|frame.Ping, nil)),
			[]string{message(1, []byte(long)), message(1, []byte("not compressed")), message(2, nil), `ping ""`},
		},
		{
			"compressed fragments", true,
			join(clientFrame(rsv1|frame.Text, deflated(t, []byte(long))[:5]), clientFrame(fin|frame.Ping, nil),
				clientFrame(fin, deflated(t, []byte(long))[5:]), text("after")),
			[]string{`ping ""`, message(1, []byte(long)), message(1, []byte("after"))},
		},
		{
			// The example of RFC 7692, section 7.2.3.4.
			"compressed with a final block", true,
			join(clientFrame(fin|rsv1|frame.Text, []byte("\xf3\x48\xcd\xc9\xc9\x07\x00\x00")), text("after")),
			[]string{message(1, []byte("Hello")), message(1, []byte("after"))},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, size := range sizes {
				for early := range min(9, len(tt.wire)) { // bytes that somebody else has read
					l := linkTo(chunks{bytes.NewReader(tt.wire[early:]), size})
					d := poolOf(limit).GetWith(l, tt.compress, tt.wire[:early:early])
					got, err := l.readAll(d)
					if !slices.Equal(got, tt.want) {
						t.Errorf("in pieces of %d after %d: %.200q, want %.200q", size, early, got, tt.want)
					}
					if !errors.Is(err, io.EOF) || l.written.Len() != 0 {
						t.Errorf("in pieces of %d after %d: %v, written: %q", size, early, err, l.written.Bytes())
					}
				}
			}
		})
	}
}

// TestFaults has every breach of the protocol end in an error, and in a close frame that says so.
func TestFaults(t *testing.T) {
	unmasked := text("x")
	unmasked[1] &^= 0x80
	unmaskedPing := clientFrame(fin|frame.Ping, []byte("x"))
	unmaskedPing[1] &^= 0x80
	negative := append([]byte{fin | frame.Binary, 0x80 | 127}, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0)
	bomb := deflated(t, make([]byte, 10<<20))
	random := make([]byte, 1000)
	_, _ = rand.NewChaCha8([32]byte{}).Read(random)
	corrupt := clientFrame(fin|rsv1|frame.Text, []byte("\xff\xff\xff\xff"))
	for _, tt := range []struct {
		name     string
		compress bool
		frames   [][]byte
		code     int // of the close frame; zero for none
		err      error
	}{
		{"no mask", false, [][]byte{unmasked}, 1002, nil},
		{"ping without mask", false, [][]byte{unmaskedPing}, 1002, nil},
		{"unknown opcode", false, [][]byte{clientFrame(fin|3, nil)}, 1002, nil},
		{"unknown control opcode", false, [][]byte{clientFrame(fin|0xb, nil)}, 1002, nil},
		{"RSV1 without compression", false, [][]byte{clientFrame(fin|rsv1|frame.Text, nil)}, 1002, nil},
		{"RSV2", true, [][]byte{clientFrame(fin|0x20|frame.Text, nil)}, 1002, nil},
		{"RSV3 on a ping", true, [][]byte{clientFrame(fin|0x10|frame.Ping, nil)}, 1002, nil},
		{"continuation of nothing", false, [][]byte{clientFrame(fin, nil)}, 1002, nil},
		{"text in a fragmented message", false, [][]byte{clientFrame(frame.Text, nil), text("x")}, 1002, nil},
		{"fragmented ping", false, [][]byte{clientFrame(frame.Ping, nil)}, 1002, nil},
		{"long ping", false, [][]byte{clientFrame(fin|frame.Ping, make([]byte, 126))}, 1002, nil},
		{"reserved close code", false, [][]byte{clientFrame(fin|frame.Close, []byte{3, 237})}, 1002, nil},
		{"close reason not UTF-8", false, [][]byte{clientFrame(fin|frame.Close, []byte{3, 232, 0xff})}, 1002, nil},
		{"close frame of one byte", false, [][]byte{clientFrame(fin|frame.Close, []byte{3})}, 1002, nil},
		{
			"close frame of one byte between fragments", false,
			[][]byte{clientFrame(frame.Text, []byte("x")), clientFrame(fin|frame.Close, []byte{3})}, 1002, nil,
		},
		{
			"close frame of one byte after an empty fragment", false,
			[][]byte{clientFrame(frame.Text, nil), clientFrame(0, nil), clientFrame(fin|frame.Close, []byte{3})}, 1002, nil,
		},
		{
			"reserved close code between fragments", false,
			[][]byte{clientFrame(frame.Text, []byte("x")), clientFrame(fin|frame.Close, []byte{3, 237})}, 1002, nil,
		},
		{
			"unknown opcode between fragments", false,
			[][]byte{clientFrame(frame.Text, []byte("x")), clientFrame(fin|0xb, nil)}, 1002, nil,
		},
		{
			"fragmented ping between fragments", false,
			[][]byte{clientFrame(frame.Text, []byte("x")), clientFrame(frame.Ping, nil)}, 1002, nil,
		},
		{
			"no mask between fragments", false,
			[][]byte{clientFrame(frame.Text, []byte("x")), unmaskedPing}, 1002, nil,
		},
		{"RSV1 on a ping", true, [][]byte{clientFrame(fin|rsv1|frame.Ping, nil)}, 1002, nil},
		{"RSV1 on a close frame", true, [][]byte{clientFrame(fin|rsv1|frame.Close, []byte{3, 232})}, 1002, nil},
		{
			"RSV1 on a continuation", true,
			[][]byte{clientFrame(rsv1|frame.Text, deflated(t, random)[:5]), clientFrame(fin|rsv1, deflated(t, random)[5:])},
			1002, nil,
		},
		{
			"RSV1 on a continuation of what is not compressed", true,
			[][]byte{clientFrame(frame.Text, []byte("a")), clientFrame(fin|rsv1, nil)}, 1002, nil,
		},
		{"corrupt compressed data", true, [][]byte{corrupt}, 1002, nil},
		{"truncated compressed data", true, [][]byte{clientFrame(fin|rsv1|frame.Text, deflated(t, random)[:900])}, 1002, nil},
		{"too long", false, [][]byte{clientFrame(fin|frame.Text, make([]byte, limit+1))}, 1009, ErrTooLarge},
		{
			"fragments too long", false,
			[][]byte{clientFrame(frame.Text, make([]byte, limit)), clientFrame(fin, make([]byte, 1))},
			1009, ErrTooLarge,
		},
		{"negative length", false, [][]byte{negative}, 0, ErrTooLarge},
		{"bomb", true, [][]byte{clientFrame(fin|rsv1|frame.Binary, bomb)}, 0, ErrTooLarge},
		{"no end of the message", false, [][]byte{clientFrame(frame.Text, []byte("x"))}, 0, io.ErrUnexpectedEOF},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, size := range sizes {
				wire := append(text("before"), bytes.Join(tt.frames, nil)...)
				l := linkTo(chunks{bytes.NewReader(wire), size})
				d := poolOf(limit).Get(l, tt.compress)
				got, err := l.readAll(d)
				if want := message(1, []byte("before")); len(got) != 1 || got[0] != want {
					t.Errorf("in pieces of %d: %.200q, want %q", size, got, want)
				}
				switch {
				case err == nil || errors.Is(err, io.EOF):
					t.Errorf("in pieces of %d: %v", size, err)
				case tt.err == io.ErrUnexpectedEOF:
					if !websocket.IsCloseError(err, websocket.CloseAbnormalClosure) {
						t.Errorf("in pieces of %d: %v, want a CloseError with 1006", size, err)
					}
				case tt.err != nil && !errors.Is(err, tt.err) || tt.err == nil && errors.Is(err, ErrTooLarge):
					t.Errorf("in pieces of %d: %v, want %v", size, err, tt.err)
				}
				codes := l.closeFrames(t)
				if tt.code == 0 && len(codes) != 0 || tt.code != 0 && !slices.Equal(codes, []int{tt.code}) {
					t.Errorf("in pieces of %d: close frames %v, want %d", size, codes, tt.code)
				}
				if c := cap(d.buf); c > 2*limit {
					t.Errorf("in pieces of %d: a buffer of %d bytes for messages of %d", size, c, limit)
				}
			}
		})
	}
}

// TestDataAfterTheEnd has compressed data end before its message does. What follows is still of the message, and
// no other connection's.
func TestDataAfterTheEnd(t *testing.T) {
	hello := []byte("\xf3\x48\xcd\xc9\xc9\x07\x00")
	rest := make([]byte, 1000)
	whole := clientFrame(fin|rsv1|frame.Text, append(slices.Clone(hello), rest...))
	for name, wire := range map[string][]byte{
		"in the frame":    whole,
		"in another one":  slices.Concat(clientFrame(rsv1|frame.Text, hello), clientFrame(0, rest), clientFrame(fin, rest)),
		"in an empty one": slices.Concat(clientFrame(rsv1|frame.Text, hello), clientFrame(fin, nil)),
	} {
		t.Run(name, func(t *testing.T) {
			for _, cut := range []int{len(hello) + 8, len(wire) - 1} {
				// The end of the message does not come: the Decoder must not be free for another before it does.
				l := linkTo(bytes.NewReader(wire[:cut]))
				if got, err := l.readAll(poolOf(limit).Get(l, true)); len(got) != 0 || errors.Is(err, io.EOF) {
					t.Errorf("after %d of %d bytes: %q, %v", cut, len(wire), got, err)
				}
			}
			l := linkTo(bytes.NewReader(append(slices.Clone(wire), text("next")...)))
			got, err := l.readAll(poolOf(limit).Get(l, true))
			if want := []string{message(1, []byte("Hello")), message(1, []byte("next"))}; !slices.Equal(got, want) || !errors.Is(err, io.EOF) {
				t.Errorf("%q, %v; want %q", got, err, want)
			}
		})
	}
}

func TestClose(t *testing.T) {
	for _, tt := range []struct {
		payload string
		code    int
		text    string
		answer  []int
	}{
		{"\x03\xe9going", 1001, "going", []int{1001}},
		{"\x0f\xa1", 4001, "", []int{4001}},
		{"\x03\xf6", 1014, "", []int{1014}},
	} {
		end := clientFrame(fin|frame.Close, []byte(tt.payload))
		for where, wire := range map[string][]byte{
			"between messages": end,
			"within a message": slices.Concat(clientFrame(frame.Text, []byte("half a")), clientFrame(0, nil), end),
		} {
			for _, size := range sizes {
				l := linkTo(chunks{bytes.NewReader(wire), size})
				_, err := l.readAll(poolOf(limit).Get(l, false))
				var ce *websocket.CloseError
				if !errors.As(err, &ce) || ce.Code != tt.code || ce.Text != tt.text {
					t.Errorf("%s: %v, want a CloseError with %d %q", where, err, tt.code, tt.text)
				}
				if codes := l.closeFrames(t); !slices.Equal(codes, tt.answer) {
					t.Errorf("%s: answered with %v, want %v", where, codes, tt.answer)
				}
			}
		}
	}
}

func TestPingErrorEndsNext(t *testing.T) {
	inside := append(clientFrame(frame.Text, nil), clientFrame(fin|frame.Ping, nil)...)
	for name, wire := range map[string][]byte{"between": clientFrame(fin|frame.Ping, nil), "inside": inside} {
		l := linkTo(bytes.NewReader(wire))
		l.pingErr = os.ErrPermission
		if _, err := l.readAll(poolOf(limit).Get(l, false)); !errors.Is(err, os.ErrPermission) {
			t.Errorf("%s: %v, want what Ping returned", name, err)
		}
	}
}
