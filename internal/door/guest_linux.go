package door

import (
	"net/netip"
	"time"
)

// guest is a connection whose head is not whole, or that is on its way out. There may be as many as there are descriptors.
type guest struct {
	prev, next *guest
	addr       netip.Addr
	head       []byte // that has come
	came       time.Duration
	fd         int32
	place      uint32
	port       uint16
	leaving    bool
}

// list is guests in the order in which they came.
type list struct {
	first, last *guest
	n           int
}

func (l *list) push(g *guest) {
	g.prev, g.next = l.last, nil
	if l.last != nil {
		l.last.next = g
	} else {
		l.first = g
	}
	l.last = g
	l.n++
}

func (l *list) remove(g *guest) {
	if g.prev != nil {
		g.prev.next = g.next
	} else {
		l.first = g.next
	}
	if g.next != nil {
		g.next.prev = g.prev
	} else {
		l.last = g.prev
	}
	g.prev, g.next = nil, nil
	l.n--
}

// busyList is the exchanges under way, in any order.
type busyList struct{ first *exchange }

func (l *busyList) push(x *exchange) {
	x.prev, x.next = nil, l.first
	if l.first != nil {
		l.first.prev = x
	}
	l.first = x
}

func (l *busyList) remove(x *exchange) {
	if x.prev != nil {
		x.prev.next = x.next
	} else {
		l.first = x.next
	}
	if x.next != nil {
		x.next.prev = x.prev
	}
	x.prev, x.next = nil, nil
}
