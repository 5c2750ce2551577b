package deps

// module is the path that package names in the policy are relative to.
const module = "github.com/gohubkit/hubkit"

// Third-party modules and packages that the policy grants.
const (
	gorilla = "github.com/gorilla/websocket"
	rueidis = "github.com/redis/rueidis"
	ants    = "github.com/panjf2000/ants/v2"
	goleak  = "go.uber.org/goleak"
	xrate   = "golang.org/x/time"
	xsys    = "golang.org/x/sys"
)

// rule is what is asked of a set of packages. A package obeys the first rule that names it.
type rule struct {
	// pkgs are paths below module; "x/..." is x and all below it.
	pkgs []string
	// not are packages of the module, in the same patterns, that pkgs must not reach by any chain
	// of imports. A package always reaches itself.
	not []string
	// grants are the modules outside the standard library that pkgs may import directly.
	grants []string
	// tests are packages that the tests of pkgs may import all the same: where they run both sides
	// of the wire, that is any.
	tests []string
}

// policy covers every package of the module; a new one must be put into it.
var policy = []rule{
	{
		pkgs:   []string{"hub"},
		not:    []string{"broker/redis", "client"},
		grants: []string{gorilla, xrate, xsys},
		tests:  []string{"..."},
	},
	{
		pkgs:  []string{"dash"},
		not:   []string{"broker/redis", "client"},
		tests: []string{"..."},
	},
	{
		pkgs:  []string{"broker"},
		not:   []string{"..."},
		tests: []string{"broker/memory"}, // its Examples need a broker
	},
	{
		pkgs: []string{"broker/brokertest", "broker/memory"},
		not:  []string{"hub", "client", "broker/redis"},
	},
	{
		pkgs:   []string{"broker/redis"},
		not:    []string{"hub", "client", "broker/memory"},
		grants: []string{rueidis},
	},
	{
		pkgs: []string{"heartbeat", "backoff", "internal/histogram"},
		not:  []string{"..."},
	},
	{
		pkgs:  []string{"protocol"},
		not:   []string{"..."},
		tests: []string{"broker", "internal/cbor"}, // types that must stay the same, and what writes the frames that it reads
	},
	{
		pkgs:   []string{"workerpool"},
		not:    []string{"..."},
		grants: []string{ants, xsys},
	},
	{
		pkgs:   []string{"client"},
		not:    []string{"hub", "broker/..."},
		grants: []string{gorilla},
		tests:  []string{"..."},
	},
	{
		pkgs:   []string{"preflight"},
		not:    []string{"hub", "client", "broker/..."},
		grants: []string{xsys},
	},
	{
		pkgs:  []string{"web"},
		not:   []string{"..."},
		tests: []string{"..."}, // a hub, for the browser
	},
	{
		pkgs:   []string{"internal/testenv"},
		not:    []string{"..."},
		grants: []string{goleak, xsys},
	},
	{
		pkgs:   []string{"internal/interop", "internal/e2e", "internal/cluster"},
		not:    []string{"hub", "client", "broker/..."},
		grants: []string{xsys}, // what the kernel knows of a socket
		tests:  []string{"..."},
	},
	{
		pkgs:  []string{"internal/e2e"},
		not:   []string{"..."},
		tests: []string{"..."},
	},
	{
		pkgs: []string{"internal/storm"}, // whose clients wait as the real one does
		not:  []string{"hub", "broker/..."},
	},
	{
		pkgs:   []string{"internal/engine/..."},
		not:    []string{"hub", "client", "broker/...", "protocol", "internal/core/..."},
		grants: []string{gorilla, xsys},
	},
	{
		pkgs: []string{"internal/core/rate", "internal/core/expire"},
		not:  []string{"..."},
	},
	{
		pkgs: []string{"internal/core/nodes"}, // what is asked and told is not its concern
		not:  []string{"hub", "client", "broker/redis", "broker/memory", "protocol", "internal/engine/...", "internal/core/..."},
	},
	{
		pkgs: []string{"internal/core/codec"}, // which knows of the engine what a frame is, and of the core nothing
		not: []string{"hub", "client", "broker/redis", "broker/memory", "internal/admission", "internal/core/...",
			"internal/engine/fanout", "internal/engine/wire", "internal/engine/netpoll", "internal/engine/decoder"},
	},
	{
		pkgs: []string{"internal/core/presence"},
		not: []string{"hub", "client", "broker/redis", "broker/memory", "internal/core/registry", "internal/core/drain",
			"internal/core/nodes"},
	},
	{
		pkgs: []string{"internal/core/rooms"}, // which knows connections as members, and sockets as Writers
		not: []string{"hub", "client", "broker/redis", "broker/memory", "internal/admission", "internal/core/registry",
			"internal/core/drain", "internal/core/nodes", "internal/core/expire", "internal/engine/netpoll", "internal/engine/decoder"},
		tests: []string{"broker/memory"},
	},
	{
		pkgs: []string{"internal/core/..."},
		not:  []string{"hub", "client", "broker/redis", "broker/memory"},
	},
	{
		pkgs:   []string{"internal/..."},
		not:    []string{"hub", "client", "broker/..."},
		grants: []string{gorilla, xrate, xsys},
	},
	{
		pkgs:   []string{"cmd/...", "examples/..."},
		not:    []string{"internal/deps"},
		grants: []string{gorilla, rueidis, xsys},
		tests:  []string{"..."},
	},
}

// testOnly may be imported by tests, by other modules (bench, cmd/hubload) and by each other alone.
var testOnly = []string{
	"broker/brokertest", "internal/testenv", "internal/interop", "internal/redistest", "internal/deps",
	"internal/wsload", "internal/payload", "internal/browser",
}

// testGrants are the modules that every test may import.
var testGrants = []string{goleak, gorilla}
