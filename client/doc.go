// Package client connects a Go program to a hub: it keeps one WebSocket connection, makes it again when
// it is lost, and goes on in every room where it was. It speaks the protocol hubkit.v1.
//
// [New] takes the address, [Client.Run] connects. Everything else may be called before Run, while it
// runs, and while there is no connection.
//
// # Callbacks
//
// All callbacks of a client are made one at a time, by one goroutine, in the order in which things
// happened: messages, gaps, presence, errors and changes of state alike. No lock is held. A slow
// callback delays those behind it and nothing else, until the inbox ([WithInbox]) is full. Then the
// client stops reading, the server feels it, and when it has lasted for as long as an unanswered
// ping may, the connection is given up and the next one resumed when there is space. A callback may use the
// client, [Client.Close] excepted. One that waits for an answer should do so with a context that
// ends, because answers wait behind a full inbox, too.
//
// # Messages
//
// In a room with history the messages come in order, each once, over all connections that Run makes: the
// client names its position when it comes back, and drops what it has seen. What cannot be had any
// more is a [Gap], never silence. In a room without history a message is delivered at most once. What
// [Subscription.Position] returns was handled; a program that stores it sees each message at least once
// over its own restarts, too.
//
// # Rights
//
// A right to be connected or to be in a room may end. The client renews it in place with the function of [WithToken], or of
// [RoomToken], when the server asks and before it expires. A room that the server takes away ends its subscription: OnError is
// told a [*LeftError], and no reconnect brings the room back. The program may subscribe again. In a room that the client may
// only read, a publish fails at once with protocol.CodeForbidden.
//
// The server may put the client into rooms. [OnServerJoin] tells of them, and their messages go to [OnRoomMessage]. They are
// resumed by position like the client's own, with gaps.
//
// # Publications
//
// Publications are sent in the order in which they were made; while there is no connection they wait in
// a queue ([WithQueue]). Every one carries an idempotency key, and one whose answer was lost with the
// connection is sent again, within [WithRetryWindow], in its old place: it is stored once. What the
// server answered with an error is not sent again, unless it is the connection's rate that refuses it. Calls, sends and questions wait for a connection as
// well, but are sent once at most: [ErrDisconnected] says that one was sent and not answered.
//
// # Limits
//
// The server's welcome announces limits, and the client keeps to them. The hello names as many rooms as the size of a message
// and the rate allow; the other rooms are joined after it. Resumes and queued requests alternate, at the announced rate
// ([WithRate]). A request that is larger than the server reads fails alone, with protocol.CodeTooLarge. A room that is one
// too many is joined when another has been left. A publication that the server refuses for the connection's rate is sent
// again.
//
// What the server sends above [WithReadLimit] is dropped, and the connection goes on. It becomes a [Gap], an error that
// matches [ErrTooLarge], or the state [Dropped].
//
// Connections that end one after the other for one reason, and bring nothing new, are a loop: from the fifth on, the client waits
// from 5 s up to 5 min before the next, and [State] carries a [LoopError].
//
// # Connections
//
// The token is fetched anew for every try to connect. Delays between tries are those of a
// backoff.Policy, unless the server names one in a close frame, a goaway or a Retry-After header. After
// goaway the client works on until the time it was given, collects outstanding answers for up to 5 s, and
// connects again. The client answers pings, sends one itself when it has heard nothing for the
// interval, and gives a connection up that stays silent for the timeout after that ([WithHeartbeat]).
// [Client.Run] says which errors end it.
//
// # Goroutines
//
// Run uses its own goroutine, one for callbacks and, while connected, one that reads and one that
// writes. While connected it has a token fetched by one more, which ends with the fetch. All have ended when Run returns.
package client
