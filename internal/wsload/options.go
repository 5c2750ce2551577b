package wsload

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"time"

	"github.com/gohubkit/hubkit/internal/payload"
)

// MaxConns is the most connections one process may hold without a Handler: a hard limit of 20,000 open files,
// less what else needs one.
const MaxConns = 19000

// A Recorder takes what payloads took. Each belongs to one loop, and is called by it alone.
type Recorder interface {
	Record(d time.Duration)
}

// Options say what a Client's connections do. The zero values of Window, Loops, Sample and Sources stand
// for their defaults.
type Options struct {
	// Addr is the server's host:port.
	Addr string
	// Server is whom connection i dials, asked for each Dial, in place of Addr. It is called on the loop of i.
	Server func(i int) netip.AddrPort
	// Host is what the Host header says; Addr by default.
	Host string
	// Header is sent with every handshake.
	Header http.Header
	// Handler, if any, is told of everything and decides everything. Greeting, AppPing, Churn and the echoes
	// are then of no effect, and Open and Counts, but for the pings, say nothing.
	Handler Handler
	// Stream makes the connections event streams: a GET of Path, and each line of data a message of the Handler, which must be
	// set. Nothing can be sent on them. Comments count as pings.
	Stream bool
	// Conns is the number of connections Open makes; with Churn, the number made in all; with a Handler, the
	// bound of the indexes it may dial.
	Conns int
	// Path is the request target of connection i.
	Path func(i int) string
	// Subprotocol is offered in the handshake unless empty.
	Subprotocol string
	// Greeting is the text frames connection i sends after the handshake. Each is answered by one
	// frame before the next is sent, and the connection is ready after the last; nil for none.
	Greeting func(i int) []string
	// AppPing is the text of a protocol's own ping, answered by AppPong; empty for none.
	AppPing, AppPong string
	// Churn closes each connection as soon as it is ready.
	Churn bool
	// EchoBefore and EchoAfter go around the payload of EchoSize bytes in each echo sent.
	EchoBefore, EchoAfter string
	EchoSize              int

	// Window is the number of connections each loop has on the way at once; 128 by default.
	Window int
	// Loops is the number of epoll loops; 1 by default.
	Loops int
	// Recorder makes the one of each loop; nil where latencies are of no interest.
	Recorder func() Recorder
	// Sample is how many payloads go by for each whose latency is recorded; 1 by default.
	Sample int
	// Sources is the number of loopback addresses, from 127.0.0.2 up, the connections come from, since
	// one address has only some 28,000 ports; 4 by default. A server elsewhere is dialed from the
	// address the system picks.
	Sources int
	// Local is the address that connection i comes from, in place of Sources; the zero Addr lets the system
	// pick one.
	Local func(i int) netip.Addr
}

func (o Options) withDefaults() (Options, error) {
	var faults []error
	for _, f := range []struct {
		name  string
		p     *int
		value int
	}{{"Window", &o.Window, 128}, {"Loops", &o.Loops, 1}, {"Sample", &o.Sample, 1}, {"Sources", &o.Sources, 4}} {
		if *f.p < 0 {
			faults = append(faults, fmt.Errorf("wsload: %s is negative", f.name))
		}
		if *f.p == 0 {
			*f.p = f.value
		}
	}
	if o.Path == nil {
		faults = append(faults, errors.New("wsload: no Path"))
	}
	if o.Conns < 1 || !o.Churn && o.Handler == nil && o.Conns > MaxConns {
		faults = append(faults, fmt.Errorf("wsload: %d connections, not 1 to %d", o.Conns, MaxConns))
	}
	if o.Host == "" {
		o.Host = o.Addr
	}
	if o.Sources > 253 {
		faults = append(faults, fmt.Errorf("wsload: %d Sources, more than 253", o.Sources))
	}
	o.EchoSize = max(o.EchoSize, payload.MinSize)
	return o, errors.Join(faults...)
}
