package hub

import (
	"fmt"
	"strings"
	"time"

	"github.com/gohubkit/hubkit/internal/core/codec"
	"github.com/gohubkit/hubkit/internal/core/expire"
	"github.com/gohubkit/hubkit/protocol"
)

// right is what may end while a connection lasts: its identity, or with a grant its right to be in a room.
type right struct {
	conn  *Conn
	grant *grant
}

// grantee is a Conn as the holder of rights that end.
type grantee Conn

// identity is an Identity as a connection keeps it. If it is only a user's name, it takes no space for the rest.
type identity struct {
	user string
	more *identityMore // nil for most
}

// identityMore has the fields that few identities set.
type identityMore struct {
	info    []byte
	expires time.Time // zero for never
}

// kept is what a connection keeps of an identity. The user's name may be part of a cookie or of a URL, and is taken out of it.
func (id *Identity) kept() *identity {
	k := &identity{user: strings.Clone(id.User)}
	if id.Info != nil || !id.ExpiresAt.IsZero() {
		k.more = &identityMore{info: id.Info, expires: id.ExpiresAt}
	}
	return k
}

// errExpired refuses an identity of the authenticator that has expired already, and errTokenExpired one of the token verifier.
var (
	// errExpired refuses an identity of the authenticator that has expired already. errTokenExpired refuses one of the
	// token verifier.
	errExpired      = fmt.Errorf("%w: the identity has expired already", ErrUnauthorized)
	errTokenExpired = &CloseError{Code: protocol.CloseTokenExpired, Reason: "token expired", Err: errExpired}
)

// expired reports whether an end has come.
func expired(at time.Time) bool { return !at.IsZero() && time.Until(at) <= 0 }

// is gives the connection another identity, and sets its end. It reports false if the connection is closing already.
func (o *grantee) is(id Identity) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.state.at() >= closing {
		return false
	}
	before := o.identity.Swap(id.kept())
	o.setEnd(before)
	return true
}

// setEnd schedules the end of the identity.
func (o *grantee) setEnd(before *identity) {
	now, r := o.identity.Load(), right{conn: (*Conn)(o)}
	switch {
	case now.ends():
		o.hub.setEnd(r, now.more.expires)
	case before.ends():
		o.hub.rights.Remove(r)
	}
}

func (id *identity) ends() bool { return id != nil && id.more != nil && !id.more.expires.IsZero() }

// setEnd schedules the end of a right.
func (h *Hub) setEnd(r right, at time.Time) {
	h.rights.Set(r, time.Until(at))
	if r.conn.state.at() == closed { // teardown may have come before
		h.rights.Remove(r)
	}
}

// endRights is called once, for a connection that is closed.
func (o *grantee) endRights() {
	if o.identity.Load().ends() {
		o.hub.rights.Remove(right{conn: (*Conn)(o)})
	}
	if !o.state.has(boundMark) {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, g := range (*Conn)(o).more().grants {
		o.disarm(g)
	}
}

// validFor is how long the identity is valid; zero for ever.
func (o *grantee) validFor() time.Duration {
	if !o.identity.Load().ends() {
		return 0
	}
	left, _ := o.hub.rights.Left(right{conn: (*Conn)(o)})
	return max(left, time.Millisecond) // a client takes zero for ever
}

// due is called by the wheel of rights.
func (h *Hub) due(rights []expire.Due[right]) {
	for _, d := range rights {
		(*grantee)(d.Key.conn).rightDue(d)
	}
}

func (o *grantee) rightDue(d expire.Due[right]) {
	defer (*ending)(o).rescue()
	g := d.Key.grant
	switch {
	case d.Event == expire.Ask && g == nil:
		o.askForToken("", d.Left)
		return
	case d.Event == expire.Ask:
		o.askForToken(g.room, d.Left)
		return
	case g != nil:
		o.hub.life.RunFor((*endpoint)(o), func() { o.grantEnds(g) })
		return
	}
	(*Conn)(o).closeUnless(&CloseError{Code: protocol.CloseTokenExpired, Reason: "token expired"}, func() bool {
		_, renewed := o.hub.rights.Left(d.Key) // meanwhile
		return renewed || !o.identity.Load().ends()
	})
}

// askForToken asks the client for a new token, if the hub takes one.
func (o *grantee) askForToken(room string, left time.Duration) {
	if o.hub.conf.verifyToken != nil && o.state.has(greetedMark) {
		(*Conn)(o).send(func(dst []byte, x codec.Codec) []byte { return x.Refresh(dst, room, left) })
	}
}
