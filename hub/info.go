package hub

import (
	"time"

	"github.com/gohubkit/hubkit/internal/core/codec"
	"github.com/gohubkit/hubkit/protocol"
)

// ConnInfo is what a hub knows of a connection. It is plain data that encoding/json encodes as it is. Its address is
// personal data.
type ConnInfo struct {
	// ID is what Conn.ID returns, and Session what Conn.Session returns. Node is the name of the connection's node.
	ID      string `json:"id"`
	Session string `json:"session"`
	Node    string `json:"node"`
	// User is that of the connection's Identity; empty for an anonymous one. IdentityExpires is when the identity ends;
	// absent for never. Identity.Info is left out, because it may be large and a page has many connections; Conn.Identity
	// returns it.
	User            string    `json:"user,omitempty"`
	IdentityExpires time.Time `json:"identity_expires,omitzero"`
	// State is "handshaking", "open", "closing" or "closed".
	State string `json:"state"`
	// Addr is what Conn.ClientAddr returns; empty for a Unix socket.
	Addr string `json:"addr,omitempty"`
	// Transport is "websocket" or "sse", or "post" in a callback for a request of Post. Protocol is the subprotocol
	// that the client has chosen, "raw" on a raw hub, and empty for a client of protocol v1 that has chosen none.
	Transport string `json:"transport"`
	Protocol  string `json:"protocol,omitempty"`
	// Codec is "json" or "cbor", or "raw" on a raw hub.
	Codec string `json:"codec"`
	// Compressed is set if the hub compresses what it sends: permessage-deflate, or gzip on an event stream.
	Compressed bool `json:"compressed"`
	// Since is when the handshake was answered, exact to 32 ms. LastMessage is when the client's last message came. If none
	// has come, it is Since. Pings and pongs do not count as messages. LastMessage is wrong after 24 days of silence.
	Since       time.Time `json:"since"`
	LastMessage time.Time `json:"last_message"`
	// RoomCount is how many rooms the connection is in. Rooms names them, in the order in which it joined them. Pages
	// of InspectConns name at most the first 20, unless ConnQuery.Conn names the connection.
	RoomCount int      `json:"room_count"`
	Rooms     []string `json:"rooms"`
	// ReceivedBytes, ReceivedMessages, SentBytes and SentMessages are those of ConnStats.
	ReceivedBytes    int64 `json:"received_bytes"`
	ReceivedMessages int64 `json:"received_messages"`
	SentBytes        int64 `json:"sent_bytes"`
	SentMessages     int64 `json:"sent_messages"`
	// Delivered, Dropped, Conflated, BacklogMessages, BacklogBytes and Replaying are those of ConnStats.
	Delivered       int64 `json:"delivered"`
	Dropped         int64 `json:"dropped"`
	Conflated       int64 `json:"conflated"`
	BacklogMessages int   `json:"backlog_messages"`
	BacklogBytes    int   `json:"backlog_bytes"`
	Replaying       int   `json:"replaying"`
}

// Info returns what the hub knows of the connection. It does not block. After the connection's end it returns what was
// known then. In OnHandshake, State is "handshaking", and other methods do not list the connection yet.
func (c *Conn) Info() ConnInfo {
	h, id, stats := c.hub, c.Identity(), c.Stats()
	now := h.now()
	moment := time.Now()
	i := ConnInfo{
		ID:              c.ID(),
		Session:         c.Session(),
		Node:            h.node,
		User:            id.User,
		IdentityExpires: id.ExpiresAt,
		State:           c.state.at().String(),
		Transport:       c.transport(),
		Protocol:        c.protocol(),
		Codec:           c.codecName(),
		Compressed:      c.state.has(deflateMark) || c.writer.Form() == codec.FormSSEGzip,
		Since:           moment.Add(-c.age(now)),
		Rooms:           c.Rooms(),
		Delivered:       stats.Delivered,
		Dropped:         stats.Dropped,
		Conflated:       stats.Conflated,
		BacklogMessages: stats.BacklogMessages,
		BacklogBytes:    stats.BacklogBytes,
		Replaying:       stats.Replaying,

		ReceivedBytes:    stats.ReceivedBytes,
		ReceivedMessages: stats.ReceivedMessages,
		SentBytes:        stats.SentBytes,
		SentMessages:     stats.SentMessages,
	}
	if addr := c.ClientAddr(); addr.IsValid() {
		i.Addr = addr.String()
	}
	silent := uint32(now/time.Millisecond) - c.lastMessage.Load()
	i.LastMessage = moment.Add(-time.Duration(max(0, int32(silent))) * time.Millisecond)
	i.RoomCount = len(i.Rooms)
	return i
}

func (c *Conn) transport() string {
	if _, ok := c.writer.Conn().(nowhere); ok {
		return "post"
	}
	if c.kind == events {
		return "sse"
	}
	return "websocket"
}

func (c *Conn) protocol() string {
	switch {
	case c.kind == raw:
		return "raw"
	case c.kind != v1:
		return ""
	case c.writer.Form() == codec.FormCBOR:
		return protocol.SubprotocolCBOR
	default:
		return protocol.Subprotocol
	}
}

func (c *Conn) codecName() string {
	switch {
	case c.kind == raw:
		return "raw"
	case c.writer.Form() == codec.FormCBOR:
		return "cbor"
	default:
		return "json"
	}
}

var stateNames = [...]string{handshaking: "handshaking", open: "open", closing: "closing", closed: "closed"}

func (s state) String() string { return stateNames[s] }

// RoomInfo is what one node knows of a room. It is plain data that encoding/json encodes as it is.
type RoomInfo struct {
	Name string `json:"name"`
	Node string `json:"node"`
	// Members is how many connections are in the room on Node.
	Members int `json:"members"`
	// Rule is the pattern of the WithRooms that applies to the room; empty if none matches.
	Rule     string `json:"rule,omitempty"`
	History  bool   `json:"history"`
	Presence bool   `json:"presence"`
}

// Room returns what this node knows of a room. Members is zero if no connection of the node is in it. It does not
// block.
func (h *Hub) Room(name string) RoomInfo {
	members := 0
	if r := h.rooms.Find(name); r != nil {
		members = r.Len()
	}
	return h.roomInfo(name, members)
}

func (h *Hub) roomInfo(name string, members int) RoomInfo {
	r := h.rule(name)
	return RoomInfo{
		Name: name, Node: h.node, Members: members,
		Rule: r.pattern, History: r.Retention.Enabled(), Presence: r.Presence,
	}
}
