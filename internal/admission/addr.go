package admission

import (
	"encoding/binary"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// maxHops is how many trusted proxies in a row are looked behind.
const maxHops = 16

// Addr returns the address of the client: that of the socket, unless it is a trusted proxy. Then X-Forwarded-For is read
// from its right end, where the nearest proxy wrote down whom it had heard from, and the first address that is not
// a trusted proxy is the client's. Whatever stands left of it the client may have made up. An entry
// that is no address ends the search at the proxy that passed it on, and so does the end of the header. An entry may
// have a port, and an IPv6 address brackets. IPv4 in IPv6 is returned as IPv4, and without a zone.
//
// The Forwarded header (RFC 7239) is never read: proxies that do not know it pass on what the client wrote.
//
// The address is invalid where that of the socket cannot be read.
func (g *Gate) Addr(r *http.Request) netip.Addr {
	addr, trusted := g.peer(r)
	if !trusted {
		return addr
	}
	hops := 0
	for _, line := range slices.Backward(r.Header["X-Forwarded-For"]) {
		for more := true; more; {
			var entry string
			comma := strings.LastIndexByte(line, ',')
			entry, more = line[comma+1:], comma >= 0
			if more {
				line = line[:comma]
			}
			next := parseHop(strings.Trim(entry, " \t"))
			if !next.IsValid() || hops == maxHops {
				return addr
			}
			addr = next
			if !g.trusts(addr) {
				return addr
			}
			hops++
		}
	}
	return addr
}

// Relayed reports whether a trusted proxy passed the request on, so that what it says of it may be believed.
func (g *Gate) Relayed(r *http.Request) bool {
	if g == nil {
		return false
	}
	_, trusted := g.peer(r)
	return trusted
}

// peer is the address at the other end of the socket, and whether that is a trusted proxy. A Unix socket has none, whatever
// name its peer is bound to.
func (g *Gate) peer(r *http.Request) (addr netip.Addr, trusted bool) {
	if local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok && local.Network() == "unix" {
		return addr, g != nil && g.conf.TrustUnix
	}
	addr = parseHop(r.RemoteAddr)
	return addr, g != nil && g.trusts(addr)
}

func (g *Gate) trusts(addr netip.Addr) bool {
	for _, p := range g.conf.TrustedProxies {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// parseHop reads an address with or without a port or brackets. It returns the zero Addr for anything else.
func parseHop(s string) netip.Addr {
	var addr netip.Addr
	if inner, ok := strings.CutPrefix(s, "["); ok && strings.HasSuffix(inner, "]") {
		addr, _ = netip.ParseAddr(inner[:len(inner)-1])
		if addr.Is4() {
			return netip.Addr{}
		}
	} else if ok || strings.Count(s, ":") == 1 {
		ap, _ := netip.ParseAddrPort(s)
		addr = ap.Addr()
	} else {
		addr, _ = netip.ParseAddr(s)
	}
	return addr.Unmap().WithZone("")
}

// OriginKey is what connections are counted by: the upper half of an IPv6 address, or an IPv4 address in the
// numbers of ::/32, whose networks nobody has (RFC 4291, section 2.4).
func OriginKey(addr netip.Addr) (key uint64, ok bool) {
	switch {
	case addr.Is4():
		b := addr.As4()
		return uint64(binary.BigEndian.Uint32(b[:])), true
	case addr.Is6():
		b := addr.As16()
		return binary.BigEndian.Uint64(b[:8]), true
	}
	return 0, false
}
