// Command connect measures what it costs to connect: each client of protocol v1 makes its handshake and joins two rooms by its
// hello, one that all share and one of ten members with history, on one hub with a real Redis.
//
// It starts redis-server and the hub as processes of their own, and is the load itself. It prints the processor time of both for
// each client, in microseconds, and what Redis was asked. -fast has the hub accept the connections itself.
package main
