package protocol

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"
)

// Member is one connection present in a room. It has the fields of broker.Member, and each
// converts to the other.
type Member struct {
	// Conn is the connection's ID.
	Conn string `json:"conn"`
	// User is the identity's user. It is empty for an anonymous connection.
	User string `json:"user,omitempty"`
	// Info is any JSON value that the application shows to others, or empty.
	Info json.RawMessage `json:"info,omitempty"`
}

// Presence is the data of the answer to presence.
type Presence struct {
	// Count is the number of all members.
	Count int `json:"count"`
	// Users is the number of distinct users of the members, without anonymous ones. It is zero if the server does not say.
	Users int `json:"users,omitempty"`
	// Members are all members, or as many as the server lists in one answer. An answer to a request for the count has none.
	Members []Member `json:"members"`
	// Next is the cursor of the next page. It is empty if there is none.
	Next string `json:"next,omitempty"`
}

// AppendJoin appends a join event: a member has joined the room. m.Info must be valid JSON or empty.
func AppendJoin(dst []byte, room string, m Member) []byte {
	return appendMemberEvent(append(dst, `{"op":"join"`...), room, m)
}

// AppendLeave appends a leave event: a member has left the room. m.Info must be valid JSON or empty.
func AppendLeave(dst []byte, room string, m Member) []byte {
	return appendMemberEvent(append(dst, `{"op":"leave"`...), room, m)
}

// AppendPresenceChanged appends a presence event: more members joined and left than are sent one by one. count is their
// present number; a negative count is unknown and left out. A client that wants the list waits a random part of spread
// and asks for it.
func AppendPresenceChanged(dst []byte, room string, count int, spread time.Duration) []byte {
	dst = appendTextField(append(dst, `{"op":"presence"`...), `,"room":`, room)
	if count >= 0 {
		dst = strconv.AppendInt(append(dst, `,"data":{"count":`...), int64(count), 10)
		dst = append(dst, '}')
	}
	return append(appendDelay(dst, `,"spread_ms":`, spread), '}')
}

func appendMemberEvent(dst []byte, room string, m Member) []byte {
	dst = appendTextField(dst, `,"room":`, room)
	dst = appendMember(append(dst, `,"data":`...), m)
	return append(dst, '}')
}

func appendMember(dst []byte, m Member) []byte {
	dst = appendString(append(dst, `{"conn":`...), m.Conn)
	dst = appendTextField(dst, `,"user":`, m.User)
	if len(m.Info) > 0 {
		dst = append(append(dst, `,"info":`...), m.Info...)
	}
	return append(dst, '}')
}

// AppendPresence appends p as JSON: the Data of the OK that answers presence.
func AppendPresence(dst []byte, p Presence) []byte { return AppendPresenceWithin(dst, p, math.MaxInt) }

// AppendPresenceWithin is AppendPresence with only the first members that fit in limit bytes. The count is always that of
// p.
func AppendPresenceWithin(dst []byte, p Presence, limit int) []byte {
	dst, _ = appendMembers(dst, p, limit, false)
	return appendNext(dst, p.Next)
}

// AppendPresencePage is AppendPresenceWithin for a client that reads page by page. The members must be in the order of Conn.
// If limit bytes do not hold all of them, the cursor of the next page is the Conn of the last one written. Otherwise it is
// p.Next. The first member is always written, so that a client advances.
func AppendPresencePage(dst []byte, p Presence, limit int) []byte {
	dst, n := appendMembers(dst, p, limit, true)
	if n < len(p.Members) {
		p.Next = p.Members[n-1].Conn
	}
	return appendNext(dst, p.Next)
}

// AppendPresenceCount appends the Data of the OK that answers a request for the count. If users is below 1, it is left out.
func AppendPresenceCount(dst []byte, count, users int) []byte {
	return append(appendNumbers(dst, count, users), '}')
}

func appendNumbers(dst []byte, count, users int) []byte {
	dst = strconv.AppendInt(append(dst, `{"count":`...), int64(count), 10)
	return appendCount(dst, `,"users":`, users)
}

// appendMembers writes as many members as limit allows, and returns how many. A page has at least one, and keeps a place for
// its cursor.
func appendMembers(dst []byte, p Presence, limit int, page bool) ([]byte, int) {
	const end, next = len("]}"), len(`,"next":""`)
	start := len(dst)
	if p.Next != "" && !page {
		limit -= next + len(p.Next)
	}
	dst = append(appendNumbers(dst, p.Count, p.Users), `,"members":[`...)
	for i, m := range p.Members {
		whole := len(dst)
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendMember(dst, m)
		size := len(dst) - start + end
		if page {
			size += next + max(len(m.Conn), len(p.Next))
		}
		if size > limit && (!page || i > 0) {
			return dst[:whole], i
		}
	}
	return dst, len(p.Members)
}

func appendNext(dst []byte, next string) []byte {
	return append(appendTextField(append(dst, ']'), `,"next":`, next), '}')
}

// ParseMember reads the Data of a join or leave event. The result does not refer to data.
func ParseMember(data []byte) (Member, error) {
	var m Member
	if err := json.Unmarshal(data, &m); err != nil {
		return Member{}, fmt.Errorf("protocol: member: %w", err)
	}
	return m, nil
}

// ParsePresence reads the Data of the answer to presence. The result does not refer to data.
func ParsePresence(data []byte) (Presence, error) {
	var p Presence
	if err := json.Unmarshal(data, &p); err != nil {
		return Presence{}, fmt.Errorf("protocol: presence: %w", err)
	}
	return p, nil
}
