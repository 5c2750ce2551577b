// Package hub holds WebSocket connections, puts them into rooms, and sends rooms' messages to them. A [Hub] is
// an http.Handler; it is alone on one node with a broker in memory, or one of many over Redis.
//
//	h, err := hub.New(hub.WithOpenRooms("chat:*"))
//	mux.Handle("/ws", h)
//	_, err = h.Publish(ctx, "chat:lobby", []byte(`"hello"`))
//	err = h.Shutdown(ctx)
//
// # Order
//
// What one connection sends is handled in order, one frame at a time, heavy calls included. What is sent to
// one connection arrives in the order of the calls. Messages of a room reach every member in the order of their
// publication on one node, and in a room with history in the order of their offsets, from wherever they came.
//
// # Delivery
//
// A room without history is at most once. In a room with history every message has an epoch and an offset, and a
// client that resumes from its position gets each later message once, without a gap, or is told of the gap.
// [Stats] counts each message to each member as delivered or dropped.
//
// # Who calls what
//
// Handlers are called in a goroutine of the connection's own, heavy ones on the worker pool; OnHandshake and the
// authenticator in that of the HTTP request. No lock is held. A handler may block: it holds up its own connection
// and no other. A handler that panics costs its call or its connection, and is logged. A handler's context ends when
// its connection does.
//
// # What blocks
//
// [Hub.Publish] waits while the room's queue on this node is full, and for the broker; [Conn.Join] and [Conn.Leave]
// wait for the broker. All three take a context. [Conn.Send] and [Conn.Close] do not block.
//
// # Limits
//
// Everything that a client can make grow is bounded; the options say by how much. What becomes of
// the messages for a connection whose backlog is full is for the room to say, with [Overflow]; where it says nothing, the
// connection is closed with a code that makes its client come back.
package hub
