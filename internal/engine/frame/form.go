package frame

// Form is how messages are written for the receivers that can read them so. What it means is not the engine's concern: it
// knows the opcode of the form's frames, in the lower four bits, and tells forms apart by the upper four. An opcode of zero
// says that what is written has no WebSocket header.
type Form uint8

// Forms is how many there may be.
const Forms = 5

// Opcode of the form's frames.
func (f Form) Opcode() byte { return byte(f & 0xf) }

// Index is below Forms.
func (f Form) Index() int { return int(f>>4) % Forms }

// In returns the batch's messages in a form; nil if nobody spoke it when the batch was begun.
func (b *Batch) In(f Form) *Batch {
	for b != nil && b.form != f {
		b = b.next
	}
	return b
}

// Form is what the batch is written in.
func (b *Batch) Form() Form { return b.form }

// With has the messages that will be added written in the forms of other, too. Both are empty, and belong together from now
// on; other may be nil.
func (b *Batch) With(other *Batch) *Batch {
	b.next = other
	return b
}

// Parted returns the other forms of a batch, which is left with its own.
func (b *Batch) Parted() *Batch {
	other := b.next
	b.next = nil
	return other
}

// Total is the Size of the batch in all its forms.
func (b *Batch) Total() (bytes int) {
	for ; b != nil; b = b.next {
		bytes += len(b.wire)
	}
	return bytes
}

// in is what stands for the message in a form.
func (x *Except) in(f Form) []byte {
	if x.Write != nil {
		return x.Write(f)
	}
	return x.Instead
}
