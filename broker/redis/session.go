package redis

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/gohubkit/hubkit/internal/resp"
)

// session is a connection of a link. One goroutine reads it and calls the receiver, one writes it.
type session struct {
	link  *link
	conn  *resp.Conn
	inbox inbox
	heard atomic.Uint64 // messages
	taken atomic.Uint64 // reads: the connection is alive

	mu      sync.Mutex
	out     []byte     // not yet written
	pending []*request // in the order in which they are answered
	err     error      // why there are no answers any more
	wake    chan struct{}
}

// request is a command under way.
type request struct {
	verb  string  // as the server confirms it; HELLO; empty for another command
	rooms []*room // of which the first have been confirmed
	probe string  // in place of rooms
	done  chan error

	// Another command, and what takes the answer unless that is an error, or the request that it was sent behind was refused.
	command []byte
	take    func(v *resp.Value) error
	behind  *request

	refused bool // belongs to the goroutine that reads
}

var errRefused = errors.New("the subscription before the question was refused")

func newRequest(verb string, rooms []*room) *request {
	return &request{verb: verb, rooms: rooms, done: make(chan error, 1)}
}

// connect makes a session. Its goroutines are run's.
func (l *link) connect(ctx context.Context) (*session, error) {
	conn, err := l.b.connect(ctx, l.addr)
	if err != nil {
		return nil, err
	}
	return &session{link: l, conn: conn, inbox: inbox{b: l.b, link: l}, wake: make(chan struct{}, 1)}, nil
}

// run reads and writes until the connection fails or is closed, and returns when the receiver is not called any more.
func (s *session) run() error {
	var writer sync.WaitGroup
	gone := make(chan struct{})
	writer.Go(func() {
		if err := s.write(gone); err != nil {
			_ = s.fail(err) // run tells it
			_ = s.conn.Close()
		}
	})
	err := s.fail(s.read())
	_ = s.conn.Close()
	close(gone)
	writer.Wait()
	return err
}

// fail ends what is under way, and tells what came first.
func (s *session) fail(err error) error {
	s.mu.Lock()
	if s.err == nil {
		s.err = fmt.Errorf("connection lost: %w", err)
	}
	err = s.err
	pending := s.pending
	s.pending = nil
	s.mu.Unlock()
	for _, q := range pending {
		q.done <- err
	}
	return err
}

// send has commands written in this order. It does not block; each answer comes to the request.
func (s *session) send(requests ...*request) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	for _, q := range requests {
		s.out = q.appendTo(s.out, s.link.b.names.suffix)
	}
	s.pending = append(s.pending, requests...)
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return nil
}

func (q *request) appendTo(dst []byte, suffix string) []byte {
	if q.take != nil {
		return append(dst, q.command...)
	}
	verb := strings.ToUpper(q.verb)
	switch {
	case q.verb == verbHello:
		return resp.AppendCommand(dst, verb)
	case q.rooms == nil:
		return resp.AppendCommand(dst, verb, q.probe+suffix)
	}
	dst = resp.AppendWord(resp.AppendHead(dst, 1+len(q.rooms)), verb)
	for _, r := range q.rooms {
		dst = append(append(resp.AppendSize(dst, len(r.channel)+len(suffix)), r.channel...), suffix...)
		dst = append(dst, '\r', '\n')
	}
	return dst
}

func (s *session) write(gone <-chan struct{}) error {
	var out []byte
	for {
		select {
		case <-gone:
			return nil
		case <-s.wake:
		}
		s.mu.Lock()
		out, s.out = s.out, out[:0]
		s.mu.Unlock()
		if _, err := s.conn.Write(out); err != nil {
			return err
		}
		if cap(out) > bufferSize {
			out = nil // many rooms at once are rare
		}
	}
}

func (s *session) read() error {
	gathered := 0
	idle := func() {
		gathered = 0
		s.inbox.flush()
	}
	defer idle() // what the connection brought last
	for {
		v, ok, err := s.conn.Next()
		if err != nil {
			return err
		}
		if !ok {
			if err := s.conn.Fill(idle); err != nil {
				return err
			}
			s.taken.Add(1)
			continue
		}
		if err := s.take(&v); err != nil {
			return err
		}
		if gathered++; gathered == maxGathered {
			idle() // however much there is, nobody waits for all of it
		}
	}
}

// maxGathered is how many messages at most are handed over before the receiver is told to send them on.
const maxGathered = 1024

func (s *session) take(v *resp.Value) error {
	if v.Kind != resp.Push {
		return s.answered(v)
	}
	if len(v.Elems) != 3 {
		return nil // of something that nobody here has asked for
	}
	verb, channel := string(v.Elems[0].Text), v.Elems[1].Text
	channel = channel[:max(0, len(channel)-len(s.link.b.names.suffix))]
	switch verb {
	case "message", "smessage":
		s.heard.Add(1)
		s.inbox.message(channel, v.Elems[2].Text)
	case verbSubscribe, verbUnsubscribe, verbSsubscribe, verbSunsubscribe:
		if s.confirmed(verb, channel) {
			return nil
		}
		if verb != verbSunsubscribe {
			return fmt.Errorf("%w: %s", errDesync, verb)
		}
		s.link.b.rooms.drift(string(channel), s.link) // the server has ended it: the slot has moved
	}
	return nil
}

// confirmed tells whether the server said what was to come next.
func (s *session) confirmed(verb string, channel []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.pending) == 0 {
		return false
	}
	q := s.pending[0]
	want := q.probe
	if len(q.rooms) > 0 {
		want = q.rooms[0].channel
	}
	if q.verb != verb || want != string(channel) {
		return false
	}
	if len(q.rooms) > 0 {
		q.rooms = q.rooms[1:]
	}
	if len(q.rooms) == 0 {
		s.pending = s.pending[1:]
		q.done <- nil
	}
	return true
}

// answered takes in what is no push: what the server says it is, the answer to a question, and the refusal of anything.
func (s *session) answered(v *resp.Value) error {
	err := v.Err()
	s.mu.Lock()
	if len(s.pending) == 0 || err == nil && s.pending[0].verb != verbHello && s.pending[0].take == nil {
		s.mu.Unlock()
		return errors.Join(errDesync, err)
	}
	q := s.pending[0]
	s.pending = s.pending[1:]
	s.mu.Unlock()
	switch {
	case q.take != nil && q.behind.refused:
		err = errRefused
	case q.take != nil && err == nil:
		err = q.take(v)
	}
	q.refused = err != nil
	q.done <- err
	if role, ok := v.Get("role"); ok && isReplica(role.Text) {
		s.link.b.demoted(s.link.addr, errReplica)
		return errReplica
	}
	return nil
}
