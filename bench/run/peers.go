package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// peer is a server and how to talk to it.
type peer struct {
	name string
	// dir is the server's folder in the bench module.
	dir string
	// module is the library's; empty for our own.
	module string
	// args are the server's own flags, load those the load client needs for its protocol.
	args, load []string
	// redis: its nodes can be joined; history: and their rooms can keep messages.
	redis, history bool
	// only names the tests that a variant is for; empty for all.
	only []string
}

var v1Protocol = []string{
	"-subprotocol", "hubkit.v1",
	"-hello", `{"op":"hello","id":1}`,
	"-join", `{"op":"join","id":2,"room":"%s"}`,
	"-echo-frame", `{"op":"send","data":"%s"}`,
}

var centrifugeProtocol = []string{
	"-hello", `{"id":1,"connect":{}}`,
	"-echo-frame", `{"id":2,"rpc":{"data":"%s"}}`,
	"-app-ping", `{}`, "-app-pong", `{}`,
}

// floor is no library: it makes the system calls and nothing else.
const floor = "floor"

var peers = []peer{
	{name: "hubkit", dir: "hubkit", redis: true},
	{name: "hubkit-fast", dir: "hubkit", args: []string{"-fast"}, redis: true},
	{name: "hubkit-v1", dir: "hubkit", args: []string{"-protocol", "v1"}, load: v1Protocol, redis: true, history: true},
	{name: "hubkit-v1-fast", dir: "hubkit", args: []string{"-protocol", "v1", "-fast"}, load: v1Protocol, redis: true, history: true},
	{name: "centrifuge", dir: "peers/centrifuge", module: "github.com/centrifugal/centrifuge", load: centrifugeProtocol, redis: true, history: true},
	{
		name: "centrifuge-batch", dir: "peers/centrifuge", module: "github.com/centrifugal/centrifuge", args: []string{"-batch"}, load: centrifugeProtocol,
		redis: true, history: true,
	},
	{
		name: "centrifuge-tuned", dir: "peers/centrifuge", module: "github.com/centrifugal/centrifuge", args: []string{"-batch", "-read-buffer", "1024"},
		load: centrifugeProtocol, redis: true, history: true,
	},
	{name: "melody", dir: "peers/melody", module: "github.com/olahol/melody"},
	{name: "chat", dir: "peers/chat", module: "github.com/gorilla/websocket"},
	{name: "coder", dir: "peers/coder", module: "github.com/coder/websocket"},
	{name: "gws", dir: "peers/gws", module: "github.com/lxzan/gws"},
	// Parallel processing changes only what happens to messages that clients send.
	{name: "gws-parallel", dir: "peers/gws", module: "github.com/lxzan/gws", args: []string{"-parallel"}, only: []string{"echo"}},
	{name: "gws-tuned", dir: "peers/gws", module: "github.com/lxzan/gws", args: []string{"-server", "-read-buffer", "1024"}},
	{name: "nbio", dir: "peers/nbio", module: "github.com/lesismal/nbio"},
	{name: "nbio-mixed", dir: "peers/nbio", module: "github.com/lesismal/nbio", args: []string{"-mixed"}},
	{name: floor, dir: "peers/floor"},
}

// choosePeers reads the flag; empty means every peer whose folder is there.
func choosePeers(list string) ([]peer, error) {
	if list == "" {
		return slices.DeleteFunc(slices.Clone(peers), func(p peer) bool {
			_, err := os.Stat(p.dir)
			return err != nil
		}), nil
	}
	return choose(list, peers, func(p peer) string { return p.name })
}

// choose picks what a comma-separated list names, in its order.
func choose[T any](list string, all []T, name func(T) string) ([]T, error) {
	var chosen []T
	for want := range strings.SplitSeq(list, ",") {
		i := slices.IndexFunc(all, func(v T) bool { return name(v) == want })
		if i < 0 {
			var names []string
			for _, v := range all {
				names = append(names, name(v))
			}
			return nil, fmt.Errorf("no %q; there are %s", want, strings.Join(names, ", "))
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}
