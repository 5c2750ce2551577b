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

// The welcome tells the client a session name, and its next hello repeats it. The name is the ID of the first connection, a
// dot, and a part that cannot be guessed: other clients may know the ID, but cannot name the session. Hubs keep nothing of
// it, and need not know each other's secrets. A long ID is cut to its beginning.
const (
	sessionProof = 22
	sessionID    = protocol.MaxSession - sessionProof - len(".")
)

// sessionSecret makes that part: the number of a connection, encrypted. Without the key it is as good as random. A hash
// would do as well, but needs more stack than the handshake's goroutine has left.
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

// session is the name that the client gives when it reconnects.
func (c *Conn) session() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.extra != nil && c.extra.session != "" {
		return c.extra.session
	}
	return c.hub.sessions.of(c.ID(), c.entry.Num)
}

// sessionTag identifies the client's session in messages that the session does not get. The broker keeps the tag and
// the application can read it, so it must not reveal the session's name. It is a hash, a dot, and the part of the name
// that may be shown, which makes most comparisons cheap.
func (c *Conn) sessionTag() string { return tagOf(c.session()) }

func tagOf(session string) string {
	sum := sha256.Sum256([]byte(session))
	return base64.RawURLEncoding.EncodeToString(sum[:16]) + "." + tagLabel(session)
}

// tagLabel is the part that may be shown; empty for a name that the client has chosen.
func tagLabel(session string) string {
	if label := sessionLabel(session); label != session {
		return label
	}
	return ""
}

// Excepted implements frame.Excepter. who is the broker.Except of a message.
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

// publisher is the owner of the client's idempotency keys: its user, or its session if it is anonymous.
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
