package fanout

import "github.com/gohubkit/hubkit/internal/engine/frame"

// Former is a Member that speaks a form other than the zero one, the same as long as it is a member.
type Former interface {
	Member
	Form() frame.Form
}

func formOf(m Member) frame.Form {
	if f, ok := m.(Former); ok {
		return f.Form()
	}
	return 0
}

// forms are what a room's members speak. A message is written once for each that is in use.
type forms struct {
	members [frame.Forms]int32
	form    [frame.Forms]frame.Form
	inUse   uint8 // a bit each, by index
	// wanted are those in use of which no member is there yet, and asked the pass at which somebody asked for each last.
	wanted uint8
	asked  [frame.Forms]uint32
}

// patience is for how many passes a room writes in a form for somebody who asked for it and was refused a place.
const patience = 64

// newBatch returns a batch in the forms that are in use.
func (r *Room) newBatch() (b *frame.Batch) {
	for i, f := range r.forms.form {
		if r.forms.inUse>>i&1 != 0 {
			b = r.sched.newBatch(&r.source, f).With(b)
		}
	}
	return b
}

// speak has what is added from now on written in a form, too. What waits already goes out before, in the forms that it has.
func (r *Room) speak(f frame.Form) {
	bit := uint8(1) << f.Index()
	if r.forms.members[f.Index()] == 0 {
		r.forms.wanted |= bit
		r.forms.asked[f.Index()] = r.passes
	}
	if r.forms.inUse&bit != 0 {
		return
	}
	r.forms.inUse |= bit
	r.forms.form[f.Index()] = f
	if r.pending != nil && r.pending.In(f) == nil {
		r.earlier = append(r.earlier, r.pending)
		r.pending = nil
	}
}

// unspeak gives a form up that no member speaks, as soon as somebody who wants to be one does not have to wait for what
// lacks it.
func (r *Room) unspeak(f frame.Form) {
	bit := uint8(1) << f.Index()
	switch {
	case r.forms.members[f.Index()] > 0:
		r.forms.wanted &^= bit
	case len(r.earlier) == 0:
		r.forms.inUse &^= bit
		r.forms.wanted &^= bit
	}
}

// tire gives up the forms of those who were refused and did not come back. It is called with mu held.
func (r *Room) tire() {
	for i, asked := range r.forms.asked {
		if bit := uint8(1) << i; r.forms.wanted&bit != 0 && r.passes-asked > patience {
			r.forms.inUse &^= bit
			r.forms.wanted &^= bit
		}
	}
}

// lacks reports whether a message that waits follows since, and is not written in a form. A member that joins a room with history
// finds it there.
func (r *Room) lacks(f frame.Form, since Mark) bool {
	for _, b := range r.earlier {
		if b.In(f) == nil && since.before(Mark(b.Last())) {
			return true
		}
	}
	return r.pending != nil && r.pending.In(f) == nil && since.before(Mark(r.pending.Last()))
}
