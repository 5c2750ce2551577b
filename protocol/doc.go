// Package protocol is version 1 of hubkit's wire protocol: the frames, the error codes and the
// close codes, for servers and for clients. PROTOCOL.md specifies it for those who write a client
// in another language.
//
// A server reads a [Request] and writes with AppendMessage, AppendOK and their like; a client writes
// with [AppendRequest] and reads an [Event].
//
// # Guarantees
//
// Hostile input: Decode, [Valid] and [ParseHint] return for every input, in time proportional to
// its length and without recursion. What they accept is valid JSON and valid UTF-8, as
// encoding/json and unicode/utf8 see it, and nested within the limits.
//
// Memory: Request.Decode, Event.Decode and Valid allocate nothing for a frame that is good, once a
// Request or Event has been used before; the Append functions allocate only where dst is too small.
// Decoded slices point into the frame, which is never changed.
//
// Errors: a request that is refused says what it was, as far as that could be read: see
// [Request.Decode].
//
// Encoding: the frames written are valid JSON on a single line if the data given is, whatever the
// other strings hold; bytes that are not UTF-8 become U+FFFD.
//
// Concurrency: there are no goroutines, nothing blocks, and the package keeps no state. One Request or
// Event is for one goroutine at a time.
package protocol
