package admission

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"sync/atomic"
	"time"
)

// Keyring signs the resume tickets by which clients show that they were connected, and checks them without state. A ticket
// is an expiry and its signature, in base64url:
//
//	version (1 byte) | expiry (4 bytes, Unix seconds) | HMAC-SHA-256 of these, truncated (16 bytes)
//
// All tickets of one minute are the same, so that issuing one costs next to nothing. A ticket names nobody and says
// nothing but that some client was welcomed. Its methods may be called from several goroutines.
type Keyring struct {
	life   time.Duration
	keys   atomic.Pointer[[][]byte] // the first signs
	issued atomic.Pointer[issued]
}

type issued struct {
	ticket string
	expiry int64
	keys   *[][]byte
}

// Verdict is what Keyring.Check finds.
type Verdict uint8

// The verdicts.
const (
	// TicketInvalid: none of the keys has signed it.
	TicketInvalid Verdict = iota
	TicketExpired
	TicketValid
)

const (
	ticketVersion = 1
	ticketHead    = 5
	ticketSize    = ticketHead + 16
	// ticketStep is the unit of expiries, in seconds.
	ticketStep = 60
)

// NewKeyring makes a keyring whose tickets are valid for life, rounded up to a minute. The first key signs, and all are
// accepted.
func NewKeyring(life time.Duration, keys ...[]byte) *Keyring {
	k := &Keyring{life: life}
	k.Use(keys...)
	return k
}

// Use replaces the keys.
func (k *Keyring) Use(keys ...[]byte) { k.keys.Store(&keys) }

// Issue returns a ticket.
func (k *Keyring) Issue(now time.Time) string {
	expiry := now.Add(k.life).Unix()/ticketStep*ticketStep + ticketStep
	keys := k.keys.Load()
	if last := k.issued.Load(); last != nil && last.expiry == expiry && last.keys == keys {
		return last.ticket
	}
	var b [ticketSize]byte
	b[0] = ticketVersion
	binary.BigEndian.PutUint32(b[1:], uint32(expiry))
	sign(b[ticketHead:], (*keys)[0], b[:ticketHead])
	next := &issued{ticket: base64.RawURLEncoding.EncodeToString(b[:]), expiry: expiry, keys: keys}
	k.issued.Store(next)
	return next.ticket
}

// Check tells what a ticket is worth.
func (k *Keyring) Check(ticket string, now time.Time) Verdict {
	var b [ticketSize]byte
	if len(ticket) != base64.RawURLEncoding.EncodedLen(ticketSize) {
		return TicketInvalid
	}
	if n, err := base64.RawURLEncoding.Strict().Decode(b[:], []byte(ticket)); err != nil || n != ticketSize || b[0] != ticketVersion {
		return TicketInvalid
	}
	for _, key := range *k.keys.Load() {
		var want [ticketSize - ticketHead]byte
		if sign(want[:], key, b[:ticketHead]); subtle.ConstantTimeCompare(want[:], b[ticketHead:]) == 0 {
			continue
		}
		if now.Unix() >= int64(binary.BigEndian.Uint32(b[1:])) {
			return TicketExpired
		}
		return TicketValid
	}
	return TicketInvalid
}

func sign(dst, key, head []byte) {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("hubkit resume ticket"))
	mac.Write(head)
	var sum [sha256.Size]byte
	copy(dst, mac.Sum(sum[:0]))
}
