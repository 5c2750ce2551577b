package client_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/gohubkit/hubkit/backoff"
	"github.com/gohubkit/hubkit/client"
	"github.com/gohubkit/hubkit/protocol"
)

// patience is how long a test waits for what must come; it only bounds a failure.
const patience = 20 * time.Second

// server hands every connection to the test, which plays the hub by hand.
type server struct {
	t     testing.TB
	url   string
	peers chan *peer

	handlers sync.RWMutex // read-locked by each

	mu        sync.Mutex
	refuse    func(w http.ResponseWriter, r *http.Request) bool
	compress  bool
	anonymous bool // takes no subprotocol

	patience time.Duration
}

// newServer serves on loopback.
func newServer(t testing.TB) *server {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, url: "ws://" + ln.Addr().String(), peers: make(chan *peer, 1000), patience: patience}
	s.serve(ln)
	return s
}

// serve returns what stops listening, which happens at the end of the test anyway.
func (s *server) serve(ln net.Listener) (stop func()) {
	srv := &http.Server{Handler: s, ReadHeaderTimeout: time.Minute}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			s.t.Error(err)
		}
	}()
	stop = func() { // and no handler says anything to a test that is over
		_ = srv.Close()
		<-ended
		s.handlers.Lock()
		defer s.handlers.Unlock()
	}
	s.t.Cleanup(stop)
	return stop
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.handlers.RLock()
	defer s.handlers.RUnlock()
	s.mu.Lock()
	refuse, compress, anonymous := s.refuse, s.compress, s.anonymous
	s.mu.Unlock()
	if refuse != nil && refuse(w, r) {
		return
	}
	up := websocket.Upgrader{Subprotocols: []string{protocol.Subprotocol}, EnableCompression: compress}
	if anonymous {
		up.Subprotocols = nil
	}
	ws, err := up.Upgrade(w, r, w.Header())
	if _, bad := errors.AsType[websocket.HandshakeError](err); bad {
		s.t.Error(err)
	}
	if err != nil {
		return // a client may go at any time
	}
	s.peers <- &peer{t: s.t, ws: ws, header: r.Header, query: r.URL.Query(), patience: s.patience}
}

func (s *server) answer(f func(w http.ResponseWriter, r *http.Request) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuse = f
}

// accept returns the next connection.
func (s *server) accept() *peer {
	s.t.Helper()
	select {
	case p := <-s.peers:
		s.t.Cleanup(p.cut)
		return p
	case <-time.After(s.patience):
		s.t.Fatal("no connection")
		return nil
	}
}

// greet accepts a connection and welcomes it.
func (s *server) greet() (*peer, request) {
	s.t.Helper()
	p := s.accept()
	hello := p.read()
	if hello.Op != protocol.OpHello {
		s.t.Fatalf("first frame is %v, want hello", hello.Op)
	}
	p.welcome()
	return p, hello
}

// peer is the server's end of a connection.
type peer struct {
	t        testing.TB
	ws       *websocket.Conn
	header   http.Header
	query    url.Values
	patience time.Duration
}

// request is a protocol.Request that outlives its frame.
type request struct {
	Op                           protocol.Op
	ID                           uint64
	Room, IdempotencyKey, Method string
	Token, Session, Data         string
	Position                     client.Position
	History                      int
	Resume                       []room
	Joined                       []string // of Resume: rooms that the server had put the client into
	Limit                        int
	Reverse, Count               bool
	After                        string
}

type room struct {
	Room     string
	Position client.Position
}

func position(p protocol.Position) client.Position {
	return client.Position{Epoch: string(p.Epoch), Offset: p.Offset}
}

// next reads a frame.
func (p *peer) next() (request, error) {
	_ = p.ws.SetReadDeadline(time.Now().Add(p.patience))
	_, frame, err := p.ws.ReadMessage()
	if err != nil {
		return request{}, err
	}
	var q protocol.Request
	if err := q.Decode(frame); err != nil {
		p.t.Errorf("client sent %s: %v", frame, err)
		return request{}, err
	}
	r := request{
		Op: q.Op, ID: q.ID, Room: string(q.Room), IdempotencyKey: string(q.IdempotencyKey), Method: string(q.Method),
		Token: string(q.Token), Session: string(q.Session), Data: string(q.Data),
		Position: position(q.Position), History: q.History,
		Limit: q.Limit, Reverse: q.Reverse, Count: q.Count, After: string(q.After),
	}
	for _, res := range q.Resume {
		r.Resume = append(r.Resume, room{string(res.Room), position(res.Position)})
		if res.Joined {
			r.Joined = append(r.Joined, string(res.Room))
		}
	}
	return r, nil
}

func (p *peer) read() request {
	p.t.Helper()
	r, err := p.next()
	if err != nil {
		p.t.Fatal(err)
	}
	return r
}

