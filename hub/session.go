package hub

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"strings"

	"github.com/gohubkit/hubkit/protocol"
)

// The name of a session, as the welcome tells it and the next hello gives it back, is the ID of the first connection, a dot,
// and something that cannot be guessed: nobody else can name the session, though IDs are known to others. Hubs
// keep nothing of it, and need not know each other's secrets. Of a long ID only the beginning is there.
const (
	sessionProof = 22
	sessionID    = protocol.MaxSession - sessionProof - len(".")
)

// sessionSecret is what this hub makes them from.
type sessionSecret [16]byte

func newSessionSecret() (s sessionSecret) {
	_, _ = rand.Read(s[:]) // never fails
	return s
}

// of names the session that begins with a connection.
func (s *sessionSecret) of(id string) string {
	var text [128]byte
	sum := sha256.Sum256(append(append(text[:0], s[:]...), id...))
	if len(id) > sessionID {
		id = strings.ToValidUTF8(id[:sessionID], "")
	}
	var name [protocol.MaxSession]byte
	return string(base64.RawURLEncoding.AppendEncode(append(append(name[:0], id...), '.'), sum[:16]))
}

// sessionLabel is the part of a session's name that may be shown.
func sessionLabel(session string) string {
	if i := len(session) - sessionProof - 1; i > 0 && strings.LastIndexByte(session, '.') == i {
		return session[:i]
	}
	return session
}

// session is the name that the client gives when it comes back.
func (c *Conn) session() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.extra != nil && c.extra.session != "" {
		return c.extra.session
	}
	return c.hub.sessions.of(c.ID())
}

// publisher is whose the idempotency keys are that the client sends: the user's, or the session's if it is anonymous.
func (v *v1Client) publisher(key string) string {
	c := (*Conn)(v)
	if key == "" {
		return ""
	}
	if user := c.Identity().User; user != "" {
		return "user:" + user
	}
	return "session:" + c.session()
}
