package dash

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/hub"
)

const (
	// maxTails are open at once on a node, maxTailsEach of them for one client address. tailRate is how many messages a second each shows.
	maxTails     = 16
	maxTailsEach = 8
	tailRate     = 50
	// tailBeat is how often an idle tail sends a comment, and asks anew whether it may go on. tailWrite is how long a write may take.
	tailBeat  = 15 * time.Second
	tailWrite = 10 * time.Second
	// tailData bounds the payload that is shown of a message, in bytes.
	tailData = 16 << 10
)

// tailed is a message of a room, or a frame of a connection, as a tail shows it.
type tailed struct {
	Room string `json:"room,omitempty"`
	Conn string `json:"conn,omitempty"`
	// In is set for a frame that the client has sent. Kind is "text", "binary", "close", "ping", "pong", or "event" of an event stream.
	In     bool   `json:"in,omitempty"`
	Kind   string `json:"kind,omitempty"`
	Epoch  string `json:"epoch,omitempty"`
	Offset uint64 `json:"offset,omitempty"`
	// Time is when this node had the message.
	Time  time.Time `json:"time"`
	Bytes int       `json:"bytes"`
	// Missed is how many messages before this one are not shown, because more came than a tail shows.
	Missed int64 `json:"missed,omitempty"`
	// Data is the payload: JSON, a string for text that is no JSON, or a string in base64 if Binary is set. It is absent if
	// payloads are hidden. Cut is set instead if it has more than 16 KiB.
	Data   any  `json:"data,omitempty"`
	Binary bool `json:"binary,omitempty"`
	Cut    bool `json:"cut,omitempty"`
	// Secret is set instead if the frame has the client's token.
	Secret bool `json:"secret,omitempty"`
}

// serveTail shows the messages of a room on this node, or the frames of one of its connections, as server-sent events.
func (d *Dash) serveTail(w http.ResponseWriter, r *http.Request) error {
	p, err := parameters(r, "room", "conn")
	if err != nil {
		return err
	}
	t := &tail{dash: d, r: r, w: w, room: p["room"], conn: p["conn"], out: http.NewResponseController(w)}
	switch {
	case (t.room == "") == (t.conn == ""):
		return badRequest("set one of room and conn")
	case t.conn != "" && d.hub.Conn(t.conn) == nil:
		return noConn()
	case t.room != "":
		if err := broker.CheckRoom(t.room); err != nil {
			return badRequest("room: %v", err)
		}
	}
	who := d.addr(r)
	if err := d.tails.begin(who); err != nil {
		return err
	}
	defer d.tails.end(who)
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	t.end = cancel
	t.shows = t.reveals()
	header := w.Header()
	header.Set("Content-Type", "text/event-stream")
	header.Set("X-Accel-Buffering", "no") // nginx would wait for more
	if !t.write([]byte(": tail\n\n")) {
		return nil
	}
	var beats sync.WaitGroup
	beats.Go(func() { t.beat(ctx) })
	defer beats.Wait()
	defer cancel()
	if t.conn == "" {
		err = d.hub.Tail(ctx, t.room, t.showMessage)
	} else if err = d.hub.TailConn(ctx, t.conn, t.showFrame); err == nil || errors.Is(err, hub.ErrNoConn) {
		err = noConn()
	}
	if err != nil && ctx.Err() == nil {
		body, _ := json.Marshal(partial(err)) //nolint:errchkjson // strings
		t.write(append(append([]byte("event: end\ndata: "), body...), "\n\n"...))
	}
	return nil
}

func noConn() error {
	return &apiError{http.StatusNotFound, "not_found", "this node has no such connection: it has ended, or it is on another node, whose dashboard can tail it"}
}

// tails counts those that are open.
type tails struct {
	mu  sync.Mutex
	all int
	of  map[string]int // by the client's address
}

