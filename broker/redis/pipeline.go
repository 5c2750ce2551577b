package redis

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/internal/resp"
)

const (
	// bulk is how many bytes are written though earlier commands are not answered yet.
	bulk = 16 << 10
	// near is how soon a server answers for whose answers it is worth waiting before more is written.
	near = 300 * time.Microsecond
	// maxUnanswered is how many bytes of commands may be without an answer before callers wait.
	maxUnanswered = 4 << 20
	// roleAge is for how long what a server has said that it is counts.
	roleAge = 100 * time.Millisecond
	// keepBuffer is the size up to which a buffer is used again.
	keepBuffer = 256 << 10
)

// pipeline is one connection, by which the commands of many callers go out together.
//
// There is no goroutine between a caller and the socket, and no timer. A caller appends its command to what has
// gathered. Where nothing is under way it then lets others that are about to do so go first, and writes what there is.
// While something is under way, commands gather until its answers have come: the goroutine that reads them writes
// what has gathered meanwhile. A server that is too far away for that is written to at once.
type pipeline struct {
	b     *Broker
	addr  string
	conn  *resp.Conn
	taken atomic.Uint64 // reads: the connection is alive
	rest  chan []byte   // what the socket did not take at once, for the writer

	mu        sync.Mutex
	out       []byte  // gathered, not yet written
	spare     []byte  // the buffer that was written last
	pending   []*call // from first on in the order in which they are answered
	first     int
	sent      int // how many of them have been written
	held      int // their bytes
	writing   bool
	asked     time.Time     // when something was written while nothing was under way; zero after its answer
	trip      time.Duration // how soon that was answered, lately
	space     chan struct{} // closed when there is space again; nil unless somebody waits
	confirmed time.Time     // when the server was asked last whether it is a replica
	leaving   bool          // takes no more
	replica   bool          // what is published here reaches few
	err       error         // why there are no answers any more
}

func newPipeline(b *Broker, addr string, conn *resp.Conn) *pipeline {
	return &pipeline{b: b, addr: addr, conn: conn, rest: make(chan []byte, 1)}
}

// enter has a publication written, or without one the question what the server is. It waits for space, no longer than ctx, and for nothing else. An
// error says that nothing will be written.
func (p *pipeline) enter(ctx context.Context, c *call, room string, pub *broker.Publication) error {
	p.mu.Lock()
	for pub != nil && p.held >= maxUnanswered && p.err == nil && !p.leaving {
		if p.space == nil {
			p.space = make(chan struct{})
		}
		space := p.space
		p.mu.Unlock()
		select {
		case <-space:
		case <-ctx.Done():
			return ctx.Err()
		}
		p.mu.Lock()
	}
	if p.err != nil || p.leaving {
		p.mu.Unlock()
		return errNotDone
	}
	if len(p.out) == 0 && pub != nil {
		p.askFirst()
	}
	before := len(p.out)
	if pub != nil {
		p.out = p.b.appendPublication(p.out, room, pub)
		c.script = !isPlain(pub)
	} else {
		p.out = resp.AppendCommand(p.out, verbHello)
	}
	p.gather(c, len(p.out)-before)
	mine := p.due()
	p.writing = p.writing || mine
	p.mu.Unlock()
	if mine {
		runtime.Gosched()
		p.flush()
	}
	return nil
}

// ask asks the server for its role, and so for a sign of life.
func (p *pipeline) ask() error {
	return p.enter(context.Background(), &call{done: make(chan struct{}, 1), hello: true}, "", nil)
}

// askFirst puts the question what the server is in front of what is gathered next, unless it was asked a moment ago. Where
// channels are not sharded a replica takes publications, and does not say so: nobody is told that one was accepted which
// reached few. mu is held.
func (p *pipeline) askFirst() {
	if p.b.cluster {
		return // a replica says who has the slot
	}
	now := time.Now()
	if now.Sub(p.confirmed) < roleAge {
		return
	}
	p.confirmed = now
	p.out = resp.AppendCommand(p.out, verbHello)
	p.gather(&call{done: make(chan struct{}, 1), hello: true}, len(p.out))
}

// gather notes that a command of a size was appended to what has gathered. mu is held.
func (p *pipeline) gather(c *call, size int) {
	c.size = size
	p.held += size
	p.push(c)
}

func (p *pipeline) push(c *call) {
	if len(p.pending) == cap(p.pending) && p.first > len(p.pending)/2 {
		n := copy(p.pending, p.pending[p.first:])
		clear(p.pending[n:])
		p.pending, p.first = p.pending[:n], 0
	}
	p.pending = append(p.pending, c)
}

func (p *pipeline) pop() *call {
	c := p.pending[p.first]
	p.pending[p.first] = nil
	if p.first++; p.first == len(p.pending) {
		p.pending, p.first = p.pending[:0], 0
	}
	p.sent--
	p.held -= c.size
	return c
}

