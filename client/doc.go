// Package client connects a Go program to a hub over one WebSocket connection. It reconnects when the
// connection is lost, and resumes every room at its last position. It speaks the protocol hubkit.v1.
//
// [New] takes the address, and [Client.Run] connects. All other methods may be called before Run, while it
// runs, and while there is no connection.
//
// # Callbacks
//
// One goroutine makes all callbacks of a client, one at a time and in the order of events. This holds for
// messages, gaps, presence, errors and changes of state. No lock is held.
//
// A slow callback delays only the callbacks behind it, until the inbox ([WithInbox]) is full. Then the client
// stops reading from the server. If the inbox stays full for the timeout of a ping, the client gives up the
// connection. It resumes when the inbox has space.
//
// A callback may call every method of the client except [Client.Close]. If it waits for an answer, use a
// context that ends: answers wait behind a full inbox as well.
//
// # Messages
//
// In a room with history, messages arrive in order and each once, over all connections that Run makes. When the
// client reconnects it names its position, and it drops messages that it has seen. Messages that cannot be
// recovered are reported as a [Gap]. In a room without history, a message is delivered at most once.
//
// [Subscription.Position] returns the position of the last handled message. A program that stores it sees each
// message at least once across its own restarts.
//
// # Rights
//
// The right to be connected, or to be in a room, may expire. The client renews it in place with the function of
// [WithToken] or [RoomToken]: when the server asks, and before it expires.
//
// If the server takes a room away, its subscription ends. OnError receives a [*LeftError], and no reconnect
// restores the room. The program may subscribe again. In a read-only room, a publish fails at once with
// protocol.CodeForbidden.
//
// The server may put the client into rooms. [OnServerJoin] reports them, and [OnRoomMessage] receives their
// messages. The client resumes them by position like its own, with gaps.
//
// # Publications
//
// Publications are sent in the order in which they were made. While there is no connection they wait in a queue
// ([WithQueue]). Every publication carries an idempotency key. If its answer is lost with the connection, the
// client sends it again in its old place, within [WithRetryWindow]. The server stores it once.
//
// A publication that the server answered with an error is not sent again, unless the connection's rate was the
// reason. Calls, sends and queries wait for a connection as well, but are sent at most once. [ErrDisconnected]
// says that a request was sent and not answered.
//
// # Limits
//
// The client keeps to the limits that the server's welcome announces:
//
//   - The hello names as many rooms as the message size and the rate allow. The client joins the other rooms
//     after it.
//   - Resumes and queued requests alternate, at the announced rate ([WithRate]).
//   - A request larger than the server reads fails alone, with protocol.CodeTooLarge.
//   - A room above the maximum number of rooms is joined when the client has left another.
//   - A publication that the server refuses because of the connection's rate is sent again.
//
// A message above [WithReadLimit] is dropped, and the connection stays open. The client reports it as a [Gap],
// as an error that matches [ErrTooLarge], or as the state [Dropped].
//
// If connections end one after the other for the same reason, and bring nothing new, they are a loop. From the
// fifth on, the client waits from 5 s up to 5 min before the next, and [State] carries a [LoopError].
//
// # Connections
//
// The client fetches a new token for every connection attempt. Delays between attempts follow a backoff.Policy,
// unless the server names one in a close frame, a goaway or a Retry-After header. After a goaway the client
// works on until the time it was given. It then collects outstanding answers for up to 5 s and reconnects.
//
// The client answers pings. If it has heard nothing for the heartbeat interval, it sends a ping itself. If the
// server stays silent for the timeout after that, the client gives up the connection ([WithHeartbeat]).
// [Client.Run] lists the errors that end it.
//
// # Goroutines
//
// Run uses its own goroutine and one for callbacks. While connected it uses one that reads and one that writes,
// and one more for the duration of a token fetch. All have ended when Run returns.
package client
