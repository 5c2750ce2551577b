package fanout

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gohubkit/hubkit/internal/engine/frame"
	"github.com/gohubkit/hubkit/internal/histogram"
)

// Config of a Scheduler.
type Config struct {
	// Workers is the number of goroutines that run passes.
	Workers int
	// MaxMessages and MaxBytes bound a room's queue, and so a batch. A batch should fit the backlog
	// of an idle connection.
	MaxMessages int
	MaxBytes    int
	// NoUring has workers make a system call for each send, even if the kernel has io_uring.
	NoUring bool

	// Batches, when set, counts the passes by how many messages they take to the members.
	Batches *histogram.Histogram
	// Timed, when set, is called when a pass has sent a message whose publication Room.Time said the beginning of. It must
	// not block.
	Timed func(began time.Duration)
}

// turn is how many chunks a worker does before another room has its turn.
const turn = 16

// Scheduler runs the passes of all rooms.
type Scheduler struct {
	conf    Config
	batches sync.Pool
	workers sync.WaitGroup

	mu     sync.Mutex
	ready  sync.Cond
	queue  ring
	closed bool
	gone   chan struct{} // closed with the last worker

	soon deferred
}

// task is a room whose pass is due, or a pass that wants help or its next turn.
type task struct {
	room    *Room
	members int // of room, when it was scheduled
	pass    *pass
}

// pass is one batch on its way to the members that a room had when it began.
type pass struct {
	room    *Room
	number  uint32 // among the room's
	batch   *frame.Batch
	chunks  []*chunk
	next    atomic.Int32 // the chunk to do next
	left    atomic.Int32 // chunks not done yet
	holders atomic.Bool  // somebody holds on to the batch
}

// NewScheduler starts the workers.
func NewScheduler(conf Config) (*Scheduler, error) {
	var errs []error
	for _, v := range []struct {
		name string
		n    int
	}{{"Workers", conf.Workers}, {"MaxMessages", conf.MaxMessages}, {"MaxBytes", conf.MaxBytes}} {
		if v.n <= 0 {
			errs = append(errs, fmt.Errorf("fanout: %s must be positive, is %d", v.name, v.n))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	s := &Scheduler{conf: conf, gone: make(chan struct{})}
	s.ready.L = &s.mu
	for range conf.Workers {
		s.workers.Go(s.work)
	}
	return s, nil
}

// Close ends the workers when every queued message has been sent, and waits for them. Messages added
// afterwards go nowhere. Later calls wait in the same way.
func (s *Scheduler) Close() {
	s.Flush()
	s.mu.Lock()
	first := !s.closed
	s.closed = true
	s.mu.Unlock()
	s.ready.Broadcast()
	s.workers.Wait()
	if first {
		close(s.gone)
	}
}

func (s *Scheduler) push(t task) {
	s.mu.Lock()
	s.queue.push(t)
	s.mu.Unlock()
	s.ready.Signal()
}

func (s *Scheduler) work() {
	out := newOutlet(s.conf.NoUring)
	defer out.close()
	for {
		s.mu.Lock()
		for s.queue.n == 0 && !s.closed {
			s.ready.Wait()
		}
		if s.queue.n == 0 {
			s.mu.Unlock()
			return
		}
		t := s.queue.pop()
		tasks := s.gather(t, out)
		s.mu.Unlock()
		if tasks != nil {
			s.runTogether(tasks, out)
			continue
		}
		if t.pass == nil {
			t.pass = s.begin(t.room)
			for range min(s.conf.Workers, len(t.pass.chunks)) - 1 {
				s.push(task{pass: t.pass})
			}
		}
		s.run(t.pass, out)
	}
}

// begin begins a room's pass. If the room has no members left, the pass is over at once.
func (s *Scheduler) begin(r *Room) *pass {
	p := r.begin()
	p.left.Store(int32(len(p.chunks)))
	if len(p.chunks) == 0 {
		s.end(p)
		return p
	}
	s.conf.Batches.Observe(int64(p.batch.Len()))
	return p
}

// run does one turn of a pass. out is nil if the sends are made one by one.
func (s *Scheduler) run(p *pass, out *outlet) {
	var t tally
	done := int32(0)
	for done < turn {
		i := int(p.next.Add(1)) - 1
		if i >= len(p.chunks) {
			break
		}
		p.chunks[i].send(p, out, &t)
		done++
	}
	if done == 0 {
		return
	}
	if !s.did(p, int(done), &t) && int(p.next.Load()) < len(p.chunks) {
		s.push(task{pass: p})
	}
}

// did notes what became of some chunks of a pass, and reports whether those were the last.
func (s *Scheduler) did(p *pass, chunks int, t *tally) (over bool) {
	if t.retained {
		p.holders.Store(true)
	}
	if t.sent > 0 {
		p.room.source.Account.Delivered.Add(int64(t.sent))
	}
	if over = p.left.Add(-int32(chunks)) == 0; over {
		s.end(p)
	}
	return over
}

func (s *Scheduler) end(p *pass) {
	if began := p.batch.Began(); began != 0 && len(p.chunks) > 0 && s.conf.Timed != nil {
		s.conf.Timed(began)
	}
	if !p.holders.Load() {
		s.recycle(p.batch)
	}
	if members, again := p.room.end(); again {
		s.push(task{room: p.room, members: members})
	}
}

const firstBatch = 512

func (s *Scheduler) newBatch(src *frame.Source, f frame.Form) *frame.Batch {
	if b, ok := s.batches.Get().(*frame.Batch); ok {
		b.Of(src, f)
		return b
	}
	return frame.NewBatch(firstBatch, src, f)
}

func (s *Scheduler) recycle(b *frame.Batch) {
	for b != nil {
		next := b.Parted()
		b.Reset(nil)
		s.batches.Put(b)
		b = next
	}
}
