// Command load runs one test against one benchmark server (package benchserver) and prints a
// result.Result as JSON. It runs on Linux only.
//
// The tests:
//
//	idle     opens -conns connections in one room and reads what each adds to the server's memory
//	fanout   -n messages to one room of -conns, as fast as the server publishes
//	paced    the same at -rate messages a second
//	rooms    -n messages over -rooms rooms that share -conns connections, at full rate or at -rate
//	nodes    as rooms, but the messages are published on the server at -publisher, and reach the one
//	         at -addr through Redis at -redis; what each of the three spends is measured
//	echo     every connection sends, and sends again when it gets its own back, -n echoes in all
//	storm    -conns handshakes, -window at once for each of -loops
//	churn    -n connections that come, are ready, and leave
//
// The test waits until every expected delivery is counted, or 5 s have passed without one, before it
// reads the server's CPU time.
//
// Servers with a protocol of their own are measured with -subprotocol, -hello, -join, -echo-frame,
// -app-ping and -app-pong: the frame of -hello is sent first, that of -join next, where %s stands
// for the room (not in echo), each answered by one frame before the connection counts as ready.
package main
