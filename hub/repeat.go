package hub

import "time"

// repeater calls a function at an interval, from a goroutine of its own. A panic ends that call alone.
type repeater struct {
	hub  *Hub
	f    func()
	stop chan struct{}
	done chan struct{}
}

func newRepeater(h *Hub, f func()) *repeater {
	return &repeater{hub: h, f: f, stop: make(chan struct{}), done: make(chan struct{})}
}

func repeat(h *Hub, every time.Duration, f func()) *repeater {
	r := newRepeater(h, f)
	go r.run(every)
	return r
}

// repeatNow is repeat, and also calls f at once.
func repeatNow(h *Hub, every time.Duration, f func()) *repeater {
	r := newRepeater(h, f)
	go func() {
		r.once()
		r.run(every)
	}()
	return r
}

func (r *repeater) once() {
	defer func() {
		if v := recover(); v != nil {
			r.hub.life.Hub.Crashed(v)
		}
	}()
	r.f()
}

func (r *repeater) run(every time.Duration) {
	defer close(r.done)
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		select {
		case <-r.stop:
			return
		case <-t.C:
			r.once()
		}
	}
}

// close ends the goroutine and returns when it is gone. r may be nil.
func (r *repeater) close() {
	if r != nil {
		close(r.stop)
		<-r.done
	}
}
