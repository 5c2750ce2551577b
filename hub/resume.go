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
	// ticketLife is how long a resume ticket is valid, from the welcome on, without a maximum connection age.
	ticketLife = 30 * 24 * time.Hour
	// ticketWindow is how long a ticket is valid after its connection has reached the maximum age.
	ticketWindow = time.Hour

	resumeKeySize = 32
	// resumeKeyName is the name under which the broker keeps the key.
	resumeKeyName = "resume"
	// resumeKeyRetry is how long the hub waits before it asks the broker for the key again.
	resumeKeyRetry = 5 * time.Second
	// resumeKeyEvery is how often the hub checks that the broker still has the key.
	resumeKeyEvery = 10 * time.Minute
)

// tickets are the resume tickets of a hub. A hub without a bound on its rate of admission has none: nil.
type tickets struct {
	ring                    *admission.Keyring
	own                     []byte // the key that signs until there is another
	valid, invalid, expired atomic.Int64
}

// newTickets returns a keyring of the option's keys. Without them the key is random, until shareResumeKey has that of
// the broker.
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

// keySharer makes this node and the others of its broker accept each other's tickets. If the broker has lost the key,
// it gets the key back. The node still accepts tickets that it signed with an earlier key.
type keySharer struct {
	hub     *Hub
	secrets broker.Secrets
	key     []byte
	told    bool          // that the broker gave none
	next    time.Duration // on the hub's clock: when to ask again
	cancel  context.CancelFunc
	ctx     context.Context //nolint:containedctx // it ends what the repeater has under way
	*repeater
}

// shareResumeKey returns nil if there is no key to share.
func (h *Hub) shareResumeKey() *keySharer {
	secrets, ok := h.broker.(broker.Secrets)
	if !ok || h.tickets == nil || h.tickets.own == nil {
		return nil
	}
	k := &keySharer{hub: h, secrets: secrets, key: h.tickets.own}
	k.ctx, k.cancel = context.WithCancel(h.ctx)
	k.repeater = repeatNow(h, resumeKeyRetry, k.share)
	return k
}

// close returns when nothing is under way. k may be nil.
func (k *keySharer) close() {
	if k != nil {
		k.cancel()
		k.repeater.close()
	}
}

func (k *keySharer) share() {
	h := k.hub
	if h.now() < k.next {
		return
	}
	ctx, cancel := context.WithTimeout(k.ctx, requestTimeout)
	defer cancel()
	shared, err := k.secrets.Secret(ctx, resumeKeyName, k.key)
	if err != nil || len(shared) < minResumeKey {
		if !k.told && k.ctx.Err() == nil {
			h.log.Warn("sharing the key of resume tickets failed: other nodes may reject this node's tickets until a retry succeeds", "err", err)
		}
		k.told = true
		return
	}
	if !bytes.Equal(shared, k.key) {
		h.tickets.ring.Use(shared, k.key)
		k.key = shared
	}
	k.told, k.next = false, h.now()+resumeKeyEvery
}

// resumes reports whether the request has a valid ticket.
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
