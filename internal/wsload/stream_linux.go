package wsload

import (
	"bytes"
	"errors"
	"fmt"
)

var (
	statusOK   = []byte("HTTP/1.1 200")
	streamData = []byte("data:")
	errChunked = errors.New("the stream has a transfer encoding")
)

// appendStreamRequest appends the request for an event stream. header has the lines of further headers, each with its end.
func appendStreamRequest(dst []byte, host, path, header string) []byte {
	dst = fmt.Appendf(dst, "GET %s HTTP/1.1\r\nHost: %s\r\nAccept: text/event-stream\r\n", path, host)
	return append(append(dst, header...), "\r\n"...)
}

// parseStreamHead reads the server's answer at the start of b. size is its length, or zero if it is not complete yet.
func parseStreamHead(b []byte) (size int, err error) {
	i := bytes.Index(b, headerEnd)
	if i < 0 {
		if len(b) > maxHandshake {
			return 0, fmt.Errorf("no end of header in %d bytes", len(b))
		}
		return 0, nil
	}
	head := b[:i]
	switch {
	case !bytes.HasPrefix(head, statusOK):
		return 0, refusal(head)
	case headerValue(head, "Transfer-Encoding") != "":
		return 0, errChunked
	}
	return i + len(headerEnd), nil
}

// consumeStream handles the whole lines of b and returns the rest. A line of data is a message: hubs write no event with two of
// them. A comment counts as a ping.
func (l *loop) consumeStream(c *conn, b []byte) ([]byte, error) {
	if c.state == upgrading {
		n, err := parseStreamHead(b)
		if n == 0 || err != nil {
			return b, err
		}
		b = b[n:]
		c.state = ready
		l.becameReady()
		l.opt.Handler.Opened(c.index, "")
	}
	for {
		line, rest, whole := bytes.Cut(b, []byte("\n"))
		if !whole {
			return b, nil
		}
		b = rest
		switch data, ok := bytes.CutPrefix(line, streamData); {
		case ok:
			l.opt.Handler.Message(c.index, data)
		case bytes.HasPrefix(line, []byte(":")):
			l.pings.Add(1)
		}
	}
}
