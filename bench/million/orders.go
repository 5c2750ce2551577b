package main

import "time"

// The parts of a trial are processes of this program, which serve what follows over their standard input and
// output with net/rpc. A part ends when its input does, as it does when the one that gave it its orders is gone.

// nodeSpec is what a hub process is told when it starts.
type nodeSpec struct {
	Name, Redis             string
	Interval, Timeout, Tick time.Duration // of the heartbeat
}

// crowdSpec is what a load process is told when it starts.
type crowdSpec struct {
	// First and Conns say which connections of the whole are this process's.
	First, Conns int
	// Rooms is the number of small rooms.
	Rooms int
	// Nodes are the addresses of the hubs; connection i begins with number i / PerNode.
	Nodes   []string
	PerNode int
	// Window is how many connections are on the way at once.
	Window int
	// Beat is how often each client lets itself be heard, unasked; zero for never.
	Beat time.Duration
	// Stream has the clients read event streams, in place of connections of protocol v1.
	Stream bool
}

// None is no argument or no answer.
type None struct{}

// Pace asks a node to publish to small rooms: those of the messages Begin to End-1 that are Share's, of Shares. Every
// message has its time, Begin at Start and Rate a second from then on, and its room: see roomOf.
type Pace struct {
	Rooms, Begin, End int
	Share, Shares     int
	Rate              float64
	Start             time.Time
	Size              int
}

// Paced is what became of that.
type Paced struct {
	// Published messages, and where the newest of each room is.
	Published int
	Tops      map[int]uint64
	// Late is how long after its time the last message was stored.
	Late time.Duration
}

// NodeStats are of one hub.
type NodeStats struct {
	Conns, Rooms, Users int
	Delivered, Dropped  int64
	Replayed, Gaps      int64
	Pings               int64
	Expired             int64
	// Closed connections, by close code.
	Closed     map[int]int64
	Goroutines int
	// Heap and Stack in use and what the runtime has taken from the system, in bytes.
	Heap, Stack, Sys uint64
}

// CrowdStats are of one load process.
type CrowdStats struct {
	// Open connections; Joined memberships of them, two for each.
	Open, Joined int
	// Lost connections, by close code; 1006 without one.
	Lost map[int]int
	// Back is how many of the lost are connected and in both rooms again; Tries what that took.
	Back, Tries int
	// Beats sent unasked; Pings received and answered.
	Beats, Pings int64
	// Common and Small are messages received of the common room and of the small ones.
	Common, Small int64
	// Again is how many joins a hub could not take for now, and were asked for again.
	Again int64
	// Stale is how often a client was told that its hub has lost Redis. Nothing need be lost by it.
	Stale int64
	Faults
	// Fault is the first of them, in words.
	Fault string
}

// Faults are what must not happen.
type Faults struct {
	// Missing and Repeated messages of a small room, by offsets that do not follow each other.
	Missing, Repeated int64
	// Gaps that the hub told of, and Refused requests.
	Gaps, Refused int64
	// Strange frames: not of the protocol, or of a room the connection is not in.
	Strange int64
}

func (f Faults) any() bool { return f != Faults{} }

// Latencies are HDR histograms, encoded, of microseconds.
type Latencies struct{ Common, Small, Return []byte }

// Where is where every connection should be by now: with Common messages of the common room, and at the newest
// message of its small room, of which Tops has the offsets.
type Where struct {
	Common int
	Tops   []uint64
}
