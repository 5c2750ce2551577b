package codec

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/internal/engine/frame"
)

// The id of an event says where the client is in its rooms with history: the version of the format, and behind a comma each for
// every room its name, "=", the epoch, "." and the offset. In names and epochs most of what is not a letter or a digit is
// percent-encoded, so that an id needs no quotes in a header.
const (
	idVersion = "1"
	idStart   = "id:" + idVersion
	noPlace   = "=-" // of a room that the client has left
)

const (
	// MaxID is the longest id of an event, in bytes.
	MaxID = 8 << 10
	// MaxStreamRooms is how many rooms a stream may be in.
	MaxStreamRooms = 32
)

// IDShare is how much of MaxID a room may take, in bytes. Rooms whose shares are more together cannot be in one stream.
func IDShare(room string) int {
	const place = 64 // an epoch, an offset and what is between
	return len(appendName(nil, room)) + place
}

// plainInID are bytes that stand for themselves.
var plainInID = func() (is [256]bool) {
	for c := range is {
		is[c] = c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c == '-' || c == '_' || c == ':' || c == '/'
	}
	return is
}()

// appendName appends a room's name, or an epoch.
func appendName(dst []byte, s string) []byte {
	const hex = "0123456789ABCDEF"
	for i := range len(s) {
		if c := s[i]; plainInID[c] {
			dst = append(dst, c)
		} else {
			dst = append(dst, '%', hex[c>>4], hex[c&15])
		}
	}
	return dst
}

func appendPlace(dst []byte, room, epoch string, offset uint64) []byte {
	dst = appendName(append(appendName(dst, room), '='), epoch)
	return strconv.AppendUint(append(dst, '.'), offset, 10)
}

// Place is a client's position in a room.
type Place struct {
	Room string
	broker.Position
}

var errID = errors.New("it is not an id of this server")

// ParseID reads the id of an event. Rooms that were left are not in it.
func ParseID(id string) ([]Place, error) {
	if len(id) > MaxID {
		return nil, errors.New("it is too long")
	}
	version, rest, more := strings.Cut(id, ",")
	if version != idVersion {
		return nil, errID
	}
	var places []Place
	seen := make(map[string]bool)
	for more {
		var one string
		one, rest, more = strings.Cut(rest, ",")
		name, place, ok := strings.Cut(one, "=")
		room, err := url.PathUnescape(name)
		if !ok || err != nil || broker.CheckRoom(room) != nil || seen[room] {
			return nil, errID
		}
		seen[room] = true
		if place == noPlace[1:] {
			continue
		}
		coded, number, ok := strings.Cut(place, ".")
		epoch, err := url.PathUnescape(coded)
		if !ok || err != nil || epoch == "" || !utf8.ValidString(epoch) {
			return nil, errID
		}
		offset, err := strconv.ParseUint(number, 10, 64)
		if err != nil || offset > 1<<53-1 || strconv.FormatUint(offset, 10) != number {
			return nil, errID
		}
		if len(places) == MaxStreamRooms {
			return nil, errors.New("it has too many rooms")
		}
		places = append(places, Place{room, broker.Position{Epoch: epoch, Offset: offset}})
	}
	return places, nil
}

// idLength is the length of the id's line that an event begins with; zero if it has none.
func idLength(event []byte) int {
	if !bytes.HasPrefix(event, []byte(idStart)) {
		return 0
	}
	return bytes.IndexByte(event, '\n') + 1
}

// Trail is where one stream is in its rooms: a wire.Stamper. While there is one room, events are sent as they are. Otherwise
// each id is replaced by one that has the places in all rooms.
type Trail struct {
	gzip   bool
	places [][]byte // "name=place"; without a place if it is not known
	one    []byte   // of StampOne
}

// NewTrail returns the Trail of a stream that goes on from places.
func NewTrail(f frame.Form, places []Place) *Trail {
	t := &Trail{gzip: f == FormSSEGzip}
	for _, p := range places {
		t.places = append(t.places, appendPlace(nil, p.Room, p.Epoch, p.Offset))
	}
	return t
}

// split takes an event apart: what its id says of a room, and what follows the id.
func (t *Trail) split(event []byte) (place, rest []byte) {
	line := event
	if t.gzip {
		if len(event) < storedHead || event[0] != 0 {
			return nil, event
		}
		n := int(binary.LittleEndian.Uint16(event[1:]))
		if len(event) < storedHead+n {
			return nil, event
		}
		line = event[storedHead : storedHead+n]
	}
	n := idLength(line)
	if n <= len(idStart)+1 {
		return nil, event
	}
	if t.gzip {
		if n != len(line) {
			return nil, event
		}
		rest = event[storedHead+n:]
	} else {
		rest = event[n:]
	}
	return line[len(idStart)+1 : n-1], rest
}

// nameOf is the part of a place that says which room it is, with the sign behind it.
func nameOf(place []byte) []byte { return place[:bytes.IndexByte(place, '=')+1] }

func (t *Trail) index(place []byte) int {
	for i, p := range t.places {
		if bytes.HasPrefix(p, nameOf(place)) {
			return i
		}
	}
	return -1
}

// note notes where the client will be.
func (t *Trail) note(place []byte) {
	i, left := t.index(place), bytes.HasSuffix(place, []byte(noPlace))
	switch {
	case i >= 0 && left:
		t.places = append(t.places[:i], t.places[i+1:]...)
	case i >= 0:
		t.places[i] = append(t.places[i][:0], place...)
	case !left:
		t.places = append(t.places, bytes.Clone(place))
	}
}

// alone reports whether an event's id is right as it is.
func (t *Trail) alone(place []byte) bool {
	return len(t.places) == 0 || len(t.places) == 1 && t.index(place) == 0
}

// append appends an event with an id that has all places.
func (t *Trail) append(dst, event []byte) []byte {
	place, rest := t.split(event)
	if place == nil {
		return append(dst, event...)
	}
	t.note(place)
	start := len(dst)
	if t.gzip {
		dst = append(dst, make([]byte, storedHead)...)
	}
	line := len(dst)
	dst = append(dst, idStart...)
	for _, p := range t.places {
		if p[len(p)-1] == '=' { // what came before must not be left out
			return append(dst[:start], rest...)
		}
		dst = append(append(dst, ','), p...)
	}
	dst = append(dst, '\n')
	if t.gzip {
		n := uint16(len(dst) - line)
		binary.LittleEndian.PutUint16(dst[start+1:], n)
		binary.LittleEndian.PutUint16(dst[start+3:], ^n)
	}
	return append(dst, rest...)
}

// Stamp implements wire.Stamper.
func (t *Trail) Stamp(b *frame.Batch, from int) (own *frame.Batch, first int) {
	for i := b.Len() - 1; i >= from; i-- {
		place, _ := t.split(b.Message(i))
		if place == nil {
			continue
		}
		if t.alone(place) { // all others of the batch are of the same room
			t.note(place)
			return b, from
		}
		return b.Rewritten(from, t.append), 0
	}
	return b, from
}

// StampOne implements wire.Stamper.
func (t *Trail) StampOne(event []byte) []byte {
	place, _ := t.split(event)
	if place == nil {
		return event
	}
	t.one = t.append(t.one[:0], event)
	event = t.one
	if cap(t.one) > MaxID {
		t.one = nil
	}
	return event
}

// Shares implements wire.Stamper.
func (t *Trail) Shares() bool { return len(t.places) <= 1 }

// Fell implements wire.Stamper. It is not called when there are several rooms.
func (t *Trail) Fell() {
	for i, p := range t.places {
		t.places[i] = nameOf(p)
	}
}
