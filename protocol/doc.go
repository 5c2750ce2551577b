// Package protocol is version 1 of hubkit's wire protocol: the frames, the error codes and the
// close codes, for servers and for clients. PROTOCOL.md specifies it for authors of clients in other
// languages.
//
// A server reads a [Request] and writes with AppendMessage, AppendOK and similar functions. A client writes
// with [AppendRequest] and reads an [Event].
//
// # Guarantees
//
// Hostile input: Decode, [Valid] and [ParseHint] return for every input, in time proportional to its length and
// without recursion. The JSON that they accept is valid for encoding/json, is valid UTF-8, and is nested within
// the limits. DecodeCBOR has the same guarantees, except that it recurses up to four times. The CBOR that it
// accepts is well-formed.
//
// Memory: Request.Decode, Event.Decode, their DecodeCBOR and Valid do not allocate for a valid frame, once a
// Request or Event has been used before. The Append functions allocate only if dst is too small. Decoded slices
// point into the frame, which is never changed.
//
// Errors: after a faulty request, the op and the ID are available as far as they could be read: see
// [Request.Decode].
//
// Encoding: if the given data is valid JSON on one line, a written frame is too, whatever the other strings
// contain. Bytes that are not UTF-8 become U+FFFD.
//
// Concurrency: there are no goroutines, nothing blocks, and the package keeps no state. Use one Request or
// Event in one goroutine at a time.
package protocol
