package hub

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"strings"
	"unicode/utf8"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/protocol"
)

// The name of a session, as the welcome tells it and the next hello gives it back, is the ID of the first connection, a dot,
// and something that cannot be guessed: nobody else can name the session, though IDs are known to others. Hubs
// keep nothing of it, and need not know each other's secrets. Of a long ID only the beginning is there.
const (
	sessionProof = 22
	sessionID    = protocol.MaxSession - sessionProof - len(".")
)

// sessionSecret is what this hub makes them from: the number of a connection, encrypted, which is as good as random to whoever
// has not the key. A hash would do as well, but needs more stack than the handshake's goroutine has left.
type sessionSecret struct{ cipher.Block }

func newSessionSecret() sessionSecret {
	var key [16]byte
	_, _ = rand.Read(key[:]) // never fails
	b, err := aes.NewCipher(key[:])
	if err != nil {
		panic("hub: " + err.Error()) // the key has a length that AES knows
	}
	return sessionSecret{b}
}

// of names the session that begins with a connection.
func (s sessionSecret) of(id string, num uint64) string {
	if len(id) > sessionID {
		id = strings.ToValidUTF8(id[:sessionID], "")
	}
	proof := make([]byte, aes.BlockSize, aes.BlockSize+len(id)+len(".")+sessionProof) // the name is built behind it
	binary.LittleEndian.PutUint64(proof, num)
	s.Encrypt(proof, proof)
	return string(base64.RawURLEncoding.AppendEncode(append(append(proof, id...), '.'), proof)[aes.BlockSize:])
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
	return c.hub.sessions.of(c.ID(), c.entry.Num)
}

// sessionTag is the name of the client's session as messages carry it that the session is not sent. The broker keeps it and the
// application can read it, so that it tells nobody the session's own name. It is what may be shown of that, for most
// comparisons to be cheap, a dot and a hash.
func (c *Conn) sessionTag() string { return tagOf(c.session()) }

func tagOf(session string) string {
	sum := sha256.Sum256([]byte(session))
	return base64.RawURLEncoding.EncodeToString(sum[:16]) + "." + tagLabel(session)
}

// tagLabel is empty for a name that the client has chosen.
func tagLabel(session string) string {
	if label := sessionLabel(session); label != session {
		return label
	}
	return ""
}

// Excepted implements frame.Excepter: who is the broker.Except of a message.
func (e *endpoint) Excepted(who any) bool {
	x, ok := who.(*broker.Except)
	return ok && (*Conn)(e).excepted(x)
}

func (c *Conn) excepted(e *broker.Except) bool {
	c.mu.Lock()
	session := ""
	if c.extra != nil {
		session = c.extra.session
	}
	c.mu.Unlock()
	if e.Conn != "" && (c.hub.connNum(e.Conn) == c.entry.Num || session != "" && tagLabel(session) == e.Conn) {
		return true
	}
	_, label, ok := strings.Cut(e.Session, ".")
	switch {
	case !ok:
		return false
	case session != "":
		return tagLabel(session) == label && tagOf(session) == e.Session
	case c.hub.connNum(label) == c.entry.Num:
	case len(label) <= sessionID-utf8.UTFMax || !strings.HasPrefix(c.ID(), label): // of a long ID the beginning is there
		return false
	}
	return c.sessionTag() == e.Session
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
