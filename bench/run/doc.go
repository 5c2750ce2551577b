// Command run compares benchmark servers. It builds the peers and the load client into a temporary
// directory, and for each test, round by round, starts each peer as a process of its own on a free
// loopback port and lets a load process measure it. Peers are interleaved, so that what else
// happens on the machine falls on all of them, and figures are medians over the rounds.
//
// The tests of kind nodes start two processes of a peer and a redis-server, which must be installed: one
// publishes, the clients are with the other, and the time of all three is measured. Peers that cannot do
// what a test needs are left out of it.
//
// Run it inside the bench module, on Linux. All of it takes 45 to 50 minutes and is kept in the documentation: peers.md,
// peers.svg and peers.json.
//
//	go run ./run -o ../docs/benchmarks
//
// A folder that has results already keeps those of other tests, so it may be filled test by test. With -continue it keeps
// those of the same tests too, and only servers with fewer than -rounds rounds are measured. A run that was stopped goes on that way,
// and rounds or servers may be spread over several runs; the page says which rows are of which run:
//
//	go run ./run -o ../docs/benchmarks -rounds 1
//	go run ./run -o ../docs/benchmarks -rounds 3 -continue
//	go run ./run -o ../docs/benchmarks -rounds 3 -continue -plan
//
// Before it measures, the program says how many runs each test needs and how long they will take; -plan says only that.
// Without -o the tables are printed:
//
//	go run ./run -peers gws,centrifuge -tests fanout,echo -rounds 5
//
// Progress goes to standard error. The column "×" is the test's first figure over the first peer's. The best of
// each column is bold, among those that have lost nothing.
package main
