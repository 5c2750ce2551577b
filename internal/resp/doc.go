// Package resp speaks RESP3, the protocol of Redis 6 and later, on one connection: redis.io, "Redis serialization
// protocol specification". It is made for a connection that brings a great many small pushes and answers: a
// [Reader] takes them apart where they lie in its buffer, without copying and without an allocation.
//
// Nothing here starts a goroutine.
package resp
