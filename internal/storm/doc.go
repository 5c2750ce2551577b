// Package storm simulates what happens when a server loses all its clients at once: a discrete-event simulation, on
// virtual time, of the real gate (package admission) and the real retries (packages backoff and client).
//
// A [Storm] begins with its clients disconnected. Each waits as its [Plan] says, sends a handshake, which
// is under way for U(0, Latency), and has it admitted by the gate or refused. What is refused is told to
// the client on the same way back, as a hub tells it, and the client tries again. The run ends when all are
// admitted. The same storm has the same course every time.
//
// [Peak] and [Count] measure the arrivals.
package storm
