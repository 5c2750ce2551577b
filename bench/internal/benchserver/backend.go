package benchserver

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"
)

// ErrNoRedis is what a backend's constructor returns when it is given a Redis address and its
// library has no way to use it.
var ErrNoRedis = errors.New("benchserver: this server cannot use Redis")

// What a room keeps under -history.
const (
	HistorySize = 1000
	HistoryTTL  = 10 * time.Minute
)

// Config is what the command line says.
type Config struct {
	// Addr is where the process listens; for the backend it is only a name for the node.
	Addr string
	// Redis is the address of a Redis server, or empty.
	Redis string
	// History says that every room keeps its newest messages, HistorySize of them for HistoryTTL, and that
	// connections are such as could resume. It is set only together with Redis.
	History bool
	// Queue is the number of messages that may wait for one connection. The load client's full-rate
	// tests set it to the whole burst, so that no server disconnects a reader that is merely
	// behind. Libraries whose queue has no bound, or one in bytes, translate or ignore it.
	Queue int
}

// Backend is one server under test. Its methods are called from many goroutines.
type Backend interface {
	// ServeWS upgrades the request. With echo unset the connection becomes a member of room and
	// what it sends is read and dropped; with echo set it joins nothing and every data frame is
	// sent back as it came. ServeWS may return at once or when the connection ends, as suits the
	// library. Where the library's protocol lets the client choose the room, room may be ignored.
	ServeWS(w http.ResponseWriter, r *http.Request, room string, echo bool)

	// Publish sends payload as one text message to every member of room. It may return before the
	// message is written, and may block while queues are full. payload belongs to the backend from
	// then on and nobody changes it. Messages of one caller to one room must arrive in their order.
	Publish(ctx context.Context, room string, payload []byte) error

	// Conns counts the connections that are ready: members of their rooms, or echoing. The load
	// client publishes only once it has seen all of its own here.
	Conns() int

	// Drops counts the deliveries the backend knows it gave up: messages not queued for a member,
	// and members cut off for being slow.
	Drops() int64
}

// Listener is implemented by backends whose library brings its own HTTP server. ListenAndServe
// replaces the standard one: it serves h on addr until ctx ends, then returns nil. What it passes to
// h reaches ServeWS as it is.
type Listener interface {
	ListenAndServe(ctx context.Context, addr string, h http.Handler) error
}

// Server is implemented by backends whose library accepts connections for an http.Server.
type Server interface {
	// Serve is in place of srv.Serve.
	Serve(srv *http.Server, l net.Listener) error
}

// A Backend that is also an io.Closer is closed before Main returns.
