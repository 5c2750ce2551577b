package decoder

import (
	"crypto/sha1" //nolint:gosec // RFC 6455 asks for it, and no secret depends on it
	"encoding/base64"
	"net"
	"net/http"
	"slices"
	"sync"

	"github.com/gorilla/websocket"
)

// Agreement is what a handshake has agreed on.
type Agreement struct {
	Subprotocol string // empty for none
	Compressed  bool   // by permessage-deflate
}

// rawHijacker is a ResponseWriter of package door's, which hands out the socket with nothing around it. early is what was read behind
// the handshake.
type rawHijacker interface {
	HijackRaw() (conn net.Conn, early []byte, err error)
}

// rawOf finds a rawHijacker behind w. Middleware that has a Hijack of its own wants to see the connection, and gets an ordinary one.
func rawOf(w http.ResponseWriter) rawHijacker {
	for {
		switch t := w.(type) {
		case rawHijacker:
			return t
		case http.Hijacker:
			return nil
		case interface{ Unwrap() http.ResponseWriter }:
			w = t.Unwrap()
		default:
			return nil
		}
	}
}

// UpgradeRaw is Upgrade if w hands out the bare socket and the handshake is faultless. If gorilla would refuse the
// handshake, or w is another ResponseWriter, ok is false and the caller uses Upgrade. The Decoder is nil unless the client has sent
// something with its handshake.
func (p *Pool) UpgradeRaw(u *websocket.Upgrader, w http.ResponseWriter, r *http.Request, header http.Header, deflate bool,
	hijacked func(net.Conn) Owner,
) (d *Decoder, a Agreement, ok bool, err error) {
	raw := rawOf(w)
	if raw == nil || !faultless(u, r, header) {
		return nil, a, false, nil
	}
	a.Subprotocol = subprotocolOf(u, r, header)
	extension := ""
	if deflate {
		extension = negotiate(r.Header)
		a.Compressed = extension != ""
	}
	conn, early, err := raw.HijackRaw()
	if err != nil {
		return nil, a, true, err
	}
	owner := hijacked(conn)
	buf := responses.Get().(*[]byte)
	*buf = appendResponse((*buf)[:0], r.Header["Sec-Websocket-Key"][0], a.Subprotocol, extension, header)
	err = owner.WriteWire(*buf)
	responses.Put(buf)
	if err != nil {
		_ = conn.Close()
	} else if len(early) > 0 {
		d = p.GetWith(owner, a.Compressed, early)
	}
	return d, a, true, err
}

var responses = sync.Pool{New: func() any { b := make([]byte, 0, 256); return &b }}

// faultless reports whether gorilla would accept a handshake, which asks for the one thing that it can ask for in the one way in
// which nearly all do.
func faultless(u *websocket.Upgrader, r *http.Request, header http.Header) bool {
	h := r.Header
	_, extended := header["Sec-Websocket-Extensions"]
	return r.Method == http.MethodGet && websocket.IsWebSocketUpgrade(r) && u.CheckOrigin != nil && u.CheckOrigin(r) && !extended &&
		len(h["Sec-Websocket-Version"]) == 1 && h["Sec-Websocket-Version"][0] == "13" &&
		len(h["Sec-Websocket-Key"]) == 1 && isKey(h["Sec-Websocket-Key"][0])
}

// isKey reports whether s is 16 bytes in base64.
func isKey(s string) bool {
	var b [18]byte
	if len(s) != base64.StdEncoding.EncodedLen(16) {
		return false
	}
	n, err := base64.StdEncoding.Decode(b[:], []byte(s))
	return n == 16 && err == nil
}

// subprotocolOf chooses as gorilla does.
func subprotocolOf(u *websocket.Upgrader, r *http.Request, header http.Header) string {
	if u.Subprotocols == nil {
		return header.Get("Sec-Websocket-Protocol")
	}
	if len(r.Header["Sec-Websocket-Protocol"]) == 0 {
		return ""
	}
	offered := websocket.Subprotocols(r)
	for _, p := range u.Subprotocols {
		if slices.Contains(offered, p) {
			return p
		}
	}
	return ""
}

// appendResponse appends the answer to a handshake with a key, as gorilla writes it.
func appendResponse(p []byte, key, subprotocol, extension string, header http.Header) []byte {
	p = append(p, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "...)
	var in [24 + len(acceptGUID)]byte
	copy(in[copy(in[:], key):], acceptGUID)
	sum := sha1.Sum(in[:]) //nolint:gosec // see above
	p = base64.StdEncoding.AppendEncode(p, sum[:])
	p = append(p, "\r\n"...)
	if subprotocol != "" {
		p = append(append(append(p, "Sec-WebSocket-Protocol: "...), subprotocol...), "\r\n"...)
	}
	for k, values := range header {
		if k == "Sec-Websocket-Protocol" {
			continue
		}
		for _, v := range values {
			p = append(append(p, k...), ": "...)
			for i := range len(v) {
				p = append(p, max(v[i], ' ')) // so that no value ends the response
			}
			p = append(p, "\r\n"...)
		}
	}
	if extension != "" {
		p = append(append(append(p, "Sec-WebSocket-Extensions: "...), extension...), "\r\n"...)
	}
	return append(p, "\r\n"...)
}

// acceptGUID is RFC 6455's, section 1.3.
const acceptGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
