package client

import (
	"fmt"
	"strings"
)

// deflateAnswer is the answer that gorilla wants to its offer.
const deflateAnswer = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"

// accepted reports whether the server has accepted the offer of permessage-deflate. An extension that was not offered, or
// parameters that the offer does not allow, are an error (RFC 6455, section 4.1, and RFC 7692, section 7.1).
func accepted(lines []string, offered bool) (deflate bool, err error) {
	for _, line := range lines {
		for extension := range strings.SplitSeq(line, ",") {
			name, parameters, _ := strings.Cut(extension, ";")
			name = strings.TrimSpace(name)
			switch {
			case name == "" && strings.TrimSpace(parameters) == "": // an empty element of a list
			case !offered || deflate || !strings.EqualFold(name, "permessage-deflate"):
				return false, fmt.Errorf("%w: it answers with the extension %.50q, which was not offered", ErrProtocol, name)
			case !keepsToOffer(parameters):
				return false, fmt.Errorf("%w: it answers with %.150q, which was not offered", ErrProtocol, strings.TrimSpace(extension))
			default:
				deflate = true
			}
		}
	}
	return deflate, nil
}

// keepsToOffer checks the parameters of permessage-deflate. The server must do without context, as it was asked to. It may
// use a smaller window.
func keepsToOffer(parameters string) bool {
	seen := make(map[string]bool)
	if parameters != "" {
		for p := range strings.SplitSeq(parameters, ";") {
			name, value, valued := strings.Cut(p, "=")
			name = strings.ToLower(strings.TrimSpace(name))
			fine := !valued
			switch name {
			case "server_no_context_takeover", "client_no_context_takeover":
			case "server_max_window_bits":
				fine = valued && windowBits(strings.TrimSpace(value))
			default:
				fine = false
			}
			if !fine || seen[name] {
				return false
			}
			seen[name] = true
		}
	}
	return seen["server_no_context_takeover"]
}

func windowBits(s string) bool {
	if inner, ok := strings.CutPrefix(s, `"`); ok {
		if s, ok = strings.CutSuffix(inner, `"`); !ok {
			return false
		}
	}
	switch s {
	case "8", "9", "10", "11", "12", "13", "14", "15":
		return true
	}
	return false
}
