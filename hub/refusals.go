package hub

import (
	"fmt"
	"net/http"
	"sync/atomic"

	"github.com/gohubkit/hubkit/internal/admission"
)

// RefusalReason says why a handshake, or a request of Post, was refused.
type RefusalReason uint8

const (
	// RefusedRequest: the request is no WebSocket handshake. For Post and SSE: its method is wrong, or the hub is raw.
	RefusedRequest RefusalReason = iota
	// RefusedOrigin: the page may not connect; see WithOrigins.
	RefusedOrigin
	// RefusedDraining: the hub is being shut down.
	RefusedDraining
	// RefusedRate: the rate of WithAdmission is exhausted.
	RefusedRate
	// RefusedCapacity: the node has as many connections as allowed; see WithMaxConns.
	RefusedCapacity
	// RefusedAddress: the client's address has as many connections as allowed; see WithMaxPerIP.
	RefusedAddress
	// RefusedHandshakes: as many handshakes, or requests of Post, are under way as allowed; see WithMaxHandshakes.
	RefusedHandshakes
	// RefusedUnauthorized: the application answered 401.
	RefusedUnauthorized
	// RefusedForbidden: the application answered 403.
	RefusedForbidden
	// RefusedByApplication: the application answered another status below 500.
	RefusedByApplication
	// RefusedUnavailable: a callback of the application failed, panicked, or asked the client to try again later.
	RefusedUnavailable
	// RefusedUpgrade: the handshake failed after it was allowed: its headers are faulty, the client has left, or the
	// ResponseWriter cannot be hijacked.
	RefusedUpgrade

	refusalReasons = iota
)

var refusalNames = [refusalReasons]string{
	"request", "origin", "draining", "rate", "capacity", "address", "handshakes",
	"unauthorized", "forbidden", "application", "unavailable", "upgrade",
}

// String returns the reason as a label: lower case, words joined by underscores.
func (r RefusalReason) String() string {
	if int(r) < len(refusalNames) {
		return refusalNames[r]
	}
	return fmt.Sprintf("RefusalReason(%d)", uint8(r))
}

// refusalCounts counts refusals by reason.
type refusalCounts [refusalReasons]atomic.Int64

// all returns the counts of every reason, and their sum.
func (c *refusalCounts) all() (by map[RefusalReason]int64, sum int64) {
	by = make(map[RefusalReason]int64, refusalReasons)
	for i := range c {
		n := c[i].Load()
		by[RefusalReason(i)] = n
		sum += n
	}
	return by, sum
}

// gateReason is the reason of the gate's refusal.
func gateReason(why admission.Reason) RefusalReason {
	switch why {
	case admission.PerAddress:
		return RefusedAddress
	case admission.AtCapacity:
		return RefusedCapacity
	case admission.Handshakes:
		return RefusedHandshakes
	}
	return RefusedRate
}

// verdictReason is the reason of the application's refusal, by the status of its answer.
func verdictReason(status int) RefusalReason {
	switch {
	case status == http.StatusUnauthorized:
		return RefusedUnauthorized
	case status == http.StatusForbidden:
		return RefusedForbidden
	case status < http.StatusInternalServerError:
		return RefusedByApplication
	}
	return RefusedUnavailable
}
