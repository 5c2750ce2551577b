package fanout

import "slices"

// Members calls f for each member, until f returns false. It locks 63 members at a time, and none while f runs. A member that
// stays is visited once; one that leaves meanwhile and joins again may be visited twice.
func (r *Room) Members(f func(Member) bool) {
	r.mu.Lock()
	chunks := slices.Clone(r.chunks)
	r.mu.Unlock()
	var page []Member
	for _, c := range chunks {
		page = c.list(page[:0])
		for _, m := range page {
			if !f(m) {
				return
			}
		}
	}
}

// list appends the members to dst.
func (c *chunk) list(dst []Member) []Member {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append(dst, c.members...)
}
