// Command gws is the benchmark server on lxzan/gws, as its documentation has it: an event handler, the
// read loop detached from the HTTP handler, a Broadcaster per message. With -server it has no net/http, and the
// library's own Server reads the handshakes, as in https://github.com/lesismal/go-websocket-benchmark, frameworks/gws.
package main

import (
	"bufio"
	"context"
	"flag"
	"net"
	"net/http"
	"net/http/httptest"

	"github.com/gohubkit/hubkit/bench/internal/benchserver"
	"github.com/gohubkit/hubkit/bench/internal/rooms"
	"github.com/lxzan/gws"
)

var (
	// The README's example turns this on; it is off by default. The comparison has both.
	parallel = flag.Bool("parallel", false, "process the messages of a connection in parallel")
	// That comparison's flag -b, for the libraries that have such a buffer; 4 KiB by default.
	readBuffer = flag.Int("read-buffer", 0, "`bytes` of a connection's read buffer; 0 for the default")
	server     = flag.Bool("server", false, "accept connections by gws.Server and not by net/http")
)

func main() {
	benchserver.Main(func(cfg benchserver.Config) (benchserver.Backend, error) {
		b, err := newBackend(cfg)
		if err != nil || !*server {
			return b, err
		}
		return &ownServer{b}, nil
	})
}

type backend struct {
	gws.BuiltinEventHandler
	upgrader *gws.Upgrader
	rooms    rooms.Index[*gws.Conn]
}

func newBackend(cfg benchserver.Config) (*backend, error) {
	if cfg.Redis != "" {
		return nil, benchserver.ErrNoRedis
	}
	b := &backend{}
	b.upgrader = gws.NewUpgrader(b, b.option())
	return b, nil
}

func (b *backend) option() *gws.ServerOption {
	return &gws.ServerOption{ParallelEnabled: *parallel, ReadBufferSize: *readBuffer}
}

// ownServer is the backend on gws.Server.
type ownServer struct{ *backend }

// ListenAndServe implements benchserver.Listener. A request that is no handshake goes to h.
func (s *ownServer) ListenAndServe(ctx context.Context, addr string, h http.Handler) error {
	lc := net.ListenConfig{KeepAlive: -1}
	l, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	srv := gws.NewServer(s.backend, s.option())
	srv.OnError = func(net.Conn, error) {}
	srv.OnRequest = func(conn net.Conn, br *bufio.Reader, r *http.Request) {
		if r.URL.Path != "/ws" {
			answer(conn, r, h)
			return
		}
		socket, err := srv.GetUpgrader().UpgradeFromConn(conn, br, r)
		if err != nil {
			return
		}
		q := r.URL.Query()
		s.enter(socket, q.Get("room"), q.Get("echo") == "1")
		socket.ReadLoop()
	}
	failed := make(chan error, 1)
	go func() { failed <- srv.RunListener(l) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done(): // the listener stays open: RunListener has no end
		return nil
	}
}

// answer serves one request of the benchmark's own and closes the connection.
func answer(conn net.Conn, r *http.Request, h http.Handler) {
	defer func() { _ = conn.Close() }()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	resp := w.Result()
	resp.ContentLength, resp.Close = int64(w.Body.Len()), true
	_ = resp.Write(conn)
}

func (b *backend) ServeWS(w http.ResponseWriter, r *http.Request, room string, echo bool) {
	socket, err := b.upgrader.Upgrade(w, r)
	if err != nil {
		return
	}
	b.enter(socket, room, echo)
	go socket.ReadLoop()
}

func (b *backend) enter(socket *gws.Conn, room string, echo bool) {
	if echo {
		room = rooms.Echo
	}
	socket.Session().Store("room", room)
	b.rooms.Add(room, socket)
}

func roomOf(socket *gws.Conn) string {
	v, _ := socket.Session().Load("room")
	return v.(string)
}

func (b *backend) OnClose(socket *gws.Conn, _ error) { b.rooms.Remove(roomOf(socket), socket) }

func (b *backend) OnPing(socket *gws.Conn, payload []byte) { _ = socket.WritePong(payload) }

func (b *backend) OnMessage(socket *gws.Conn, message *gws.Message) {
	defer func() { _ = message.Close() }()
	if roomOf(socket) == rooms.Echo {
		_ = socket.WriteMessage(message.Opcode, message.Bytes())
	}
}

func (b *backend) Publish(_ context.Context, room string, payload []byte) error {
	m := gws.NewBroadcaster(gws.OpcodeText, payload)
	b.rooms.Each(room, func(socket *gws.Conn) { _ = m.Broadcast(socket) })
	return m.Close()
}

func (b *backend) Conns() int { return b.rooms.Len() }

// Drops is zero: the write queue of gws has no bound.
func (b *backend) Drops() int64 { return 0 }
