// Package benchserver is the HTTP face that every benchmarked server shows to the load client, so
// that servers built on different libraries differ in their sockets and in nothing else.
//
// A server is a Backend and a main function of one line:
//
//	func main() { benchserver.Main(newBackend) }
//
// Main parses the flags, builds the backend, and serves until it is told to stop by SIGINT or SIGTERM.
// Flags of the backend's own go onto the flag package's command line before Main is called.
//
// # Flags
//
//	-addr HOST:PORT    where to listen
//	-redis HOST:PORT   Redis for servers that can join others; the rest refuse the flag with ErrNoRedis
//	-history           with -redis: every room keeps its newest messages, 1,000 of them for 10 minutes
//	-queue N           messages that may wait for one connection, where the library bounds them
//
// # Endpoints
//
//	GET  /ws?room=R[&echo=1]       WebSocket; joins room R, or with echo=1 sends back what it gets
//	POST /publish?room=R           publishes the request's body
//	POST /bench?room=R&n=N&size=S[&rate=X][&rooms=K][&publishers=P]
//	                               publishes N payloads from inside the process, X a second (0 or
//	                               none: as fast as Publish returns), message i to room R, or with
//	                               rooms=K to room R0 … R(K-1) by i mod K; with publishers=P from P
//	                               goroutines that share the rooms, each room staying with one;
//	                               answers a BenchResult when the last Publish has returned
//	GET  /stats[?gc=1]             a Stats; gc=1 collects garbage and returns memory to the system
//	                               first
//	GET  /debug/pprof/…            as net/http/pprof
//
// Payloads are described by package payload.
package benchserver
