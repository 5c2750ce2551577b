// Package frame builds WebSocket frames (RFC 6455, section 5.2) as a server sends them, and gathers
// them in batches: runs of messages framed once, in one contiguous buffer, that every receiver shares.
package frame
