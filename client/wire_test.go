package client_test

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/client"
	"github.com/gohubkit/hubkit/protocol"
)

// rough is a server that answers handshakes by hand.
type rough struct {
	t    testing.TB
	ln   net.Listener
	url  string
	back *bufio.Reader // of the connection accepted last
}

func newRough(t testing.TB) *rough {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	return &rough{t: t, ln: ln, url: "ws://" + ln.Addr().String()}
}

// accept takes a connection and its handshake, which it does not answer.
func (r *rough) accept() (conn net.Conn, key string) {
	r.t.Helper()
	conn, err := r.ln.Accept()
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	r.back = bufio.NewReader(conn)
	req, err := http.ReadRequest(r.back)
	if err != nil {
		r.t.Fatal(err)
	}
	return conn, req.Header.Get("Sec-WebSocket-Key")
}

// answer is one that accepts, with more lines of header.
func answer(key string, lines ...string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	head := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: " + protocol.Subprotocol +
		"\r\nSec-WebSocket-Accept: " + base64.StdEncoding.EncodeToString(sum[:]) + "\r\n"
	for _, l := range lines {
		head += l + "\r\n"
	}
	return head + "\r\n"
}

// frame is one of a server, of less than 64 KiB.
func frame(first byte, payload string) string {
	if len(payload) < 126 {
		return string([]byte{first, byte(len(payload))}) + payload
	}
	return string([]byte{first, 126, byte(len(payload) >> 8), byte(len(payload))}) + payload
}

const welcome = `{"op":"welcome","conn":"c1","session":"s1"}`

// closeCode reads what the client sends until its close frame.
func (r *rough) closeCode() int {
	r.t.Helper()
	for {
		head := make([]byte, 2)
		if _, err := io.ReadFull(r.back, head); err != nil {
			r.t.Fatal("no close frame: ", err)
		}
		n := int(head[1] & 0x7f)
		if n == 126 {
			ext := make([]byte, 2)
			_, _ = io.ReadFull(r.back, ext)
			n = int(ext[0])<<8 | int(ext[1])
		}
		body := make([]byte, 4+n)
		if _, err := io.ReadFull(r.back, body); err != nil {
			r.t.Fatal("no close frame: ", err)
		}
		if head[0] == 0x88 {
			return int(body[4]^body[0])<<8 | int(body[5]^body[1])
		}
	}
}

// TestExtensionsOfTheAnswer: the client takes permessage-deflate within what it offered, and nothing else.
func TestExtensionsOfTheAnswer(t *testing.T) {
	const name = "Sec-WebSocket-Extensions: "
	const both = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
	for _, tt := range []struct {
		lines  []string
		with   bool // accepted where it was offered
		anyhow bool // accepted where it was not
	}{
		{nil, true, true},
		{[]string{name}, true, true},
		{[]string{name + both}, true, false},
		{[]string{name + "permessage-deflate; server_no_context_takeover"}, true, false},
		{[]string{"sec-websocket-extensions:Permessage-Deflate ;Server_No_Context_Takeover"}, true, false},
		{[]string{name + both + "; server_max_window_bits=10"}, true, false},
		{[]string{name + both + `; server_max_window_bits="15"`}, true, false},
		{[]string{name + both + "; server_max_window_bits=16"}, false, false},
		{[]string{name + both + "; server_max_window_bits"}, false, false},
		{[]string{name + both + "; client_max_window_bits=15"}, false, false},
		{[]string{name + both + "; client_no_context_takeover"}, false, false},
		{[]string{name + both + "; x=1"}, false, false},
		{[]string{name + both + "; server_no_context_takeover=1"}, false, false},
		{[]string{name + "permessage-deflate; client_no_context_takeover"}, false, false},
		{[]string{name + "permessage-deflate"}, false, false},
		{[]string{name + both + ", " + both}, false, false},
		{[]string{name + both, name + both}, false, false},
		{[]string{name + "x-webkit-deflate-frame"}, false, false},
		{[]string{name + both + ", bbf-usp-protocol"}, false, false},
	} {
		for _, offered := range []bool{true, false} {
			t.Run(fmt.Sprint(tt.lines, " offered ", offered), func(t *testing.T) {
				r := newRough(t)
				states, onState := collect[client.State](100)
				opts := []client.Option{client.OnState(onState)}
				want := tt.anyhow
				if offered {
					opts, want = append(opts, client.WithCompression()), tt.with
				}
				run(t, newClient(t, r.url, opts...))
				conn, key := r.accept()
				_, _ = io.WriteString(conn, answer(key, tt.lines...)+frame(0x81, welcome))
				receive(t, states) // connecting
				st := receive(t, states)
				if want && st.Status != client.Connected || !want && !errors.Is(st.Err, client.ErrProtocol) {
					t.Errorf("state is %+v, want connected: %t", st, want)
				}
			})
		}
	}
}

