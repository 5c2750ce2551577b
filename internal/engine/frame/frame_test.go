package frame

import (
	"bytes"
	"encoding/binary"
	"net"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
)

// sizes are those around which the header changes its length.
var sizes = []int{0, 1, 125, 126, 127, 1000, 65535, 65536, 70000}

func payloadOf(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i*7 + i>>8)
	}
	return p
}

func encoding(p []byte) func([]byte, Form) []byte {
	return func(dst []byte, _ Form) []byte { return append(dst, p...) }
}

func appending(p []byte) func([]byte) []byte {
	return func(dst []byte) []byte { return append(dst, p...) }
}

func TestAppendHeader(t *testing.T) {
	tests := []struct {
		opcode byte
		size   int
		header []byte
	}{
		{Text, 0, []byte{0x81, 0}},
		{Binary, 125, []byte{0x82, 125}},
		{Text, 126, []byte{0x81, 126, 0, 126}},
		{Text, 65535, []byte{0x81, 126, 0xff, 0xff}},
		{Binary, 65536, []byte{0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0}},
		{Ping, 3, []byte{0x89, 3}},
		{Pong, 125, []byte{0x8a, 125}},
	}
	for _, tt := range tests {
		p := payloadOf(tt.size)
		want := append(append([]byte("before"), tt.header...), p...)
		if got := Append([]byte("before"), tt.opcode, p); !bytes.Equal(got, want) {
			t.Errorf("%d bytes: begins with % x, want % x", tt.size, got[:16], want[:16])
		}
		if got := headerLen(tt.size); got != len(tt.header) {
			t.Errorf("headerLen(%d) = %d, want %d", tt.size, got, len(tt.header))
		}
	}
}

func TestEncodeIsAppend(t *testing.T) {
	for _, size := range sizes {
		p := payloadOf(size)
		want := Append([]byte("before"), Text, p)
		for name, dst := range map[string][]byte{
			"grown":    []byte("before"),
			"in place": append(make([]byte, 0, size+100), "before"...),
			"tight":    append(make([]byte, 0, len("before")+4+size), "before"...),
		} {
			if got := Encode(dst, Text, appending(p)); !bytes.Equal(got, want) {
				t.Errorf("%d bytes, %s: Encode and Append differ", size, name)
			}
		}
	}
}

func TestEncodeInPlaceDoesNotAllocate(t *testing.T) {
	p := payloadOf(70000)
	dst := make([]byte, 0, 80000)
	encode := appending(p)
	if n := testing.AllocsPerRun(10, func() { Encode(dst, Text, encode) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestAppendClose(t *testing.T) {
	longest := strings.Repeat("r", MaxControl-2)
	for _, tt := range []struct{ reason, want string }{
		{"", ""},
		{"going away", "going away"},
		{longest, longest},
		{longest + "r", ""}, // half a reason is worse than none
	} {
		got := AppendClose([]byte("before"), 1001, tt.reason)
		payload := binary.BigEndian.AppendUint16(nil, 1001)
		payload = append(payload, tt.want...)
		if want := Append([]byte("before"), Close, payload); !bytes.Equal(got, want) {
			t.Errorf("%d bytes of reason: %q, want %q", len(tt.reason), got, want)
		}
	}
}

func TestSplit(t *testing.T) {
	var wire []byte
	for _, size := range sizes {
		wire = Append(wire, Binary, payloadOf(size))
	}
	for _, size := range sizes {
		opcode, payload, rest := Cut(wire)
		if opcode != Binary || !bytes.Equal(payload, payloadOf(size)) {
			t.Fatalf("opcode %d with %d bytes, want %d with %d", opcode, len(payload), Binary, size)
		}
		wire = rest
	}
	if len(wire) != 0 {
		t.Errorf("%d bytes left", len(wire))
	}
}

func TestSplitPanicsOnHalfAFrame(t *testing.T) {
	wire := Append(nil, Text, payloadOf(200))
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	Cut(wire[:len(wire)-1])
}

// gorillaClient is a client's gorilla connection that reads wire and then the end of the stream.
// Its handshake is a canned one.
func gorillaClient(t testing.TB, compress bool, wire []byte) *websocket.Conn {
	t.Helper()
	client, server := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() { _ = server.Close() }()
		answer(server, compress)
		_, _ = server.Write(wire)
	}()
	d := websocket.Dialer{
		EnableCompression: compress,
		NetDial:           func(string, string) (net.Conn, error) { return client, nil },
	}
	ws, resp, err := d.Dial("ws://pipe/", nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	t.Cleanup(func() {
		_ = ws.Close()
		<-done
	})
	return ws
}

func TestGorillaReads(t *testing.T) {
	var wire []byte
	for _, size := range sizes {
		wire = Append(wire, Text, payloadOf(size))
		wire = Append(wire, Ping, []byte("are you there?"))
		wire = Encode(wire, Binary, appending(payloadOf(size)))
	}
	wire = AppendClose(wire, 4001, "enough")
	ws := gorillaClient(t, false, wire)
	pings := 0
	ws.SetPingHandler(func(s string) error {
		if s != "are you there?" {
			t.Errorf("ping %q", s)
		}
		pings++
		return nil
	})
	ws.SetCloseHandler(func(int, string) error { return nil })
	for _, size := range sizes {
		for _, opcode := range []int{Text, Binary} {
			checkMessage(t, ws, opcode, payloadOf(size))
		}
	}
	if _, _, err := ws.ReadMessage(); !websocket.IsCloseError(err, 4001) {
		t.Errorf("%v, want a close error with 4001", err)
	} else if got := err.(*websocket.CloseError).Text; got != "enough" {
		t.Errorf("close reason %q", got)
	}
	if pings != len(sizes) {
		t.Errorf("%d pings, want %d", pings, len(sizes))
	}
}

func checkMessage(t testing.TB, ws *websocket.Conn, opcode int, payload []byte) {
	t.Helper()
	gotOp, got, err := ws.ReadMessage()
	if err != nil {
		t.Fatalf("%d bytes: %v", len(payload), err)
	}
	if gotOp != opcode || !bytes.Equal(got, payload) {
		t.Fatalf("opcode %d with %d bytes, want %d with %d", gotOp, len(got), opcode, len(payload))
	}
}

func checkEnd(t testing.TB, ws *websocket.Conn) {
	t.Helper()
	if _, p, err := ws.ReadMessage(); !websocket.IsCloseError(err, websocket.CloseAbnormalClosure) {
		t.Errorf("%d bytes and %v, want the end of the stream", len(p), err)
	}
}

func FuzzGorillaReads(f *testing.F) {
	for _, size := range sizes {
		f.Add(uint32(size), uint32(sizes[len(sizes)-1]-size), size%2 == 0)
	}
	f.Fuzz(func(t *testing.T, first, second uint32, compress bool) {
		d, err := NewDeflater(1)
		if err != nil {
			t.Fatal(err)
		}
		payloads := [][]byte{payloadOf(int(first % 200_000)), payloadOf(int(second % 200_000))}
		b := NewBatch(0, new(Source), 0)
		for _, p := range payloads {
			b.Add(Message{Opcode: Binary, Seq: 0}, encoding(p))
		}
		if compress {
			b = b.Deflated(d, 100)
		}
		ws := gorillaClient(t, compress, b.Wire(0))
		for _, p := range payloads {
			checkMessage(t, ws, Binary, p)
		}
		checkEnd(t, ws)
	})
}
