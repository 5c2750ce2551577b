// Package wsload holds many WebSocket client connections in one process at little cost, so that what a
// benchmark or a load test measures is the server.
//
// A Client runs a few epoll loops, each a goroutine, over non-blocking sockets: one read per
// readiness event into a buffer the loop's connections share, a frame parser that copies nothing, and
// two small objects per connection. It counts payloads (package payload), not frames, so servers that
// join messages or wrap them in a protocol of their own are counted alike, and it samples their
// latency. A message may come in several frames, of three bytes at the least but for the last.
//
// It runs on Linux only. It offers no extension, so it never receives compressed frames.
package wsload
