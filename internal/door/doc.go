// Package door accepts connections for an http.Server and answers WebSocket handshakes on them without net/http's connections.
//
// net/http has a goroutine, three buffers, a net.Conn and two contexts for every connection from its first byte on. A door
// accepts from the same listener with an epoll set of its own. A connection that has sent nothing, or half of a head, is a
// descriptor and the bytes that came; it has no goroutine. When the head of a handshake is whole, the server's Handler is called
// with a *http.Request of http.ReadRequest, in a goroutine of its own. Its ResponseWriter hands out the descriptor
// (HijackRaw) or a net.Conn (Hijack), or is answered through, as any other.
//
// Everything that is not plainly a handshake is passed to the server, which serves it as if it had accepted the connection:
// other requests, heads longer than 8 KiB, and every head that is malformed or could be read in two ways. So their verdict is
// net/http's own. The server's Shutdown and Close end the door too.
package door
