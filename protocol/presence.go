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
	// User is empty for an anonymous connection.
	User string `json:"user,omitempty"`
	// Info is any JSON value the application shows to others, or empty.
	Info json.RawMessage `json:"info,omitempty"`
}

// Presence is the data of the answer to presence.
type Presence struct {
	// Count is how many members there are in all.
	Count int `json:"count"`
	// Members are all of them, or as many as the server lists in one answer.
	Members []Member `json:"members"`
}

// AppendJoin appends the frame that tells that a member came. m.Info must be valid JSON or empty.
func AppendJoin(dst []byte, room string, m Member) []byte {
	return appendMemberEvent(append(dst, `{"op":"join"`...), room, m)
}

// AppendLeave appends the frame that tells that a member went. m.Info must be valid JSON or empty.
func AppendLeave(dst []byte, room string, m Member) []byte {
	return appendMemberEvent(append(dst, `{"op":"leave"`...), room, m)
}

// AppendPresenceChanged appends the frame that tells that more members came and went than are told one by one. count is how
// many there are now; a negative one is unknown, and left out. A client that wants the list waits a random part of
// spread and asks for it.
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

// AppendPresenceWithin is AppendPresence of as many of the members, from the first on, as fit in limit bytes. The count is
// always p's.
func AppendPresenceWithin(dst []byte, p Presence, limit int) []byte {
	const end = "]}"
	start := len(dst)
	dst = strconv.AppendInt(append(dst, `{"count":`...), int64(p.Count), 10)
	dst = append(dst, `,"members":[`...)
	for i, m := range p.Members {
		whole := len(dst)
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst = appendMember(dst, m); len(dst)-start+len(end) > limit {
			dst = dst[:whole]
			break
		}
	}
	return append(dst, end...)
}

// ParseMember reads the Data of a join or leave event. It keeps nothing of data.
func ParseMember(data []byte) (Member, error) {
	var m Member
	if err := json.Unmarshal(data, &m); err != nil {
		return Member{}, fmt.Errorf("protocol: member: %w", err)
	}
	return m, nil
}

// ParsePresence reads the Data of the answer to presence. It keeps nothing of data.
func ParsePresence(data []byte) (Presence, error) {
	var p Presence
	if err := json.Unmarshal(data, &p); err != nil {
		return Presence{}, fmt.Errorf("protocol: presence: %w", err)
	}
	return p, nil
}