// begin takes a place for a tail. The error is the answer if there is none.
func (t *tails) begin(who string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.all >= maxTails:
		return &apiError{http.StatusTooManyRequests, "too_many_tails", "16 tails are open on this node, which is the most"}
	case t.of[who] >= maxTailsEach:
		return &apiError{http.StatusTooManyRequests, "too_many_tails", "8 tails are open from this address, which is the most"}
	case t.of == nil:
		t.of = make(map[string]int)
	}
	t.all++
	t.of[who]++
	return nil
}

func (t *tails) end(who string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.all--
	if t.of[who]--; t.of[who] == 0 {
		delete(t.of, who)
	}
}

// reveals reports whether payloads may be shown.
func (t *tail) reveals() bool {
	f, what := t.dash.reveal, t.room
	if t.conn != "" {
		f, what = t.dash.revealIn, t.conn
	}
	return f != nil && t.dash.allowed(func() error { return f(t.r, what) }) == nil
}

// tail is one that is open.
type tail struct {
	dash *Dash
	r    *http.Request
	room string // or
	conn string
	end  context.CancelFunc
	out  *http.ResponseController

	mu     sync.Mutex
	w      http.ResponseWriter
	shows  bool // payloads
	second int64
	shown  int // in this second
	missed int64
}

// beat keeps proxies from taking the tail for dead, and ends it when it is not allowed any more.
func (t *tail) beat(ctx context.Context) {
	ticks := time.NewTicker(tailBeat)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
		if t.dash.allowed(func() error { return t.dash.authorize(t.r) }) != nil {
			t.end()
			return
		}
		shows := t.reveals()
		t.mu.Lock()
		t.shows = shows
		t.mu.Unlock()
		t.write([]byte(": beat\n\n"))
	}
}

func (t *tail) showMessage(m hub.Tailed) {
	t.show(tailed{Room: m.Room, Epoch: m.Position.Epoch, Offset: m.Position.Offset, Time: m.Time, Missed: m.Missed}, m.Data, m.Binary)
}

// kinds are the names of opcodes.
var kinds = map[byte]string{0: "event", frameText: "text", frameBinary: "binary", 8: "close", 9: "ping", 10: "pong"}

const (
	frameText   = 1
	frameBinary = 2
)

func (t *tail) showFrame(f hub.TailedFrame) {
	line := tailed{Conn: t.conn, In: f.In, Kind: kinds[f.Opcode], Time: f.Time, Missed: f.Missed, Secret: f.Secret}
	t.show(line, f.Data, f.Opcode == frameBinary)
}

// show sends a line, if there are not too many.
func (t *tail) show(line tailed, data []byte, binary bool) {
	t.mu.Lock()
	if now := line.Time.Unix(); now != t.second {
		t.second, t.shown = now, 0
	}
	t.missed += line.Missed
	if t.shown++; t.shown > tailRate {
		t.missed++
		t.mu.Unlock()
		return
	}
	line.Bytes, line.Missed, t.missed = len(data), t.missed, 0
	shows := t.shows && !line.Secret
	t.mu.Unlock()
	if shows && (len(data) > 0 || line.Conn == "") {
		line.Data, line.Binary = payload(data, binary)
		line.Cut = line.Data == nil
	}
	text, err := json.Marshal(line)
	if err != nil {
		return
	}
	t.write(append(append([]byte("data: "), text...), "\n\n"...))
}

// payload is what is shown of a message's data; nil if it is too large.
func payload(data []byte, binary bool) (shown any, inBase64 bool) {
	switch {
	case len(data) > tailData:
		return nil, false
	case binary || !utf8.Valid(data):
		return data, true
	case json.Valid(data):
		return json.RawMessage(bytes.TrimSpace(data)), false
	}
	return string(data), false
}

// write sends an event and reports whether that worked. If not, the tail ends.
func (t *tail) write(event []byte) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	_ = t.out.SetWriteDeadline(time.Now().Add(tailWrite)) // a server that cannot is bounded by its own timeout
	if _, err := t.w.Write(event); err != nil || t.out.Flush() != nil {
		t.end()
		return false
	}
	return true
}
