// Package broker defines the interface between a hub and the system that carries messages between nodes.
//
// A node is one hub in one process. A [Broker] takes each message published to a room on any node. It delivers
// the message to every node that has subscribed to that room, the publishing node included. The single-node
// broker in broker/memory and the Redis broker in broker/redis are used the same way.
//
// # Guarantees
//
// Order: the messages of one room are delivered to a [Receiver] one call at a time, in the order in which the
// broker accepted them. In a room with history this is the order of offsets, without a hole. If messages cannot
// be recovered, the broker calls [Receiver.Gap] in their place.
//
// Delivery: a room without history is at most once. A message published to a room with history is stored before
// Publish returns, and every subscribed node receives it or a Gap.
//
// Callbacks: a Receiver is called from the broker's own goroutines, or from the goroutine inside Publish, Enter
// or Leave. It must not block and must not call back into the broker. Calls for different rooms may come at the
// same time. After Close has returned no call is made. A Receiver may implement more methods, which a broker
// need not use: see [BatchReceiver] and [RoomFinder].
//
// History, presence and node-to-node messages are capabilities. A broker that has them also implements
// [History], [Presence] or [Bus].
package broker
