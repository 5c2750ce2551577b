package registry

// userTable is a hash table with open addressing and linear probing: an entry is a tag, which is a hash of the user's name, and
// the first of the user's connections. A map would have the name too, and more space that is free. The zero userTable is empty.
type userTable[C comparable] struct {
	heads []C // the zero C is a free place
	tags  []uint32
	n     int
}

// A table is full at four fifths, and then grows by an eighth: on average 76% of it is in use. It shrinks when a quarter is.
const (
	leastUsers  = 8
	fullUsers   = 5 // parts, of which 4 may be in use
	growUsers   = 8 // a part of this many is added
	sparseUsers = 4 // a part of this many is too little
)

// home is where an entry would be if no other was in its way.
func (t *userTable[C]) home(tag uint32) int { return int(uint64(tag) * uint64(len(t.heads)) >> 32) }

// find returns the place of the entry with a tag that is the one; -1 if there is none.
func (t *userTable[C]) find(tag uint32, is func(C) bool) int {
	if t.n == 0 {
		return -1
	}
	var none C
	for at := t.home(tag); t.heads[at] != none; at = t.after(at) {
		if t.tags[at] == tag && is(t.heads[at]) {
			return at
		}
	}
	return -1
}

func (t *userTable[C]) after(at int) int {
	if at++; at < len(t.heads) {
		return at
	}
	return 0
}

// add adds an entry that is not there.
func (t *userTable[C]) add(tag uint32, head C) {
	if (t.n+1)*fullUsers > len(t.heads)*(fullUsers-1) {
		t.resize(max(leastUsers, len(t.heads)+len(t.heads)/growUsers))
	}
	t.put(tag, head)
	t.n++
}

func (t *userTable[C]) put(tag uint32, head C) {
	var none C
	at := t.home(tag)
	for t.heads[at] != none {
		at = t.after(at)
	}
	t.heads[at], t.tags[at] = head, tag
}

// remove removes the entry at a place. Those behind it move up, as far as that brings them no further up than their home.
func (t *userTable[C]) remove(at int) {
	var none C
	t.n--
	for next := t.after(at); t.heads[next] != none; next = t.after(next) {
		if home := t.home(t.tags[next]); t.distance(home, next) >= t.distance(at, next) {
			t.heads[at], t.tags[at] = t.heads[next], t.tags[next]
			at = next
		}
	}
	t.heads[at] = none
	switch {
	case t.n == 0:
		t.heads, t.tags = nil, nil
	case len(t.heads) > leastUsers && t.n*sparseUsers < len(t.heads):
		t.resize(max(leastUsers, len(t.heads)/2))
	}
}

// distance is how many places there are from one to another.
func (t *userTable[C]) distance(from, to int) int {
	if to < from {
		to += len(t.heads)
	}
	return to - from
}

func (t *userTable[C]) resize(size int) {
	heads, tags := t.heads, t.tags
	t.heads, t.tags = make([]C, size), make([]uint32, size)
	var none C
	for i, c := range heads {
		if c != none {
			t.put(tags[i], c)
		}
	}
}
