// Package redis is the broker of many nodes: it carries rooms, history, presence and commands between them through Redis.
// It implements [broker.Broker], [broker.Positioner], [broker.Presence], [broker.Occupancy], [broker.Bus], [broker.Secrets]
// and [broker.Linked]. It works with one server, a primary that Sentinels watch over, or a Redis Cluster. It needs Redis
// 6.2; a cluster needs Redis 7.
//
// [Broker.Start] asks the server which of these it is. One server and Sentinel use Pub/Sub. A cluster uses sharded
// Pub/Sub, and each node has a connection to each primary. A message crosses to a node once, whatever its number of
// members. It does not cross to a node without members.
//
// # Guarantees
//
// Order: the broker hands the events of one room to the receiver one call at a time, in the order in which Redis accepted
// them. They come from the goroutine that reads the connection. After a loss they come from one that reads history.
// Commands come from the goroutines that read connections. Commands to all nodes are in order, and so are commands to
// this node. State changes come in order, from one goroutine of their own.
//
// History: one script checks the idempotency key of a message, stores it, numbers it and hands it to the subscribers.
// After a hole in the channel, and after every reconnect, the broker reads the missing messages from history. It delivers
// no later message before them. It reads at most 8 rooms at a time, in pages of at most 128 messages or 1 MiB. Lost
// messages are a Gap, and the messages that history still has follow it. Another program may write foreign entries to the
// keys. They are skipped and counted in [Stats]; a message that such an entry has replaced is a Gap.
//
// Epoch: it changes when the metadata of a room is lost. A room that was read before its first message has metadata
// for two minutes after the last Read. A client that resumes from there later is told of a gap. [Broker.Position]
// returns such a position for 30 s after the last Read. A server may also come back with older data, for example after a
// failover to a replica that lagged. Each message carries the stamp of the one before it. A node that had received more
// notices by it, even if new messages have taken the old offsets. It gives the room another epoch and tells its
// receiver of a Gap. From then on, readers with positions of the old epoch are told of a gap too. One case remains: a
// reader resumes in the moment before that, or no node is left that had received more. It can then take new messages
// for those that it knew.
//
// Subscriptions: Subscribe returns when Redis has acknowledged. Interest survives every loss. When a server is back, the
// broker subscribes to its rooms again in batches, after a jittered delay, and compares them with history. The state is
// Stale from the loss until all of that is done. The broker probes a silent connection by publishing to it, and
// replaces it if the probe does not arrive. If the ACL denies a room's channel, the call for that room fails. Other
// rooms are not affected.
//
// Health: a server is healthy if it can be written to. Four times in each I/O timeout, the broker writes a key that
// expires at once, and each connection asks its server for its role. The state is Stale while a server is a replica, is
// loading, takes no writes, or does not accept the credentials. If a primary is demoted behind the same address, the
// broker closes the connections to it. It accepts no publication until it has found a primary. Within 100 ms of the
// demotion it may accept a publication to a room without history that does not reach other nodes.
//
// Log: [WithLogger] receives why a connection was lost, why a server cannot be written to, and what the ACL denies. The
// same reason is logged at most once a minute. A connection may fail five times in a row for the same reason although
// the server can be reached. The broker then tries it less and less often, at least every 30 s.
//
// Blocking: no call blocks longer than its context. The exception is the client's first dial of a server, which is bounded
// by the dial timeout. While a connection is broken, calls that need it fail at once with an error that matches
// broker.ErrUnavailable. A server that hangs counts as broken after 5/4 of the I/O timeout. The broker carries out
// pending calls of Subscribe, Enter, Leave and Unsubscribe when the server is back.
//
// Presence: one refresh for each room and node keeps members alive. When a node's time is over, the first node that visits
// the room removes that node's members and announces it, once for all. All subscribed nodes visit a room with each
// refresh, and when a node's time ends. Time in which no node could reach or write to Redis does not count against a
// node. If Redis has lost the presence of a room, each node lists its members again, without announcing them. It does so
// with its next visit, or when another node has noticed. Until all nodes known to have had members have listed them,
// Members and Count return an error that matches broker.ErrUnavailable. This lasts 5 s, or one refresh if that is
// shorter, and at most one TTL. A node without members in the room notices the loss only by the lists of others.
//
// Memory: at most 1,024 events a room wait for a slow receiver. Beyond that, messages with a position are read again
// later. Other messages are dropped and counted in [Stats]. After Close, rueidis may need up to five seconds to
// close connections to servers that a cluster has lost.
//
// Connections: messages go out and come in on connections of this package's own. They speak RESP3 and use the same options.
// The broker hands messages on from the buffer that they were read into. On Linux such a connection has a thread to itself
// as long as data arrives at least every 2 ms. A message of more than 64 MiB ends its connection. Redis itself disconnects
// subscribers with a backlog of 32 MiB, by default.
//
// Pipelining: concurrent publications go out together. The first caller writes while nothing is under way; later ones wait
// for the next answer. At most 4 MiB are unanswered on a connection. Beyond that, callers wait, no longer than their
// contexts. When a connection breaks, commands under way fail with broker.ErrUnavailable. Whether Redis executed them is
// unknown. All other commands go through rueidis. A publication does too if no connection is up, or if the server says
// that it has not executed it: because a slot has moved, or the script is not known.
//
// # Keys and channels
//
// With the prefix "hubkit", for a room called news:
//
//	hubkit:{news}             channel of the room, sharded in a cluster
//	hubkit:{news}:meta        epoch, newest offset, its stamp, offset at the start of the epoch, bytes of the log
//	hubkit:{news}:log         list of the stored messages, oldest first
//	hubkit:{news}:idem        hash: the service's idempotency keys, and the results of their messages
//	hubkit:idem:PUBLISHER     the same for another publisher, in all rooms; PUBLISHER is a hash of the name
//	                          (in a cluster hubkit:{news}:idem:PUBLISHER, for each room)
//	hubkit:{news}:presence    sorted set: members in order, and by owner; nodes with members here, and until when
//	hubkit:nodes              hash: node to its announcement
//	hubkit:occupancy          sorted set: nodes with members, by room, if hooks ask for it
//	hubkit:secret:NAME        secret that the nodes share, such as the key of resume tickets
//	hubkit:bus                channel of commands to all nodes
//	hubkit:bus:NODE           channel of commands to one node
//	hubkit:probe:NONCE        channel by which a node tests a connection, and key by which it tests a server
//
// The braces put all keys of a room into one slot of a cluster. If a room's name begins with a closing brace, a byte 0x01
// precedes it there. Redis channels do not belong to a database. The channels of database n therefore end with @n, unless n
// is 0: hubkit:{news}@3. Every key except the list of nodes and the secrets expires: the log with the retention, the
// metadata after [WithMetadataTTL], presence after twice its TTL. An eviction policy may evict any of a room's keys
// first. The room then gets another epoch and readers a gap, never a wrong message. No text that clients choose follows
// the closing brace, so that no two keys can have the same name.
//
// # Publishing from elsewhere
//
// A Go program starts a broker with a nil receiver. Any other program publishes a JSON text to the channel of the room, at
// most once and without history. In a cluster it uses SPUBLISH:
//
//	PUBLISH hubkit:{news} '{"text":"hello"}'
//
// The broker drops and counts text that is not JSON in UTF-8. To publish to a room with history, a program runs the script
// that [PublishScript] returns. In a cluster it passes SPUBLISH in place of PUBLISH:
//
//		EVAL script 3 hubkit:{news}:meta hubkit:{news}:log hubkit:{news}:idem
//		     hubkit:{news} PUBLISH payload key flags size age metadata-age idempotency-age idempotency-key
//
//	  - key is the conflation key, as in broker.Publication. It may be empty.
//	  - flags is 1 for a binary payload, and 0 otherwise.
//	  - size is the number of messages that the history keeps.
//	  - The ages are in milliseconds. With idempotency-age 0 the message has no idempotency key.
//
// Two more arguments may follow. The first is the number of idempotency keys that the room remembers; the default is
// 10,000. The second is the size of its history in bytes; the default is 16 MiB. The script answers with the epoch, the
// offset, and 1 for a duplicate.
//
// # Envelopes
//
// A message of a hub begins with a byte that no JSON text can begin with. Numbers have the high byte first:
//
//	1 flags [key] payload                                    a message that is not stored
//	2 flags offset8 stamp8 before8 epoch12 [key] payload     a stored message
//	3 JSON, 4 JSON                                           a member that joined, one that left
//	5 length2 sender payload                                 a command
//	6                                                        the presence of the room was lost: list members again
//	7 kind owner                                             of an owner of members: 1 asks for others of its name, 2 answers, 3 is dead;
//	                                                         '+' has members in the room, '-' has none any more
//
// Flag 1 is binary. With flag 2 the envelope has a key of length4 bytes. Flag 4 says that the payload was checked to be
// JSON, so that receivers need not check it again. Flag 8 comes with flag 2. The key's bytes are then a length4, a key of
// that length, and a broker.Meta in its binary form. A stamp is the time at which the message was stored, in
// microseconds. It is always greater than that of the message before it.
//
// Versions: a message without a broker.Meta has the same bytes as before flag 8 existed. A node of the version before reads
// a message with flag 8 as one without a Meta. It sends it to all members, the one that Meta.Except names included. Its key
// differs from that of the message before, so that such a node does not conflate it. Nodes of both versions may be in
// one cluster, and may read each other's histories.
package redis
