package hub

import (
	"bytes"
	"context"
	"crypto/rand"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/internal/admission"
	"github.com/gohubkit/hubkit/protocol"
)

const (
	// ticketLife is how long a resume ticket is valid, from the welcome on, if connections may have any age.
	ticketLife = 30 * 24 * time.Hour
	// ticketWindow is how long after the oldest connection's end its ticket is valid.
	ticketWindow = time.Hour

	resumeKeySize = 32
	// resumeKeyName is what the broker keeps the key under.
	resumeKeyName = "resume"
	// resumeKeyRetry is how long the hub waits before it asks the broker for the key again.
	resumeKeyRetry = 5 * time.Second
	// resumeKeyEvery is how often it looks whether the broker still has it.
	resumeKeyEvery = 10 * time.Minute
)

// tickets are the resume tickets of a hub. Nil means that it has none, since it admits at any rate.
type tickets struct {
	ring                    *admission.Keyring
	own                     []byte // what it signs with until it has another key
	valid, invalid, expired atomic.Int64
}

// newTickets makes a keyring of the option's keys. Without them the key is random, until shareResumeKey has that of the
// broker.
func (c *config) newTickets() *tickets {
	if c.admission.Rate == 0 {
		return nil
	}
	life := ticketLife
	if c.maxAge > 0 {
		life = c.maxAge + ticketWindow
	}
	if len(c.resumeKeys) > 0 {
		return &tickets{ring: admission.NewKeyring(life, c.resumeKeys...)}
	}
	own := make([]byte, resumeKeySize)
	_, _ = rand.Read(own) // never fails
	return &tickets{ring: admission.NewKeyring(life, own), own: own}
}

// shareResumeKey has this node and the others of its broker accept each other's tickets, until the hub is closed. A broker that
// has lost the key gets it back. What the node has signed with a key before, it accepts.
func (h *Hub) shareResumeKey(secrets broker.Secrets) {
	key, told := h.tickets.own, false
	t := time.NewTimer(0)
	defer t.Stop()
	for {
		select {
		case <-h.ctx.Done():
			return
		case <-t.C:
		}
		ctx, cancel := context.WithTimeout(h.ctx, requestTimeout)
		shared, err := secrets.Secret(ctx, resumeKeyName, key)
		cancel()
		switch {
		case err != nil || len(shared) < minResumeKey:
			if !told && h.ctx.Err() == nil {
				h.log.Warn("the broker gave no key for resume tickets: other nodes may not accept those of this one", "err", err)
			}
			told = true
			t.Reset(resumeKeyRetry)
			continue
		case !bytes.Equal(shared, key):
			h.tickets.ring.Use(shared, key)
			key = shared
		}
		told = false
		t.Reset(resumeKeyEvery)
	}
}

// resumes reports whether a client shows a valid ticket.
func (h *Hub) resumes(r *http.Request) bool {
	t := h.tickets
	if t == nil || r.URL.RawQuery == "" {
		return false
	}
	for param := range strings.SplitSeq(r.URL.RawQuery, "&") {
		name, ticket, _ := strings.Cut(param, "=")
		if name != protocol.ResumeParam {
			continue
		}
		switch t.ring.Check(ticket, time.Now()) {
		case admission.TicketValid:
			t.valid.Add(1)
			return true
		case admission.TicketExpired:
			t.expired.Add(1)
		default:
			t.invalid.Add(1)
		}
		return false // one is enough: checking is work
	}
	return false
}

// issue returns the ticket for a welcome, or an empty one.
func (t *tickets) issue() string {
	if t == nil {
		return ""
	}
	return t.ring.Issue(time.Now())
}
