package link

import "github.com/gohubkit/hubkit/internal/wsload"

const haveEpoll = true

func newEpoll(o Options) (Links, error) {
	return wsload.New(wsload.Options{
		Addr: o.Addr, Host: o.Host, Conns: o.Conns, Loops: o.Shards, Path: o.Path, Subprotocol: o.Subprotocol,
		Header: o.Header, Local: o.Local, Handler: o.Handler,
	})
}
