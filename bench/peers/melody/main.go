// Command melody is the benchmark server on olahol/melody.
package main

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"

	"github.com/gohubkit/hubkit/bench/internal/benchserver"
	"github.com/gohubkit/hubkit/bench/internal/rooms"
	"github.com/olahol/melody"
)

func main() { benchserver.Main(newBackend) }

const roomKey = "room"

type backend struct {
	m     *melody.Melody
	rooms rooms.Index[*melody.Session]
	drops atomic.Int64
}

func newBackend(cfg benchserver.Config) (benchserver.Backend, error) {
	if cfg.Redis != "" {
		return nil, benchserver.ErrNoRedis
	}
	b := &backend{m: melody.New()}
	b.m.Config.MessageBufferSize = cfg.Queue
	b.m.Config.MaxMessageSize = 64 << 10
	b.m.HandleConnect(func(s *melody.Session) { b.rooms.Add(roomOf(s), s) })
	b.m.HandleDisconnect(func(s *melody.Session) { b.rooms.Remove(roomOf(s), s) })
	b.m.HandleMessage(func(s *melody.Session, msg []byte) {
		if roomOf(s) == rooms.Echo {
			_ = s.Write(msg)
		}
	})
	b.m.HandleError(func(_ *melody.Session, err error) {
		if errors.Is(err, melody.ErrMessageBufferFull) {
			b.drops.Add(1)
		}
	})
	return b, nil
}

func roomOf(s *melody.Session) string { return s.MustGet(roomKey).(string) }

func (b *backend) ServeWS(w http.ResponseWriter, r *http.Request, room string, echo bool) {
	if echo {
		room = rooms.Echo
	}
	_ = b.m.HandleRequestWithKeys(w, r, map[string]any{roomKey: room})
}

// Publish takes the cheaper of melody's ways: one envelope for everybody where the room is everybody,
// and otherwise the members alone, since BroadcastFilter asks every session there is.
func (b *backend) Publish(_ context.Context, room string, payload []byte) error {
	if b.rooms.Size(room) == b.m.Len() {
		return b.m.Broadcast(payload)
	}
	b.rooms.Each(room, func(s *melody.Session) { _ = s.Write(payload) })
	return nil
}

func (b *backend) Conns() int { return b.rooms.Len() }

func (b *backend) Drops() int64 { return b.drops.Load() }

func (b *backend) Close() error { return b.m.Close() }
