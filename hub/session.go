package hub

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
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
