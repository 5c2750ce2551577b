package redis

import (
	"context"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/internal/resp"
)

// positionAge is for how long this node tells the position of a room without asking Redis, which forgets a room that nobody
// publishes to and nobody asks for. It is at most a quarter of how long Redis remembers.
const positionAge = 30 * time.Second

// SubscribeAt implements broker.Positioner. It blocks no longer than ctx. The subscription and the question for the position
// are one write, and the server answers them in this order. No message lies between the two.
func (b *Broker) SubscribeAt(ctx context.Context, name string, kept broker.Retention) error {
	if err := b.checkRooms(ctx, []string{name}); err != nil {
		return err
	}
	q := broker.Query{PositionOnly: true, Retention: kept}
	if err := q.Check(); err != nil {
		return err
	}
	var o *opening
	if kept.Enabled() {
		o = &opening{b: b, query: q}
	}
	return b.subscribe(ctx, b.rooms.add([]*room{b.wanted(name)}), o)
}

// Position implements broker.Positioner. It returns the position of the last message that the receiver got. The next message
// or Gap follows it, even if the connection breaks.
func (b *Broker) Position(name string) (at broker.Position, ok bool) {
	r := b.rooms.listening(b.names.room(name))
	if r == nil || !r.ready.Load() {
		return at, false
	}
	age := min(positionAge, b.emptyFor()/4)
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.primed || r.unsure || r.lagging || r.gone || r.last.epoch == "" || time.Since(r.kept) > age {
		return at, false
	}
	return r.last.position(), true
}

// opening is what is asked about a room behind its subscription. A nil opening asks nothing.
type opening struct {
	b        *Broker
	query    broker.Query
	position *request
	members  *request
}

// questions are to be sent with the subscription of the only room.
func (o *opening) questions(rooms []*room) []*request {
	if o == nil {
		return nil
	}
	r := rooms[0]
	o.position = newQuestion(o.b.appendQuery(nil, r.channel, &o.query), func(v *resp.Value) error {
		top, junk, err := positionIn(v)
		if err == nil {
			o.b.stats.invalid.Add(junk)
			o.b.primed(r, top)
		}
		return err
	})
	o.members = newQuestion(resp.AppendCommand(nil, "EXISTS", o.b.names.presence(r.channel)), func(v *resp.Value) error {
		if v.Kind == resp.Int && v.Int > 0 {
			o.b.presence.watch(r.name)
		}
		return nil
	})
	return []*request{o.position, o.members}
}

// answered waits for the answers, which are due, and tells whether the room is primed. If not, it is to be primed as any other:
// that sends a script which the server does not know, and follows a slot that has moved.
func (o *opening) answered(ctx context.Context, done []*room) bool {
	if o == nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, o.b.ioTimeout)
	defer cancel()
	if o.position.wait(ctx) != nil || o.members.wait(ctx) != nil {
		return false
	}
	done[0].ready.Store(true)
	return true
}

// newQuestion is a command whose answer take gets, in the goroutine that reads.
func newQuestion(command []byte, take func(v *resp.Value) error) *request {
	return &request{command: command, take: take, done: make(chan error, 1)}
}

// readHash is the name by which a server knows the script that reads.
var readHash = hashOf(readSource)

// appendQuery appends the command that Read has sent.
func (b *Broker) appendQuery(dst []byte, channel string, q *broker.Query) []byte {
	_, args := b.readArgs(q)
	dst = resp.AppendHead(dst, 6+len(args))
	for _, word := range [...]string{"EVALSHA", readHash, "2", b.names.metaOf(channel), channel + ":log"} {
		dst = resp.AppendWord(dst, word)
	}
	for _, a := range args {
		dst = resp.AppendWord(dst, a)
	}
	return resp.AppendWord(dst, b.emptyMillis())
}

// positionIn reads the answer of the script as far as it is a position, and how many entries of the log were no messages.
func positionIn(v *resp.Value) (top mark, junk int64, err error) {
	if v.Kind != resp.Array || len(v.Elems) != 8 || v.Elems[1].Kind != resp.Int || v.Elems[2].Kind != resp.Int || v.Elems[6].Kind != resp.Int {
		return top, 0, errAnswer
	}
	return mark{string(v.Elems[0].Text), uint64(v.Elems[1].Int), uint64(v.Elems[2].Int)}, v.Elems[6].Int, nil
}