// TestReservedBits: RSV1 has a meaning on the first frame of a message only, and only if messages may be compressed.
func TestReservedBits(t *testing.T) {
	message := `{"op":"message","data":1}`
	for _, tt := range []struct {
		name   string
		frames string
	}{
		{"continuation", frame(0x01, message[:5]) + frame(0xc0, message[5:])},
		{"ping", frame(0xc9, "")},
		{"pong", frame(0xca, "x")},
		{"close", frame(0xc8, "\x03\xe8")},
		{"ping between fragments", frame(0x01, message[:5]) + frame(0xc9, "") + frame(0x80, message[5:])},
		{"after a long frame", frame(0x81, `{"op":"message","data":"`+strings.Repeat("x", 10_000)+`"}`) + frame(0xc9, "")},
	} {
		for _, deflate := range []bool{true, false} {
			for _, apart := range []bool{true, false} {
				t.Run(fmt.Sprint(tt.name, " deflate ", deflate, " apart ", apart), func(t *testing.T) {
					r := newRough(t)
					run(t, newClient(t, r.url, client.WithCompression()))
					conn, key := r.accept()
					var lines []string
					if deflate {
						lines = append(lines, "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover")
					}
					all := answer(key, lines...) + frame(0x81, welcome) + tt.frames
					if apart {
						for i := range len(all) { // each byte by itself
							_, _ = io.WriteString(conn, all[i:i+1])
						}
					} else {
						_, _ = io.WriteString(conn, all)
					}
					if code := r.closeCode(); code != 1002 {
						t.Errorf("client closed with %d", code)
					}
				})
			}
		}
	}
}

// TestCloseFrames: the client judges a server's close frame by the RFC, wherever it comes.
func TestCloseFrames(t *testing.T) {
	long := strings.Repeat("x", 123)
	for _, tt := range []struct {
		name    string
		payload string
		code    client.CloseError // that the application is told of; zero if the server is at fault
		answer  int
	}{
		{"one byte", "\x03", client.CloseError{}, 1002},
		{"1014", "\x03\xf6", client.CloseError{Code: 1014}, 1014},
		{"1014 with a reason", "\x03\xf6away", client.CloseError{Code: 1014, Reason: "away"}, 1014},
		{"1014 with a reason that is not UTF-8", "\x03\xf6\xff", client.CloseError{}, 1002},
		{"1015", "\x03\xf7", client.CloseError{}, 1002},
		{"1012 with the longest reason", "\x03\xf4" + long, client.CloseError{Code: 1012, Reason: long}, 1012},
	} {
		for where, before := range map[string]string{
			"": "", " after a message": frame(0x81, `{"op":"message","data":1}`), " within a message": frame(0x01, `{"op":`),
		} {
			for _, apart := range []bool{true, false} {
				t.Run(fmt.Sprint(tt.name, where, " apart ", apart), func(t *testing.T) {
					r := newRough(t)
					states, onState := collect[client.State](100)
					run(t, newClient(t, r.url, client.OnState(onState)))
					conn, key := r.accept()
					all := answer(key) + frame(0x81, welcome) + before + frame(0x88, tt.payload)
					if apart {
						for i := range len(all) {
							_, _ = io.WriteString(conn, all[i:i+1])
						}
					} else {
						_, _ = io.WriteString(conn, all)
					}
					if code := r.closeCode(); code != tt.answer {
						t.Errorf("client closed with %d, want %d", code, tt.answer)
					}
					_ = conn.Close()
					for s := range states {
						if s.Status != client.Disconnected {
							continue
						}
						e, _ := errors.AsType[*client.CloseError](s.Err)
						if tt.code.Code == 0 && e != nil || tt.code.Code != 0 && (e == nil || *e != tt.code) {
							t.Errorf("told %v, want %+v", s.Err, tt.code)
						}
						break
					}
				})
			}
		}
	}
}

// TestAnswerWithoutEnd: the header of the answer is bounded, and so is what a proxy says.
func TestAnswerWithoutEnd(t *testing.T) {
	r := newRough(t)
	states, onState := collect[client.State](100)
	run(t, newClient(t, r.url, client.OnState(onState)))
	for _, head := range []string{
		"HTTP/1.1 101 Switching Protocols\r\n",
		"HTTP/1.1 200 OK\r\nX: ",
		"",
	} {
		conn, _ := r.accept()
		line := strings.Repeat("X-Filler: "+strings.Repeat("x", 100)+"\r\n", 100)
		if !strings.HasSuffix(head, "\n") {
			line = strings.Repeat("x", 10_000)
		}
		sent := 0
		_, err := io.WriteString(conn, head)
		for ; err == nil && sent < 100<<20; sent += len(line) {
			_, err = io.WriteString(conn, line)
		}
		if err == nil {
			t.Errorf("the client took %d bytes of header", sent)
		}
		if st := awaitStatus(t, states, client.Disconnected); !errors.Is(st.Err, client.ErrProtocol) {
			t.Errorf("disconnected by %v", st.Err)
		}
	}
	conn, key := r.accept() // one that is long, and ends
	_, _ = io.WriteString(conn, answer(key, "X-Filler: "+strings.Repeat("x", 60<<10))+frame(0x81, welcome))
	awaitStatus(t, states, client.Connected)
}

// TestAnswerThatBreaksOff is a connection lost like any other.
func TestAnswerThatBreaksOff(t *testing.T) {
	r := newRough(t)
	states, onState := collect[client.State](100)
	run(t, newClient(t, r.url, client.OnState(onState)))
	for _, head := range []string{"", "HTTP/1.1 101", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n", "nonsense\r\n\r\n"} {
		conn, _ := r.accept()
		_, _ = io.WriteString(conn, head)
		_ = conn.Close()
		if st := awaitStatus(t, states, client.Disconnected); st.Err == nil {
			t.Errorf("%q: %+v", head, st)
		}
	}
	conn, _ := r.accept()
	_, _ = io.WriteString(conn, "HTTP/1.1 403 Forbidden\nContent-Length: 2\n\nno") // lines may end so
	if st := awaitStatus(t, states, client.Closed); st.Err == nil {
		t.Errorf("%+v", st)
	}
}
