package decoder

import (
	"net/http"
	"strings"
)

// What the answer to a handshake says of permessage-deflate. compress/flate has a window of 32 KiB and no other.
const (
	deflateAnswer       = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
	deflateWindowAnswer = deflateAnswer + "; server_max_window_bits=15"
)

// negotiate returns the answer to the first offer of permessage-deflate that can be kept to; empty if there is none. It
// declines offers with a parameter that is unknown, malformed or given twice (RFC 7692, section 7.1), and of a line that
// is no list of extensions it reads no further.
func negotiate(h http.Header) string {
	for _, line := range h["Sec-Websocket-Extensions"] {
		for more := true; more; {
			var o offer
			var ok bool
			if o, line, more, ok = nextOffer(line); !ok {
				break
			}
			if answer := o.answer(); answer != "" {
				return answer
			}
		}
	}
	return ""
}

// offer is one extension of a list.
type offer struct {
	deflate  bool // it is permessage-deflate
	declined bool
	seen     uint8 // parameters, by their index in parameters
	window   bool  // a server's window of 15 bits is asked for
}

func (o *offer) answer() string {
	switch {
	case !o.deflate || o.declined:
		return ""
	case o.window:
		return deflateWindowAnswer
	}
	return deflateAnswer
}

var parameters = [...]string{"server_no_context_takeover", "client_no_context_takeover", "server_max_window_bits", "client_max_window_bits"}

const (
	serverWindow = 2
	clientWindow = 3
)

// nextOffer takes the first offer off a list. more tells that another follows.
func nextOffer(s string) (o offer, rest string, more, ok bool) {
	name, s := token(s)
	if name == "" {
		return o, "", false, false
	}
	o.deflate = strings.EqualFold(name, "permessage-deflate")
	for {
		switch {
		case s == "":
			return o, "", false, true
		case s[0] == ',':
			return o, s[1:], true, true
		case s[0] != ';':
			return o, "", false, false
		}
		var value string
		valued := false
		if name, s = token(s[1:]); name == "" {
			return o, "", false, false
		}
		if strings.HasPrefix(s, "=") {
			if value, s, valued = parameterValue(s[1:]); !valued {
				return o, "", false, false
			}
		}
		o.take(name, value, valued)
	}
}

// take judges a parameter.
func (o *offer) take(name, value string, valued bool) {
	for i, known := range parameters {
		if !strings.EqualFold(name, known) {
			continue
		}
		fine := o.seen&(1<<i) == 0
		o.seen |= 1 << i
		switch i {
		case serverWindow:
			fine = fine && value == "15" // it could not be kept smaller
			o.window = true
		case clientWindow:
			fine = fine && (!valued || windowBits(value))
		default:
			fine = fine && !valued
		}
		o.declined = o.declined || !fine
		return
	}
	o.declined = true
}

func windowBits(s string) bool {
	switch s {
	case "8", "9", "10", "11", "12", "13", "14", "15":
		return true
	}
	return false
}

// parameterValue takes a token or a quoted one off s.
func parameterValue(s string) (value, rest string, ok bool) {
	s = strings.TrimLeft(s, " \t")
	quoted := strings.HasPrefix(s, `"`)
	if quoted {
		s = s[1:]
	}
	value, rest = token(s)
	if quoted {
		if !strings.HasPrefix(rest, `"`) {
			return "", "", false
		}
		rest = strings.TrimLeft(rest[1:], " \t")
	}
	return value, rest, value != ""
}

// token takes a token, and the blanks around it, off s (RFC 9110, section 5.6.2).
func token(s string) (t, rest string) {
	s = strings.TrimLeft(s, " \t")
	n := 0
	for n < len(s) && s[n] > ' ' && s[n] < 0x7f && !strings.ContainsRune(`"(),/:;<=>?@[\]{}`, rune(s[n])) {
		n++
	}
	return s[:n], strings.TrimLeft(s[n:], " \t")
}
