package link

import "github.com/gohubkit/hubkit/internal/wsload"

func newEpoll(o Options) (Links, error, bool) {
	c, err := wsload.New(wsload.Options{
		Addr: o.Addr, Host: o.Host, Conns: o.Conns, Loops: o.Shards, Path: o.Path, Subprotocol: o.Subprotocol,
		Header: o.Header, Local: o.Local, Handler: o.Handler,
	})
	return c, err, true
}
