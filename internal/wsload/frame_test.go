package wsload

import (
	"bytes"
	"strings"
	"testing"
)

func TestParseFrame(t *testing.T) {
	long := strings.Repeat("x", 126)
	huge := strings.Repeat("y", 1<<16)
	tests := []struct {
		name    string
		in      string
		op      byte
		payload string
		size    int
		ok      bool
	}{
		{"nothing", "", 0, "", 0, true},
		{"one byte", "\x81", 0, "", 0, true},
		{"empty", "\x81\x00", opText, "", 2, true},
		{"small, and more behind", "\x81\x02hi\x89", opText, "hi", 4, true},
		{"small, cut", "\x81\x03hi", 0, "", 0, true},
		{"16-bit length, cut", "\x82\x7e\x00", 0, "", 0, true},
		{"16-bit length", "\x82\x7e\x00\x7e" + long, 2, long, 130, true},
		{"64-bit length, cut", "\x82\x7f\x00\x00\x00\x00\x00\x01\x00", 0, "", 0, true},
		{"64-bit length", "\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00" + huge, 2, huge, 10 + 1<<16, true},
		{"64-bit length beyond memory", "\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff", 0, "", 0, false},
		{"close", "\x88\x02\x03\xe8", opClose, "\x03\xe8", 4, true},
		{"masked", "\x81\x82abcdhi", 0, "", 0, false},
		{"compressed", "\xc1\x02hi", 0, "", 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f, size, ok := parseFrame([]byte(tt.in))
			if size != tt.size || ok != tt.ok {
				t.Fatalf("size %d, ok %t; want %d, %t", size, ok, tt.size, tt.ok)
			}
			if f.op != tt.op || string(f.payload) != tt.payload {
				t.Errorf("op %d with %d bytes, want %d with %d", f.op, len(f.payload), tt.op, len(tt.payload))
			}
		})
	}
}

func TestAppendFrameIsMasked(t *testing.T) {
	for _, n := range []int{0, 1, 125, 126, 1<<16 - 1, 1 << 16} {
		want := bytes.Repeat([]byte{'z'}, n)
		b := appendFrame(nil, opText, want)
		// As a server would: without the mask bit and key, it is a frame parseFrame reads.
		b[1] &^= 0x80
		head := len(b) - n - len(maskKey)
		body := b[len(b)-n:]
		for i := range body {
			body[i] ^= maskKey[i&3]
		}
		f, size, ok := parseFrame(append(b[:head:head], body...))
		if !ok || size != head+n || f.op != opText || !bytes.Equal(f.payload, want) {
			t.Errorf("%d bytes: op %d, size %d, ok %t", n, f.op, size, ok)
		}
	}
}

func FuzzParseFrame(f *testing.F) {
	f.Add([]byte("\x81\x02hi"))
	f.Add([]byte("\x82\x7e\x00\x7e"))
	f.Add([]byte("\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, size, ok := parseFrame(b)
		if size > len(b) || len(got.payload) > size || !ok && size != 0 {
			t.Errorf("size %d with %d bytes of payload from %d bytes, ok %t", size, len(got.payload), len(b), ok)
		}
	})
}

func TestParseHandshake(t *testing.T) {
	const head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
	good := head + "Sec-Websocket-Accept: " + handshakeAccept + "\r\n\r\n"
	tests := []struct {
		name string
		in   string
		size int
		err  string
	}{
		{"nothing", "", 0, ""},
		{"cut", good[:len(good)-1], 0, ""},
		{"whole", good, len(good), ""},
		{"frame behind it", good + "\x81\x02hi", len(good), ""},
		{"refused", "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\n\r\n", 0, `server answered "HTTP/1.1 503 Service Unavailable"`},
		{"wrong key", head + "Sec-WebSocket-Accept: AAAA\r\n\r\n", 0, "server did not accept the key"},
		{"endless", strings.Repeat("x", maxHandshake+1), 0, "no end of header"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			size, err := parseHandshake([]byte(tt.in))
			if size != tt.size {
				t.Errorf("size %d, want %d", size, tt.size)
			}
			if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("error %v, want %q", err, tt.err)
			}
		})
	}
}