// want reads a frame of an op.
func (p *peer) want(op protocol.Op) request {
	p.t.Helper()
	r := p.read()
	if r.Op != op {
		p.t.Fatalf("client sent %v %+v, want %v", r.Op, r, op)
	}
	return r
}

func (p *peer) send(frame []byte) {
	p.t.Helper()
	if err := p.ws.WriteMessage(websocket.TextMessage, frame); err != nil {
		p.t.Fatal(err)
	}
}

// reply sends a frame to a client that may be gone.
func (p *peer) reply(frame []byte) { _ = p.ws.WriteMessage(websocket.TextMessage, frame) }

// ticket is that of every welcome.
const ticket = "AWtL_2gtdGlja2V0"

func (p *peer) welcome() {
	p.t.Helper()
	p.send(protocol.AppendWelcome(nil, protocol.Welcome{Conn: "c1", Node: "n1", Session: "s1", Ping: 25 * time.Second, Ticket: ticket}))
}

func (p *peer) ok(id uint64, room string, pos client.Position) {
	p.t.Helper()
	p.send(protocol.AppendOK(nil, protocol.OK{ID: id, Room: room, Epoch: pos.Epoch, Offset: pos.Offset}))
}

func (p *peer) fail(id uint64, room string, err *protocol.Error) {
	p.t.Helper()
	p.send(protocol.AppendError(nil, id, room, err))
}

func (p *peer) message(room, data string, pos client.Position) {
	p.t.Helper()
	p.send(protocol.AppendMessage(nil, room, []byte(data), pos.Epoch, pos.Offset))
}

// close sends a close frame and takes the client's.
func (p *peer) close(code protocol.CloseCode, reason string) {
	p.t.Helper()
	payload := websocket.FormatCloseMessage(int(code), reason)
	if err := p.ws.WriteControl(websocket.CloseMessage, payload, time.Now().Add(patience)); err != nil {
		p.t.Fatal(err)
	}
	if got := p.goodbye(); got != int(code) {
		p.t.Errorf("client answered close %d with %d", code, got)
	}
}

// refuse sends a close frame to a client that was not welcomed, and so does not answer it.
func (p *peer) refuse(code protocol.CloseCode) {
	p.t.Helper()
	payload := websocket.FormatCloseMessage(int(code), "")
	if err := p.ws.WriteControl(websocket.CloseMessage, payload, time.Now().Add(patience)); err != nil {
		p.t.Fatal(err)
	}
}

// goodbye returns the code of the client's close frame.
func (p *peer) goodbye() int {
	for {
		if _, err := p.next(); err != nil {
			var e *websocket.CloseError
			if !errors.As(err, &e) {
				p.t.Errorf("client went without a close frame: %v", err)
				return 0
			}
			return e.Code
		}
	}
}

// cut ends the connection without a word.
func (p *peer) cut() { _ = p.ws.Close() }

// at is a position of the epoch that most tests use.
func at(offset uint64) client.Position { return client.Position{Epoch: "e1", Offset: offset} }

// quick comes back at once.
func quick(t testing.TB) client.Option {
	t.Helper()
	p, err := backoff.New(backoff.WithBase(time.Millisecond), backoff.WithCap(time.Millisecond), backoff.WithFirst(0))
	if err != nil {
		t.Fatal(err)
	}
	return client.WithBackoff(p)
}

// running is a client whose Run was called.
type running struct {
	*client.Client
	t      testing.TB
	cancel context.CancelFunc
	ended  chan struct{}
	err    error
}

func newClient(t testing.TB, url string, opts ...client.Option) *client.Client {
	t.Helper()
	c, err := client.New(url, append([]client.Option{quick(t), client.WithLogger(slog.New(slog.DiscardHandler))}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func run(t testing.TB, c *client.Client) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{Client: c, t: t, cancel: cancel, ended: make(chan struct{})}
	go func() {
		defer close(r.ended)
		r.err = c.Run(ctx)
	}()
	t.Cleanup(func() { cancel(); <-r.ended })
	return r
}

// end waits for Run and returns its error.
func (r *running) end() error {
	r.t.Helper()
	select {
	case <-r.ended:
		return r.err
	case <-time.After(patience):
		r.t.Fatal("Run does not return")
		return nil
	}
}

// receive returns what comes next on a channel.
func receive[T any](t testing.TB, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatal("nothing came")
		panic("unreachable")
	}
}

// awaitStatus skips states up to one with the status.
func awaitStatus(t testing.TB, states <-chan client.State, want client.Status) client.State {
	t.Helper()
	for {
		if st := receive(t, states); st.Status == want {
			return st
		}
	}
}

// collect returns a channel and what sends to it.
func collect[T any](n int) (chan T, func(T)) {
	c := make(chan T, n)
	return c, func(v T) { c <- v }
}