// due tells whether what has gathered is to be written by whoever asks. If not, somebody is writing, or will when
// answers come.
func (p *pipeline) due() bool {
	return !p.writing && len(p.out) > 0 && (p.sent == 0 || len(p.out) >= bulk || p.trip > near)
}

// flush writes what has gathered. Whoever calls it has set writing.
func (p *pipeline) flush() {
	p.mu.Lock()
	for {
		out := p.out
		p.out, p.spare = p.spare, nil
		if p.sent == 0 {
			p.asked = time.Now()
		}
		p.sent = len(p.pending) - p.first
		p.mu.Unlock()
		n, err := p.conn.Send(out)
		if err != nil {
			_ = p.fail(err)
			_ = p.conn.Close()
			return
		}
		if n < len(out) {
			p.rest <- out[n:] // there is one at most: writing is still set
			return
		}
		p.mu.Lock()
		if !p.wrote(out) {
			p.mu.Unlock()
			return
		}
	}
}

// wrote takes the buffer back, and tells whether to write on.
func (p *pipeline) wrote(out []byte) bool {
	if cap(out) <= keepBuffer {
		p.spare = out[:0]
	}
	p.writing = false
	p.writing = p.err == nil && p.due()
	return p.writing
}

// leave takes no more. The connection ends when everything is answered; leave tells whether it is.
func (p *pipeline) leave() (empty bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.leaving = true
	p.makeSpace()
	return len(p.pending) == 0
}

// run reads, and writes what callers could not, until the connection fails or is closed.
func (p *pipeline) run() error {
	var writer sync.WaitGroup
	gone := make(chan struct{})
	writer.Go(func() {
		if err := p.write(gone); err != nil {
			_ = p.fail(err) // run tells it
			_ = p.conn.Close()
		}
	})
	err := p.fail(p.read())
	_ = p.conn.Close()
	close(gone)
	writer.Wait()
	return err
}

// write writes what the socket does not take at once.
func (p *pipeline) write(gone <-chan struct{}) error {
	for {
		select {
		case <-gone:
			return nil
		case rest := <-p.rest:
			if _, err := p.conn.Write(rest); err != nil {
				return err
			}
			p.mu.Lock()
			more := p.wrote(rest)
			p.mu.Unlock()
			if more {
				p.flush()
			}
		}
	}
}

func (p *pipeline) read() error {
	var answered []*call
	idle := func() {}
	for {
		if err := p.conn.Fill(idle); err != nil {
			return err
		}
		p.taken.Add(1)
		var err error
		answered, err = p.take(answered[:0])
		for _, c := range answered {
			c.done <- struct{}{} // whoever waits takes it back
		}
		if err != nil {
			return err
		}
		if len(answered) == 0 {
			continue
		}
		clear(answered)
		runtime.Gosched() // they may publish again, and then go out together
		p.mu.Lock()
		mine := !p.writing && len(p.out) > 0
		p.writing = p.writing || mine
		p.mu.Unlock()
		if mine {
			p.flush()
		}
	}
}

// take takes in all answers that have been read.
func (p *pipeline) take(answered []*call) ([]*call, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.asked.IsZero() {
		took := time.Since(p.asked)
		if p.trip > 0 {
			took = min(took, p.trip+p.trip/16+1)
		}
		p.trip, p.asked = took, time.Time{}
	}
	epoch := ""
	for {
		v, ok, err := p.conn.Next()
		if err != nil {
			return answered, err
		}
		if !ok {
			break
		}
		if v.Kind == resp.Push {
			continue // nobody here has asked for any
		}
		if p.sent == 0 {
			return answered, errors.Join(errDesync, v.Err())
		}
		c := p.pop()
		switch isReplica := c.take(p.b, epoch, &v); {
		case isReplica && !p.replica:
			p.replica, p.leaving = true, true
			p.b.demoted(p.addr, errReplica)
		case p.replica && c.err == nil:
			c.err = errReplica // it was published, and may have reached few
		}
		epoch = c.res.Position.Epoch
		answered = append(answered, c)
	}
	p.makeSpace()
	if p.leaving && len(p.pending) == 0 {
		if p.replica {
			return answered, errReplica
		}
		return answered, errLeft
	}
	return answered, nil
}

// makeSpace lets those in who wait for space, where there is some.
func (p *pipeline) makeSpace() {
	if p.space != nil && (p.held <= maxUnanswered/2 || p.err != nil || p.leaving) {
		close(p.space)
		p.space = nil
	}
}

// fail ends what is under way, and tells what came first. Of what was not written yet it is certain that it is not
// executed.
func (p *pipeline) fail(err error) error {
	p.mu.Lock()
	if p.err == nil {
		p.err = fmt.Errorf("connection lost: %w", err)
	}
	err = p.err
	pending, sent := p.pending[p.first:], p.sent
	p.pending, p.first, p.sent, p.held, p.out = nil, 0, 0, 0, nil
	p.makeSpace()
	p.mu.Unlock()
	for i, c := range pending {
		if c.err = err; i >= sent {
			c.err = errNotDone
		}
		c.done <- struct{}{}
	}
	return err
}
