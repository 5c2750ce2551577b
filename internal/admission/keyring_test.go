package admission

import (
	"encoding/base64"
	"testing"
	"time"
)

func TestKeyring(t *testing.T) {
	const life = time.Hour
	now := time.Unix(1_800_000_000, 0)
	old, current := []byte("a key of the past"), []byte("the key in force ")
	before, after := NewKeyring(life, old), NewKeyring(life, current, old)
	other := NewKeyring(life, []byte("somebody else's key"))
	ticket := before.Issue(now)
	if got := base64.RawURLEncoding.EncodedLen(ticketSize); len(ticket) != got {
		t.Errorf("a ticket of %d characters, want %d", len(ticket), got)
	}
	forged := func(change func(b []byte)) string {
		b, err := base64.RawURLEncoding.DecodeString(ticket)
		if err != nil {
			t.Fatal(err)
		}
		change(b)
		return base64.RawURLEncoding.EncodeToString(b)
	}
	for _, tt := range []struct {
		name   string
		ring   *Keyring
		ticket string
		after  time.Duration
		want   Verdict
	}{
		{"its own", before, ticket, 0, TicketValid},
		{"at the end of its life", before, ticket, life, TicketValid},
		{"a minute later", before, ticket, life + time.Minute, TicketExpired},
		{"after a rotation", after, ticket, 0, TicketValid},
		{"of the new key, at a node that has only the old one", before, after.Issue(now), 0, TicketInvalid},
		{"another's", other, ticket, 0, TicketInvalid},
		{"empty", before, "", 0, TicketInvalid},
		{"the claim of old", before, "1", 0, TicketInvalid},
		{"no base64", before, "!" + ticket[1:], 0, TicketInvalid},
		{"too long", before, ticket + "AAAA", 0, TicketInvalid},
		{"of another version", before, forged(func(b []byte) { b[0]++ }), 0, TicketInvalid},
		{"a later expiry", before, forged(func(b []byte) { b[1]++ }), 0, TicketInvalid},
		{"another signature", before, forged(func(b []byte) { b[20] ^= 1 }), 0, TicketInvalid},
	} {
		if got := tt.ring.Check(tt.ticket, now.Add(tt.after)); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
	// Keys may change while the keyring is in use.
	other.Use(old)
	if other.Issue(now) != ticket || other.Check(ticket, now) != TicketValid {
		t.Error("the new key is not in use")
	}
	if n := testing.AllocsPerRun(100, func() { _ = before.Issue(now) }); n != 0 {
		t.Errorf("issuing another ticket of the same minute: %v allocations", n)
	}
}

func BenchmarkIssue(b *testing.B) {
	k := NewKeyring(time.Hour, make([]byte, 32))
	for b.Loop() {
		_ = k.Issue(time.Now())
	}
}

func BenchmarkCheck(b *testing.B) {
	k := NewKeyring(time.Hour, make([]byte, 32))
	ticket := k.Issue(time.Now())
	b.ReportAllocs()
	for b.Loop() {
		if k.Check(ticket, time.Now()) != TicketValid {
			b.Fatal("not valid")
		}
	}
}
