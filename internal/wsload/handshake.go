package wsload

import (
	"bytes"
	"fmt"
	"strconv"
)

// The key and the answer it must get are those of RFC 6455, section 1.3, for every connection.
const (
	handshakeKey    = "dGhlIHNhbXBsZSBub25jZQ=="
	handshakeAccept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
)

// maxHandshake bounds the header of the answer, in bytes.
const maxHandshake = 16 << 10

// appendHandshake appends the upgrade request for a path. subprotocol may be empty; header has the lines of
// further headers, each with its end.
func appendHandshake(dst []byte, host, path, subprotocol, header string) []byte {
	dst = fmt.Appendf(dst, "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n", path, host, handshakeKey)
	if subprotocol != "" {
		dst = fmt.Appendf(dst, "Sec-WebSocket-Protocol: %s\r\n", subprotocol)
	}
	return append(append(dst, header...), "\r\n"...)
}

var (
	headerEnd     = []byte("\r\n\r\n")
	statusUpgrade = []byte("HTTP/1.1 101")
)

// parseHandshake reads the server's answer at the start of b. size is its length, or zero where it is
// not complete yet. The error says what the server answered instead of an upgrade.
func parseHandshake(b []byte) (size int, err error) {
	i := bytes.Index(b, headerEnd)
	if i < 0 {
		if len(b) > maxHandshake {
			return 0, fmt.Errorf("no end of header in %d bytes", len(b))
		}
		return 0, nil
	}
	head := b[:i]
	if !bytes.HasPrefix(head, statusUpgrade) {
		return 0, refusal(head)
	}
	// The value is 160 bits of hash, so finding it anywhere in the header will do.
	if !bytes.Contains(head, []byte(handshakeAccept)) {
		return 0, fmt.Errorf("server did not accept the key")
	}
	return i + len(headerEnd), nil
}

func refusal(head []byte) *RefusedError {
	line, _, _ := bytes.Cut(head, []byte("\r\n"))
	e := &RefusedError{Line: string(line), RetryAfter: headerValue(head, "Retry-After")}
	if fields := bytes.Fields(line); len(fields) > 1 {
		e.Status, _ = strconv.Atoi(string(fields[1])) // not HTTP: zero
	}
	return e
}
