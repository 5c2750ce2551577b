// Package e2e tests the Go client against the hub, over real sockets that break: connections that are
// closed, killed and cut in half, and a server that is restarted. What was published and what arrived
// is counted at both ends.
//
// It holds tests only.
package e2e
