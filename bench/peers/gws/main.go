// Command gws is the benchmark server on lxzan/gws, as its documentation has it: an event handler, the
// read loop detached from the HTTP handler, a Broadcaster per message.
package main

import (
	"context"
	"net/http"

	"github.com/gohubkit/hubkit/bench/internal/benchserver"
	"github.com/gohubkit/hubkit/bench/internal/rooms"
	"github.com/lxzan/gws"
)

func main() { benchserver.Main(newBackend) }

type backend struct {
	gws.BuiltinEventHandler
	upgrader *gws.Upgrader
	rooms    rooms.Index[*gws.Conn]
}

func newBackend(cfg benchserver.Config) (benchserver.Backend, error) {
	if cfg.Redis != "" {
		return nil, benchserver.ErrNoRedis
	}
	b := &backend{}
	b.upgrader = gws.NewUpgrader(b, nil)
	return b, nil
}

func (b *backend) ServeWS(w http.ResponseWriter, r *http.Request, room string, echo bool) {
	socket, err := b.upgrader.Upgrade(w, r)
	if err != nil {
		return
	}
	if echo {
		room = rooms.Echo
	}
	socket.Session().Store("room", room)
	b.rooms.Add(room, socket)
	go socket.ReadLoop()
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
