package door

import "bytes"

// maxHead is the longest head that the door takes. A longer one is net/http's.
const maxHead = 8 << 10

// verdict is what the beginning of a connection is.
type verdict uint8

const (
	// unfinished is a faultless handshake so far.
	unfinished verdict = iota
	// handshake is the whole head of one.
	handshake
	// foreign is anything else. It is net/http's to judge.
	foreign
)

// judge says what p, the beginning of a connection, is. For a handshake it returns where the head ends.
//
// It knows one shape of a head, of which there is but one reading, and which net/http passes to a handler: GET, HTTP/1.1, lines
// that end in CRLF and have a token, a colon and a value of printable characters, one Host, one Upgrade to websocket, and
// nothing about a body or an expectation. So a head that is malformed, or that two servers could read in two ways, is never
// the door's. A line is judged as soon as it is whole: net/http does not wait for the rest to refuse it either.
func judge(p []byte) (v verdict, end int) {
	const method = "GET /"
	if n := min(len(p), len(method)); string(p[:n]) != method[:n] {
		return foreign, 0
	}
	line, rest, whole := nextLine(p)
	if !whole {
		return unfinishedOrForeign(p, line, isTarget), 0
	}
	if !isRequestLine(line) {
		return foreign, 0
	}
	var f fields
	for {
		if line, rest, whole = nextLine(rest); !whole {
			return unfinishedOrForeign(p, line, isValue), 0
		}
		if len(line) == 0 {
			if !f.complete() {
				return foreign, 0
			}
			return handshake, len(p) - len(rest)
		}
		if !f.take(line) {
			return foreign, 0
		}
	}
}

// unfinishedOrForeign judges p by the line that it ends in. An end of line that is not the door's would never be found.
func unfinishedOrForeign(p, line []byte, allowed func(byte) bool) verdict {
	line = bytes.TrimSuffix(line, []byte("\r"))
	if len(p) >= maxHead || bytes.ContainsFunc(line, func(r rune) bool { return r < 0x80 && !allowed(byte(r)) }) {
		return foreign
	}
	return unfinished
}

// lengthens reports whether the last n bytes of an unfinished p do no more than make a field's line longer: a head that comes byte by
// byte need not be judged anew for each.
func lengthens(p []byte, n int) bool {
	before := p[:len(p)-n]
	if bytes.IndexByte(before, '\n') < 0 || before[len(before)-1] == '\r' {
		return false
	}
	for _, b := range p[len(p)-n:] {
		if !isValue(b) {
			return false
		}
	}
	return true
}

// nextLine cuts a line off p, without its end. A line that ends in LF alone is returned with what follows, so that nobody takes it.
func nextLine(p []byte) (line, rest []byte, whole bool) {
	i := bytes.IndexByte(p, '\n')
	if i < 1 || p[i-1] != '\r' {
		return p, nil, false
	}
	return p[:i-1], p[i+1:], true
}

func isRequestLine(line []byte) bool {
	const method, version = "GET ", " HTTP/1.1"
	if len(line) <= len(method)+len(version) || string(line[len(line)-len(version):]) != version {
		return false
	}
	for _, b := range line[len(method) : len(line)-len(version)] {
		if !isTarget(b) || b == ' ' {
			return false
		}
	}
	return true
}

// isTarget reports whether b may be in a request line.
func isTarget(b byte) bool { return b >= ' ' && b < 0x7f }

// isValue reports whether b may be in a field's value.
func isValue(b byte) bool { return b >= ' ' && b != 0x7f || b == '\t' }

// fields are what the lines of a head have said so far.
type fields struct{ host, upgrade, connection bool }

func (f *fields) complete() bool { return f.host && f.upgrade && f.connection }

// take notes a line, and reports whether a handshake may have it.
func (f *fields) take(line []byte) bool {
	colon := bytes.IndexByte(line, ':')
	if colon < 1 {
		return false
	}
	name, value := line[:colon], bytes.Trim(line[colon+1:], " \t")
	for _, b := range name {
		if !isToken[b] {
			return false
		}
	}
	for _, b := range value {
		if !isValue(b) {
			return false
		}
	}
	switch len(name) { // few lines have to be looked at
	case len("Host"):
		if is(name, "host") {
			again := f.host
			f.host = true
			return !again && isHost(value)
		}
	case len("Expect"):
		return !is(name, "expect")
	case len("Upgrade"): // and Trailer
		if is(name, "upgrade") {
			again := f.upgrade
			f.upgrade = true
			return !again && is(value, "websocket")
		}
		return !is(name, "trailer")
	case len("Connection"):
		if is(name, "connection") {
			f.connection = f.connection || hasToken(value, "upgrade")
			return !hasToken(value, "close")
		}
	case len("Content-Length"), len("Transfer-Encoding"): // and HTTP2-Settings
		return !is(name, "content-length") && !is(name, "transfer-encoding") && !is(name, "http2-settings")
	}
	return true
}

// isHost reports whether a Host is a name or an address, with or without a port, in characters that mean nothing else.
func isHost(value []byte) bool {
	for _, b := range value {
		switch {
		case b >= 'a' && b <= 'z', b >= 'A' && b <= 'Z', b >= '0' && b <= '9',
			b == '.', b == '-', b == ':', b == '_', b == '[', b == ']':
		default:
			return false
		}
	}
	return len(value) > 0
}

// is reports whether p is s, which is in lower case, whatever the case of p.
func is(p []byte, s string) bool {
	if len(p) != len(s) {
		return false
	}
	for i, b := range p {
		if b >= 'A' && b <= 'Z' {
			b += 'a' - 'A'
		}
		if b != s[i] {
			return false
		}
	}
	return true
}

func hasToken(list []byte, token string) bool {
	for item := range bytes.SplitSeq(list, []byte(",")) {
		if is(bytes.Trim(item, " \t"), token) {
			return true
		}
	}
	return false
}

// isToken is the characters of a field's name (RFC 9110, section 5.6.2).
var isToken = func() (t [256]bool) {
	for b := range t {
		switch {
		case b >= 'a' && b <= 'z', b >= 'A' && b <= 'Z', b >= '0' && b <= '9':
			t[b] = true
		}
	}
	for _, b := range []byte("!#$%&'*+-.^_`|~") {
		t[b] = true
	}
	return t
}()
