package client

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"slices"
)

// maxAnswer bounds the header of the answer to a handshake, and what a proxy says before, in bytes.
const maxAnswer = 64 << 10

var errAnswerTooLong = fmt.Errorf("%w: the header of its answer to the handshake has more than %d bytes", ErrProtocol, maxAnswer)

// wire is the network connection under gorilla's. It bounds the answer to the handshake, checks it for extensions, and checks
// the frames that follow for what gorilla does not see.
type wire struct {
	net.Conn
	offered bool // permessage-deflate
	count   *counters

	phase   phase
	early   int    // bytes read from a proxy
	rest    []byte // of the answer and what came with it, for gorilla to read
	frames  frames
	deflate bool // messages may be compressed
	err     error
}

type phase int

const (
	dialed    phase = iota // a proxy may answer
	answering              // the server is to answer
	open
)

// reached says that what comes next is the server's, over TLS if config is not nil. An error is that of the next Write.
func (w *wire) reached(ctx context.Context, config *tls.Config) {
	w.phase = answering
	if config == nil {
		return
	}
	secure := tls.Client(w.Conn, config)
	w.err = secure.HandshakeContext(ctx)
	w.Conn = secure
}

func (w *wire) Write(p []byte) (int, error) {
	if w.phase != open && w.err != nil {
		return 0, w.err
	}
	n, err := w.Conn.Write(p)
	w.count.bytesOut.Add(int64(n))
	return n, err
}

// read reads and counts.
func (w *wire) read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	w.count.bytesIn.Add(int64(n))
	return n, err
}

func (w *wire) Read(p []byte) (int, error) {
	switch w.phase {
	case dialed:
		n, err := w.read(p)
		if w.early += n; w.early > maxAnswer {
			return 0, errAnswerTooLong
		}
		return n, err
	case answering:
		if err := w.readAnswer(); err != nil {
			return 0, err
		}
		w.phase = open
	}
	if len(w.rest) > 0 {
		n := copy(p, w.rest)
		if w.rest = w.rest[n:]; len(w.rest) == 0 {
			w.rest = nil
		}
		return n, nil
	}
	if w.err != nil {
		return 0, w.err
	}
	n, err := w.read(p)
	n, w.err = w.frames.pass(p[:n])
	if n == 0 && w.err != nil {
		return 0, w.err
	}
	return n, err
}

// readAnswer reads the header of the answer.
func (w *wire) readAnswer() error {
	const piece = 4 << 10
	var answer []byte
	end := -1
	for end < 0 && w.err == nil {
		var n int
		answer = slices.Grow(answer, piece)
		n, w.err = w.read(answer[len(answer) : len(answer)+piece])
		answer = answer[:len(answer)+n]
		if end = endOfHeader(answer); max(end, len(answer)-piece) > maxAnswer {
			return errAnswerTooLong
		}
	}
	if w.rest = answer; end < 0 {
		return nil // gorilla says what is missing, and why
	}
	return w.judge(answer, end)
}

// endOfHeader returns the index after the empty line that ends a header, -1 if there is none yet.
func endOfHeader(b []byte) int {
	for from := 0; ; {
		i := bytes.IndexByte(b[from:], '\n')
		if i < 0 {
			return -1
		}
		from += i + 1
		switch rest := b[from:]; {
		case bytes.HasPrefix(rest, []byte("\n")):
			return from + 1
		case bytes.HasPrefix(rest, []byte("\r\n")):
			return from + 2
		}
	}
}

// judge checks the extensions of an answer whose header ends at end.
func (w *wire) judge(answer []byte, end int) error {
	header, ok := switching(answer[:end])
	if !ok {
		return nil // gorilla refuses it
	}
	var err error
	if w.deflate, err = accepted(header["Sec-Websocket-Extensions"], w.offered); err != nil {
		return err
	}
	good, err := w.frames.pass(answer[end:])
	if err != nil {
		w.err = err
	}
	if !w.deflate {
		w.rest = answer[:end+good]
		return nil
	}
	// A server need not say that the client's messages do without context: that is the client's to choose (RFC 7692,
	// section 7.1.1.2). gorilla insists on it, and looks at the first answer about the extension.
	line := bytes.IndexByte(answer, '\n') + 1
	w.rest = append(bytes.Clone(answer[:line]), "Sec-WebSocket-Extensions: "+deflateAnswer+"\r\n"...)
	w.rest = append(w.rest, answer[line:end+good]...)
	return nil
}

// switching returns the header of an answer that accepts the handshake.
func switching(answer []byte) (http.Header, bool) {
	resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(answer)), nil)
	if err != nil {
		return nil, false
	}
	_ = resp.Body.Close()
	return resp.Header, resp.StatusCode == http.StatusSwitchingProtocols
}
