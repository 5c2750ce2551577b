// Package redis is the broker of many nodes: it carries rooms, history, presence and commands between them
// through a Redis server, a master that Sentinels watch over, or a Redis Cluster. It implements
// [broker.Broker], [broker.History], [broker.Presence] and [broker.Bus]. It needs Redis 6.2, a cluster Redis 7.
//
// Which of them it is, [Broker.Start] finds out by asking. One server and Sentinel use Pub/Sub; a cluster
// uses sharded Pub/Sub, and each node has a connection to each master. A message crosses to a node once,
// whatever its number of members, and not at all to a node without one.
//
// # Guarantees
//
// Order: the events of one room are handed to the receiver one call at a time, in the order in which Redis
// took them. They come from the goroutine that reads the connection or, after a loss, from one that
// reads history. Commands come from the goroutines that read connections, those to all nodes and
// those to this one each in order. State changes come in order from one goroutine of their own.
//
// History: a message is checked for its idempotency key, stored, numbered and handed to the subscribers in one
// script. On a hole in what the channel brings, and after every reconnect, the missing messages are
// read from history before any later one is delivered: at most 8 rooms at a time, 128 messages or 1 MiB each.
// Messages that cannot be had any more are a Gap, and what history still has comes after it. What is no message, because
// another program has written to the keys, is left out and counted in [Stats]; a message that it has replaced is a Gap.
//
// Epoch: it changes when the metadata of a room is lost. A room that was read before its first message has metadata of its own
// for two minutes after the last Read; who resumes later from there is told of a gap. A server may also come back with older data than it
// had: a replica that took over before it had everything. Each message carries the stamp of the one
// before it, so a node that had got further notices, whether or not new messages have taken the old
// offsets; it gives the room another epoch, tells its receiver of a Gap, and from then on readers with
// positions of the old epoch are told of one too. A reader that resumes in the moment before that, or where
// no node that had got further is left, can take new messages for those that it knew.
//
// Subscriptions: Subscribe returns when Redis has acknowledged. Interest survives every loss: when a server is back
// its rooms are subscribed to again in batches, after a jittered delay, and compared with history. The
// state is Stale from the loss until all of that is done. A connection that brings nothing is probed
// by publishing to it, and replaced if that does not arrive. A room whose channel the server's user may not have is refused to
// who asks for it, and costs the others nothing.
//
// Health: a server is well if it may be written to. Four times in each I/O timeout the broker writes a key that is gone at
// once, and each connection asks its server for its role. The state is Stale while a server is a replica, is loading, takes
// no writes, or does not accept the credentials. A primary that is demoted behind the same address costs the
// connections to it; no publication is accepted until a primary is found. Within 100 ms of the demotion a publication
// to a room without history may be accepted that other nodes do not get.
//
// Log: why a connection was lost, why a server cannot be written to, and what the server's user may not do, with
// [WithLogger]; the same reason at most once a minute. A connection that fails for the same reason five times in a row though
// the server can be reached is tried ever less often, after 30 s at most.
//
// Blocking: no call blocks longer than its context, but for the moment in which the client first dials a
// server, bounded by the dial timeout. From a broken connection until the server answers again, calls that
// concern it fail at once with an error that matches broker.ErrUnavailable. A server that hangs
// counts as broken after 5/4 of the I/O timeout. What was asked for meanwhile by Subscribe, Enter, Leave
// and Unsubscribe is done when the server is back.
//
// Presence: members are kept alive by one refresh for each room and node. The first node that visits a room
// after another node's time is over removes that node's members and announces it, once for all. All that are subscribed
// visit a room with each refresh, and when somebody expires. Time in which nobody could reach or write to Redis is not
// counted against a node. When Redis has lost the presence of a room, each node lists its members again with its next visit,
// or when another node has noticed, and does not announce them. Until all have done so that are known to have had members
// there, Members and Count return an error that matches broker.ErrUnavailable: for 5 s, or a refresh if that is shorter, and
// for a TTL at most. A node without members in the room notices the loss only by what others list.
//
// Memory: what waits for a slow receiver is bounded by 1,024 events a room; beyond that, messages with a
// position are read again later, others are dropped and counted in [Stats]. rueidis may need up to
// five seconds after Close to let go of connections to servers that a cluster has lost.
//
// Connections: what is published goes out, and messages come in, on connections of this package's own, which speak
// RESP3 and are made by the same options. What messages bring is handed on from the buffer it was read into. On Linux
// such a connection has a thread to itself while something keeps coming within 2 ms. A message
// of more than 64 MiB ends its connection; Redis itself cuts off subscribers for whom 32 MiB wait, by default.
//
// What is published at the same time goes out together: by the first caller while nothing is under way, and with
// the next answer while something is. 4 MiB may be without an answer for each connection; after that callers wait, no
// longer than their contexts. Commands under way when a connection breaks fail with broker.ErrUnavailable, and may have been
// executed or not. All other commands go through rueidis, and so does a publication for which no connection is up, or
// that the server says it has not executed: because a slot has moved, or the script is not known.
//
// # Keys and channels
//
// With the prefix "hubkit", for a room called news:
//
//	hubkit:{news}             channel of the room, sharded in a cluster
//	hubkit:{news}:meta        epoch, newest offset, its stamp, offset where the epoch began, bytes of the log
//	hubkit:{news}:log         list of the stored messages, the oldest first
//	hubkit:{news}:idem        hash: the service's idempotency keys, and what became of the messages
//	hubkit:idem:PUBLISHER     the same for another publisher, in all rooms; PUBLISHER is a hash of the name
//	                          (in a cluster hubkit:{news}:idem:PUBLISHER, for each room)
//	hubkit:{news}:presence    sorted set: members in order, and by owner; who has members here, and until when
//	hubkit:nodes              hash: node to what it announced
//	hubkit:secret:NAME        secret that the nodes share, such as the key of resume tickets
//	hubkit:bus                channel of commands to all nodes
//	hubkit:bus:NODE           channel of commands to one node
//	hubkit:probe:NONCE        channel by which a node tests a connection, and key by which it tests a server
//
// The braces make all that a room has lie in one slot of a cluster. (A room whose name begins with a
// closing brace has a byte 0x01 before it there.) Channels know no databases in Redis, so those of database n end with @n, unless
// n is 0: hubkit:{news}@3. Every key but the list of nodes and the secrets expires: the log with the retention, the metadata
// after [WithMetadataTTL], presence after twice its TTL. With an eviction policy that may evict
// them, whichever of a room's keys goes first, rooms get another epoch and readers a gap, never a wrong message. Nothing that
// clients choose follows the closing brace, so that no two keys can have the same name.
//
// # Publishing from elsewhere
//
// A Go program starts a broker with a nil receiver. Any other publishes a JSON text to the channel of the
// room, at most once and without history:
//
//	PUBLISH hubkit:{news} '{"text":"hello"}'
//
// and SPUBLISH instead in a cluster. The broker drops and counts text that is not JSON in UTF-8. To a room
// with history the program publishes by the script that [PublishScript] returns:
//
//	EVAL script 3 hubkit:{news}:meta hubkit:{news}:log hubkit:{news}:idem
//	     hubkit:{news} PUBLISH payload key flags size age metadata-age idempotency-age idempotency-key
//
// with SPUBLISH in a cluster; key as in broker.Publication, flags 1 for a binary payload and 0
// otherwise, the size of the history, and ages in milliseconds; idempotency-age 0 publishes without an idempotency key.
// Two more arguments may follow: how many idempotency keys the room remembers, 10,000 without it, and the bytes of its
// history, 16 MiB without it.
// It answers with the epoch, the offset, and 1 for a duplicate.
//
// # Envelopes
//
// What hubs publish begins with a byte that no JSON text can begin with; numbers have the high byte first:
//
//	1 flags [key] payload                                    a message that is not stored
//	2 flags offset8 stamp8 before8 epoch12 [key] payload     a stored message
//	3 JSON, 4 JSON                                           a member that came, one that went
//	5 length2 sender payload                                 a command
//	6                                                        the presence of the room was lost: list members again
//	7 what owner                                             of an owner of members: 1 asks for others of its name, 2 answers, 3 is dead;
//	                                                         '+' has members in the room, '-' has none any more
//
// Flag 1 is binary; with flag 2 a key of length4 bytes is there; flag 4 says that the payload was checked to be JSON, so
// that nobody needs to check it again. With flag 8, which comes with flag 2, the key's bytes hold a length4, so many bytes of
// key, and a broker.Meta in its binary form. A stamp is the time at which the message was
// stored, in microseconds, and always more than that of the message before it.
//
// Versions: a message that uses nothing of broker.Meta has the same bytes as before there was flag 8. A node of the version
// before reads a message with flag 8 as one without a Meta, and sends it to all members, also to the one that Meta.Except
// names. Its key differs from that of the message before, so that such a node does not conflate it. Nodes of both versions
// may be in one cluster, and may read each other's histories.
package redis
