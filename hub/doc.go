// Package hub holds WebSocket connections, puts them into rooms, and delivers the rooms' messages to them. A [Hub] is
// an http.Handler. With the broker in memory it runs alone; with Redis it is one node of many.
//
//	h, err := hub.New(hub.WithOpenRooms("chat:*"))
//	mux.Handle("/ws", h)
//	_, err = h.Publish(ctx, "chat:lobby", []byte(`"hello"`))
//	err = h.Shutdown(ctx)
//
// # Order
//
// The hub handles the frames of one connection in order, one at a time, heavy calls included. Messages to one
// connection arrive in the order of the calls that send them. Each member of a room gets one node's messages in the
// order in which that node published them. In a room with history, members get all nodes' messages in the order of
// their offsets.
//
// # Delivery
//
// A room without history delivers each message at most once. In a room with history every message has an epoch and an
// offset. A client that resumes from its position gets each later message once and without a gap, or is told of the
// gap. [Stats] counts each message to each member as delivered or dropped.
//
// # Who calls what
//
// The hub calls handlers in a goroutine of their connection, and heavy handlers on the worker pool. It calls
// OnHandshake and the authenticator in the goroutine of the HTTP request. It holds no lock during a call. A handler may
// block: it delays its own connection and no other. If a handler panics, its call fails or its connection is closed,
// and the panic is logged. A handler's context ends with its connection.
//
// # What blocks
//
// [Hub.Publish] waits for the broker, and for a place in the room's queue on this node if the queue is full.
// [Conn.Join] and [Conn.Leave] wait for the broker. All three take a context. [Conn.Send] and [Conn.Close] do not
// block.
//
// # Limits
//
// Everything that a client can make grow is bounded. The options state each bound and its default. [Overflow] sets, for
// each room, how the hub treats messages for a slow consumer, whose backlog is full. By default the hub closes the
// connection with 4001, and the client reconnects.
package hub
