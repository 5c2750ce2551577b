package link

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"github.com/gohubkit/hubkit/internal/wsload"
)

// hangupTimeout bounds the wait for the server to close a connection that was hung up on.
const hangupTimeout = 2 * time.Second

// portable has a goroutine that reads for each connection, and one that writes while there is something to write.
type portable struct {
	o       Options
	ctx     context.Context
	cancel  context.CancelFunc
	wg      sync.WaitGroup
	shards  []sync.Mutex
	conns   []*peer // by number; each is guarded by its shard's mutex
	buffers sync.Pool
	sockets atomic.Int64
}

// peer is one connection; ws is nil until the handshake is done. All else is guarded by the shard's mutex.
type peer struct {
	i       int
	ws      *websocket.Conn
	cancel  context.CancelFunc
	left    bool // hung up on
	writing bool
	out     []outgoing
}

type outgoing struct {
	op   wsload.Op
	data []byte
}

func newPortable(o Options) *portable {
	p := &portable{o: o, shards: make([]sync.Mutex, o.Shards), conns: make([]*peer, o.Conns)}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	return p
}

func (p *portable) shard(i int) *sync.Mutex { return &p.shards[i%len(p.shards)] }

func (p *portable) Do(shard int, fn func()) {
	p.shards[shard].Lock()
	defer p.shards[shard].Unlock()
	fn()
}

func (p *portable) Sockets() int64 { return p.sockets.Load() }

func (p *portable) Dial(i int) error {
	ctx, cancel := context.WithCancel(p.ctx)
	c := &peer{i: i, cancel: cancel}
	p.conns[i] = c
	p.wg.Go(func() {
		defer cancel()
		p.serve(ctx, c)
	})
	return nil
}

// serve is the life of a connection.
func (p *portable) serve(ctx context.Context, c *peer) {
	ws, err := p.handshake(ctx, c.i)
	if err == nil {
		defer func() { _ = ws.Close() }()
		stop := context.AfterFunc(p.ctx, func() { _ = ws.Close() })
		defer stop()
		err = p.read(c, ws)
	}
	mu := p.shard(c.i)
	mu.Lock()
	defer mu.Unlock()
	if !c.left && p.ctx.Err() == nil {
		c.left = true
		p.conns[c.i] = nil
		p.o.Handler.Closed(c.i, translate(err))
	}
}

func (p *portable) handshake(ctx context.Context, i int) (*websocket.Conn, error) {
	scheme := "ws://"
	if p.o.TLS != nil {
		scheme = "wss://"
	}
	dialer := websocket.Dialer{
		NetDialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			var d net.Dialer
			if from := p.o.Local(i); from.IsValid() {
				d.LocalAddr = &net.TCPAddr{IP: from.AsSlice()}
			}
			c, err := d.DialContext(ctx, network, p.o.Addr)
			if err != nil {
				return nil, err
			}
			p.sockets.Add(1)
			return &counted{Conn: c, sockets: &p.sockets}, nil
		},
		TLSClientConfig: p.o.TLS,
		ReadBufferSize:  2 << 10,
		WriteBufferSize: 1 << 10,
		WriteBufferPool: &p.buffers,
	}
	if p.o.Subprotocol != "" {
		dialer.Subprotocols = []string{p.o.Subprotocol}
	}
	header := p.o.Header.Clone()
	if header == nil {
		header = http.Header{}
	}
	ws, resp, err := dialer.DialContext(ctx, scheme+p.o.Host+p.o.Path(i), header)
	if resp != nil {
		defer func() { _ = resp.Body.Close() }() // which holds nothing: gorilla has read it
	}
	if err != nil {
		if resp != nil && errors.Is(err, websocket.ErrBadHandshake) {
			err = &wsload.RefusedError{Status: resp.StatusCode, Line: resp.Proto + " " + resp.Status,
				RetryAfter: resp.Header.Get("Retry-After")}
		}
		return nil, err
	}
	return ws, nil
}

// read tells the Handler of everything until the connection ends.
func (p *portable) read(c *peer, ws *websocket.Conn) error {
	on := func(tell func()) bool {
		mu := p.shard(c.i)
		mu.Lock()
		defer mu.Unlock()
		if !c.left {
			tell()
		}
		return !c.left
	}
	ws.SetPongHandler(func(data string) error {
		on(func() { p.o.Handler.Pong(c.i, []byte(data)) })
		return nil
	})
	opened := on(func() {
		c.ws = ws
		p.o.Handler.Opened(c.i, ws.Subprotocol())
	})
	if !opened {
		return nil // while the handshake was under way
	}
	for {
		_, data, err := ws.ReadMessage()
		if err != nil {
			return err
		}
		on(func() { p.o.Handler.Message(c.i, data) })
	}
}

func (p *portable) Send(i int, op wsload.Op, data []byte) {
	c := p.conns[i]
	if c == nil || c.ws == nil {
		return
	}
	c.out = append(c.out, outgoing{op, append([]byte(nil), data...)})
	if !c.writing {
		c.writing = true
		p.wg.Go(func() { p.flush(c) })
	}
}

// flush writes until nothing is left. What fails is seen by the reader too.
func (p *portable) flush(c *peer) {
	mu := p.shard(c.i)
	for {
		mu.Lock()
		out := c.out
		c.out = nil
		c.writing = len(out) > 0
		mu.Unlock()
		if len(out) == 0 {
			return
		}
		for _, m := range out {
			if m.op == wsload.Ping {
				_ = c.ws.WriteControl(websocket.PingMessage, m.data, time.Now().Add(hangupTimeout))
			} else {
				_ = c.ws.WriteMessage(int(m.op), m.data)
			}
		}
	}
}

func (p *portable) Hangup(i int, code int) {
	c := p.conns[i]
	if c == nil {
		return
	}
	p.conns[i] = nil
	c.left = true
	if c.ws == nil {
		c.cancel()
		return
	}
	p.wg.Go(func() {
		until := time.Now().Add(hangupTimeout)
		_ = c.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, ""), until)
		_ = c.ws.SetReadDeadline(until) // for which the reader ends, if the server does not make it
	})
}

func (p *portable) Close() {
	p.cancel()
	p.wg.Wait()
}

// counted counts the sockets that are open.
type counted struct {
	net.Conn
	once    sync.Once
	sockets *atomic.Int64
}

func (c *counted) Close() error {
	err := net.ErrClosed
	c.once.Do(func() {
		if tcp, ok := c.Conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // leaves no TIME_WAIT
		}
		err = c.Conn.Close()
		c.sockets.Add(-1)
	})
	return err
}

// translate puts what the server said into the words of wsload.
func translate(err error) error {
	if closed, ok := errors.AsType[*websocket.CloseError](err); ok && closed.Code != websocket.CloseAbnormalClosure {
		return &wsload.CloseError{Code: closed.Code, Reason: closed.Text}
	}
	return err
}
