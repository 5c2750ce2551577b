// Package brokertest is the conformance suite of package broker: one call of [Run] in the tests of an
// implementation checks what [broker.Broker] promises, and what [broker.History], [broker.Presence]
// and [broker.Bus] promise where the implementation has them.
//
// The suite asks for nodes of a [World] and has them talk to each other. In a world of several nodes
// messages are published on one and received on another. What comes asynchronously is waited for, up
// to World.Deadline; nothing else depends on time, so a slow machine makes the suite slow, not red.
//
// [Recorder] is the receiver the suite uses. It is exported for an implementation's own tests.
package brokertest
