// Command million holds a million WebSocket connections on one machine, and shows that everything works with
// them: it starts as many hub processes as the limit of open files needs, one Redis, and load processes, all on loopback.
//
//	go run ./million                                    # a million: 10 minutes, 20 GB of memory
//	go run ./million -o ../docs/benchmarks/million.md   # and writes the report
//	go run ./million -conns 20000                       # a rehearsal: half a minute
//
// Every connection is a client of protocol v1 with an identity, in one common room and in one of many small
// ones with history. It beats, a little more often than the hubs ping, and answers their pings. The trial shows, by counting at the clients:
//
//   - all of them connected at once
//   - one publish on one node received by every one, through Redis
//   - messages to the small rooms, with none lost
//   - heartbeats kept for three intervals, with nobody cut
//   - everybody pinged by the hubs for three intervals, with clients that are silent otherwise, and one publish meanwhile
//   - one node killed with SIGKILL, and its clients back elsewhere by the backoff of package backoff, with nothing
//     lost
//
// The hubs accept connections by Hub.Serve. With -acts only some of it is shown. One publish without a heartbeat due meanwhile:
//
//	go run ./million -asked -heartbeat 15m -acts fanout
//
// With -sse the clients read event streams, and no hub is killed:
//
//	go run ./million -sse -conns 100000
//
// It fails where one of these does not hold. Before it starts it asks package preflight whether limits and
// memory allow it; it gives up when memory runs short, and whatever it dies of, everything it has started dies
// with it.
//
// The kernel finds the socket of a packet in a hash table that was sized when the machine started, for fewer sockets than two
// million: looking there was a tenth of a profile. A network namespace may have one of its own (Linux 6.1):
//
//	sysctl -w net.ipv4.tcp_child_ehash_entries=4194304
//	unshare -n sh -c 'ip link set lo up && exec go run ./million'
//
// Congestion control should be one that sets no timer for each packet, cubic and not bbr. And under the scheduling policy
// SCHED_BATCH, by chrt -b 0, who sends goes on, instead of giving way to whom it has sent to: with both ends on the machine that
// halves what connecting takes.
package main
