package hub

import "time"

// repeater calls a function from time to time, from a goroutine of its own.
type repeater struct {
	stop chan struct{}
	done chan struct{}
}

func repeat(every time.Duration, f func()) *repeater {
	r := &repeater{stop: make(chan struct{}), done: make(chan struct{})}
	go r.run(every, f)
	return r
}

// repeatNow is repeat, but calls f at once too.
func repeatNow(every time.Duration, f func()) *repeater {
	r := &repeater{stop: make(chan struct{}), done: make(chan struct{})}
	go func() {
		f()
		r.run(every, f)
	}()
	return r
}

func (r *repeater) run(every time.Duration, f func()) {
	defer close(r.done)
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		select {
		case <-r.stop:
			return
		case <-t.C:
			f()
		}
	}
}

// close ends the goroutine and returns when it is gone. It may be called of nil.
func (r *repeater) close() {
	if r != nil {
		close(r.stop)
		<-r.done
	}
}
