// Package plan says what a load test does: the command line, checked, in the form that is handed to the
// processes that carry it out.
package plan

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// A Mode is how much is known of the server.
type Mode string

// The modes. All but Hub work with any WebSocket server.
const (
	// Hub speaks the hubkit wire protocol: rooms are joined, publishes answered, losses known.
	Hub Mode = "hub"
	// Connect opens connections, and pings them.
	Connect Mode = "connect"
	// Echo sends messages that come back to their sender.
	Echo Mode = "echo"
	// Broadcast sends messages that come to everybody in the room.
	Broadcast Mode = "broadcast"
)

// Placeholders in URLs, room names, first frames and frames.
const (
	HoldConn    = "{conn}"
	HoldRoom    = "{room}"
	HoldPayload = "{payload}"
)

// A Plan is a load test. Connections are numbered over all processes: process p of n has those whose number is p
// modulo n, and one target.
type Plan struct {
	Targets  []string `json:"targets"`
	Mode     Mode     `json:"mode"`
	Procs    int      `json:"procs"`
	Conns    int      `json:"conns"`
	Ramp     float64  `json:"ramp"` // connections a second; 0: as many as come
	Inflight int      `json:"inflight"`

	Room         string        `json:"room"`
	Rooms        int           `json:"rooms"`
	RoomsPerConn int           `json:"rooms_per_conn"`
	Rate         float64       `json:"rate"` // messages a second; 0: none
	Size         int           `json:"size"` // bytes
	Duration     time.Duration `json:"duration_ns"`
	Publishers   int           `json:"publishers"` // connections of each room that publish

	Subprotocol string      `json:"subprotocol"`
	Token       string      `json:"-"`
	Header      http.Header `json:"-"`
	Hello       []string    `json:"hello,omitempty"`
	Frame       string      `json:"frame,omitempty"`
	Insecure    bool        `json:"insecure,omitempty"`
	Portable    bool        `json:"portable,omitempty"`

	ConnectTimeout time.Duration `json:"connect_timeout_ns"`
	PingEvery      time.Duration `json:"ping_every_ns"`
	Grace          time.Duration `json:"grace_ns"`
	Reconnect      bool          `json:"reconnect"`
	Sources        []string      `json:"sources,omitempty"`

	// Run is a random number that is in every payload, so that messages of another run are not counted.
	Run uint32 `json:"run"`
}

// Interval is how often processes report: often enough for a chart of a short test, seldom enough for a file of a
// long one.
func (p *Plan) Interval() time.Duration {
	return min(max((p.Duration/300).Truncate(500*time.Millisecond), 500*time.Millisecond), 10*time.Second)
}

// Patience is how long connecting may take before the test goes on with what there is: twice what the ramp asks
// for, and 30 s.
func (p *Plan) Patience() time.Duration {
	rate := p.Ramp
	if rate == 0 {
		rate = 1000
	}
	return time.Duration(2*float64(p.Conns)/rate*float64(time.Second)) + 30*time.Second
}

// Share is the number of connections of process p.
func (p *Plan) Share(proc int) int { return (p.Conns - proc + p.Procs - 1) / p.Procs }

// Room r is joined by connection c with membership m = c·RoomsPerConn+j where r is m modulo Rooms.

// RoomOf returns the j-th room of a connection.
func (p *Plan) RoomOf(conn, j int) int { return (conn*p.RoomsPerConn + j) % p.Rooms }

// Place returns which of its connection's rooms room r is, and whether it is one.
func (p *Plan) Place(conn, room int) (j int, ok bool) {
	j = ((room-conn*p.RoomsPerConn)%p.Rooms + p.Rooms) % p.Rooms
	return j, j < p.RoomsPerConn
}

// Publisher returns the connection that is the k-th to publish in a room.
func (p *Plan) Publisher(room, k int) int { return (room + k*p.Rooms) / p.RoomsPerConn }

// Streams is the number of sequences of messages; stream s is the s/Rooms-th of room s modulo Rooms. With Echo
// each connection is one.
func (p *Plan) Streams() int {
	if p.Mode == Echo {
		return p.Conns
	}
	return p.Rooms * p.Publishers
}

// RoomName is the name of a room: with one room Room itself.
func (p *Plan) RoomName(room int) string {
	if p.Rooms == 1 {
		return p.Room
	}
	return p.Room + "-" + strconv.Itoa(room)
}

// Fill puts a connection's number and its first room into a text that has places for them.
func (p *Plan) Fill(text string, conn int) string {
	if !strings.Contains(text, "{") {
		return text
	}
	return strings.NewReplacer(HoldConn, strconv.Itoa(conn), HoldRoom, p.RoomName(p.RoomOf(conn, 0))).Replace(text)
}
