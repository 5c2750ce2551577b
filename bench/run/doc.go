// Command run compares benchmark servers. It builds the peers and the load client into a temporary
// directory, and for each test, round by round, starts each peer as a process of its own on a free
// loopback port and lets a load process measure it. Peers are interleaved, so that what else
// happens on the machine falls on all of them, and figures are medians over the rounds.
//
// The tests of kind nodes start two processes of a peer and a redis-server, which must be installed: one
// publishes, the clients are with the other, and the time of all three is measured. Peers that cannot do
// what a test needs are left out of it.
//
// Run it inside the bench module, on Linux. All there is takes the better part of an hour, and is kept in the
// documentation: peers.md, peers.svg and peers.json.
//
//	go run ./run -o ../docs/benchmarks
//
// A folder that has results already keeps those of tests that are not run again, so it may be filled test by
// test. Without -o the tables are printed:
//
//	go run ./run -peers gws,centrifuge -tests fanout,echo -rounds 5
//
// Progress goes to standard error. The column "×" is the test's first figure over the first peer's. The best of
// each column is bold, among those that have lost nothing.
package main
