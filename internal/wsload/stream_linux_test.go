package wsload

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// heard keeps what a stream brings.
type heard struct{ said []string }

func (h *heard) Opened(int, string)         { h.said = append(h.said, "opened") }
func (h *heard) Message(_ int, data []byte) { h.said = append(h.said, string(data)) }
func (h *heard) Pong(int, []byte)           {}
func (h *heard) Closed(int, error)          {}

// TestConsumeStream: however a stream is cut into reads, its lines of data are messages and its comments pings.
func TestConsumeStream(t *testing.T) {
	const stream = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nretry:5\nevent:welcome\ndata:{}\n\n:\n\nid:1\ndata:{\"a\":1}\n\n"
	for size := 1; size <= len(stream); size++ {
		var h heard
		l, c := &loop{opt: &Options{Handler: &h, Stream: true}}, &conn{}
		var carry []byte
		for part := range slices.Chunk([]byte(stream), size) {
			rest, err := l.consume(c, append(carry, part...))
			if err != nil {
				t.Fatal(err)
			}
			carry = slices.Clone(rest)
		}
		if got := strings.Join(h.said, " "); got != `opened {} {"a":1}` || l.pings.Load() != 1 || len(carry) > 0 {
			t.Errorf("by %d bytes: %s, %d pings, %q left", size, got, l.pings.Load(), carry)
		}
	}
}

func TestStreamIsRefused(t *testing.T) {
	var refused *RefusedError
	if _, err := parseStreamHead([]byte("HTTP/1.1 503 Service Unavailable\r\nRetry-After: 3\r\n\r\n")); !errors.As(err, &refused) || refused.Status != 503 || refused.RetryAfter != "3" {
		t.Errorf("error %v", err)
	}
	if _, err := parseStreamHead([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")); !errors.Is(err, errChunked) {
		t.Errorf("error %v", err)
	}
}
