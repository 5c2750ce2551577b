package protocol

// Subprotocol is the WebSocket subprotocol of this version.
const Subprotocol = "hubkit.v1"

// Op is the operation of a frame.
type Op uint8

// The ops. Clients send OpPresence, OpJoin and OpLeave as requests, and servers send them as events.
const (
	// OpUnknown stands for an op that this version does not know, or for none.
	OpUnknown Op = iota

	OpHello   // client: the first frame of a client of the subprotocol
	OpPublish // client: publish to a room
	OpCall    // client: call a method of the application
	OpSend    // client: a message to the application
	OpPing    // client: answered by ok
	OpToken   // client: a new token, for the identity or for one room
	OpHistory // client: read the history of a room

	OpPresence // client: list the members of a room; server: more members joined and left than are sent one by one
	OpJoin     // client: join a room; server: a member joined
	OpLeave    // client: leave a room; server: a member left

	OpWelcome // server: the connection is ready
	OpOK      // server: the request succeeded
	OpError   // server: the request failed
	OpMessage // server: a message, of a room or to this connection
	OpGap     // server: messages of a room are lost for this client
	OpSkip    // server: a message of a room is not for this client
	OpJoined  // server: the server has put the connection into a room
	OpLeft    // server: the client is no longer in a room
	OpRefresh // server: send a new token
	OpStale   // server: the node does not receive from the other nodes
	OpLive    // server: the node receives from them again
	OpGoAway  // server: reconnect soon
)

var opNames = [...]string{
	OpUnknown:  "unknown",
	OpHello:    "hello",
	OpPublish:  "publish",
	OpCall:     "call",
	OpSend:     "send",
	OpPresence: "presence",
	OpPing:     "ping",
	OpToken:    "token",
	OpHistory:  "history",
	OpJoin:     "join",
	OpLeave:    "leave",
	OpWelcome:  "welcome",
	OpOK:       "ok",
	OpError:    "error",
	OpMessage:  "message",
	OpGap:      "gap",
	OpSkip:     "skip",
	OpJoined:   "joined",
	OpLeft:     "left",
	OpRefresh:  "refresh",
	OpStale:    "stale",
	OpLive:     "live",
	OpGoAway:   "goaway",
}

// String returns the op as in a frame, and "unknown" for any other value.
func (o Op) String() string {
	if int(o) < len(opNames) {
		return opNames[o]
	}
	return opNames[OpUnknown]
}

// Request reports whether clients send the op.
func (o Op) Request() bool { return o >= OpHello && o <= OpLeave }

// Event reports whether servers send the op.
func (o Op) Event() bool { return o >= OpPresence && o <= OpGoAway }

// lookupOp is a switch because the compiler turns it into comparisons that allocate nothing.
func lookupOp(name []byte) Op {
	switch string(name) {
	case "hello":
		return OpHello
	case "publish":
		return OpPublish
	case "call":
		return OpCall
	case "send":
		return OpSend
	case "presence":
		return OpPresence
	case "ping":
		return OpPing
	case "token":
		return OpToken
	case "history":
		return OpHistory
	case "join":
		return OpJoin
	case "leave":
		return OpLeave
	case "welcome":
		return OpWelcome
	case "ok":
		return OpOK
	case "error":
		return OpError
	case "message":
		return OpMessage
	case "gap":
		return OpGap
	case "skip":
		return OpSkip
	case "joined":
		return OpJoined
	case "left":
		return OpLeft
	case "refresh":
		return OpRefresh
	case "stale":
		return OpStale
	case "live":
		return OpLive
	case "goaway":
		return OpGoAway
	}
	return OpUnknown
}
