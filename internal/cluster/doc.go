// Package cluster holds no code: its tests run hubs in processes of their own, on real Redis servers, and see what
// their clients see when nodes and servers come and go.
//
// A test starts nodes (node_test.go is what runs in them) and drives them over HTTP; its clients are either as
// bare as a WebSocket allows (peer_test.go) or package client's, and those that count every message
// (reader_test.go) come back by themselves, to another node if need be.
//
// The tests with the build tag "faults" take minutes: "make test-faults" runs them.
package cluster
