// Package brokertest is the conformance suite of package broker. One call of [Run] in the tests of an
// implementation checks the guarantees of [broker.Broker]. If the implementation has them, it also checks
// [broker.History], [broker.Positioner], [broker.Presence], [broker.Occupancy], [broker.Secrets] and [broker.Bus].
//
// The suite makes nodes of a [World] and has them communicate. In a world of several nodes it publishes messages
// on one and receives them on another. It waits for asynchronous events up to World.Deadline. Nothing else
// depends on time, so a slow machine makes the suite slow and does not make it fail.
//
// [Recorder] is the receiver that the suite uses. It is exported for an implementation's own tests.
package brokertest
