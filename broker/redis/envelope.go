package redis

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"unicode/utf8"
	"unsafe"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/protocol"
)

// The first byte of what travels. None of them can begin a JSON text: what does not begin with one of them
// was published by somebody else, as plain JSON.
const (
	kindPlain   = 1 // flags, key, payload
	kindStored  = 2 // flags, offset, stamp, stamp before, epoch, key, payload
	kindJoined  = 3 // member as JSON
	kindLeft    = 4 // member as JSON
	kindCommand = 5 // length of the sender's name in two bytes, sender, payload
	kindLost    = 6 // nothing: the presence of the room was lost, and members must be listed again
	kindOwner   = 7 // what is said of an owner of members, and its name: see namesake.go
)

const (
	flagBinary = 1
	flagKey    = 2 // four bytes of length and a key stand before the payload
	flagJSON   = 4 // the payload was checked: it is JSON
	// flagMeta comes with flagKey only: what stands in the place of the key is the key behind its own length in four bytes, and
	// then the Meta. A node of the version before has all of it for the key, and the payload is where it was.
	flagMeta = 8
)

const (
	epochSize    = 12
	storedHeader = 2 + 3*8 + epochSize
)

// mark is a position and the stamp of the message there: the time in microseconds at which it was stored,
// and more than that of the message before. The stamps tell two histories apart that went different
// ways from the same epoch, as those of a server and of the replica that took over from it may. The zero
// mark is that of a room without history.
type mark struct {
	epoch  string
	offset uint64
	stamp  uint64
}

func (m mark) position() broker.Position { return broker.Position{Epoch: m.epoch, Offset: m.offset} }

// message is what an envelope of a message holds. at and before are zero unless it was stored; before
// is the stamp of the message before it.
type message struct {
	broker.Message
	at     mark
	before uint64
}

// own makes m share memory with nobody.
func (m *message) own() {
	m.Data = slices.Clone(m.Data)
	m.at.epoch = strings.Clone(m.at.epoch)
	m.Position.Epoch = m.at.epoch
}

// size is what a message that waits is counted as.
func (m *message) size() int { return len(m.Data) + m.Meta.Size() }

func (m *message) stored() bool { return m.at.offset > 0 }

var errEnvelope = errors.New("redis: not an envelope and not JSON")

// encodePlain makes the envelope of a message that is not stored.
func encodePlain(p *broker.Publication) string {
	key := keyPart(p)
	return text(appendPlain(make([]byte, 0, sizeOfPlain(p.Data, key)), p, key))
}

func sizeOfPlain(payload []byte, key string) int {
	size := 2 + len(payload)
	if key != "" {
		size += 4 + len(key)
	}
	return size
}

func appendPlain(e []byte, p *broker.Publication, key string) []byte {
	f := flagsOf(p)
	if key == "" {
		return append(append(e, kindPlain, f), p.Data...)
	}
	e = append(e, kindPlain, f|flagKey)
	e = binary.BigEndian.AppendUint32(e, uint32(len(key)))
	return append(append(e, key...), p.Data...)
}

// keyPart is what stands in the place of the key: see flagMeta.
func keyPart(p *broker.Publication) string {
	if p.Meta == nil {
		return p.ConflationKey
	}
	part := make([]byte, 0, 128+len(p.ConflationKey))
	part = binary.BigEndian.AppendUint32(part, uint32(len(p.ConflationKey)))
	part, _ = p.Meta.AppendBinary(append(part, p.ConflationKey...)) // its error is always nil
	return text(part)
}

// flagsOf are those of a publication, without flagKey.
func flagsOf(p *broker.Publication) byte {
	f := flags(p.Binary, p.JSON)
	if p.Meta != nil {
		f |= flagMeta
	}
	return f
}

func flags(isBinary, isJSON bool) (f byte) {
	if isBinary {
		f = flagBinary
	}
	if isJSON {
		f |= flagJSON
	}
	return f
}

// decodeMessage opens the envelope of a message, or takes JSON as it is. The payload and the names in the
// result share the memory of the envelope.
func decodeMessage(e string) (m message, err error) {
	if e == "" {
		return m, errEnvelope
	}
	var flags byte
	var rest string
	switch {
	case e[0] == kindPlain && len(e) >= 2:
		flags, rest = e[1], e[2:]
	case e[0] == kindStored && len(e) >= storedHeader:
		flags, rest = e[1], e[storedHeader:]
		m.at = mark{e[storedHeader-epochSize : storedHeader], number(e[2:]), number(e[10:])}
		m.before = number(e[18:])
		m.Position = m.at.position()
		if m.at.offset == 0 {
			return message{}, errEnvelope
		}
	case e[0] >= ' ' || e[0] == '\t' || e[0] == '\n' || e[0] == '\r':
		if m.Data = data(e); !protocol.Valid(m.Data) {
			return message{}, errEnvelope
		}
		m.JSON = true
		return m, nil
	default:
		return m, errEnvelope
	}
	if flags&flagKey != 0 {
		var ok bool
		if m.ConflationKey, rest, ok = cutText(rest); !ok {
			return message{}, errEnvelope
		}
	}
	if flags&flagMeta != 0 {
		if err := m.openMeta(); err != nil {
			return message{}, err
		}
	}
	m.Binary, m.JSON = flags&flagBinary != 0, flags&flagJSON != 0
	m.Data = data(rest)
	return m, nil
}

// openMeta takes apart what stands in the place of the key. The Meta shares memory with nobody.
func (m *message) openMeta() error {
	key, meta, ok := cutText(m.ConflationKey)
	if !ok {
		return errEnvelope
	}
	m.ConflationKey, m.Meta = key, new(broker.Meta)
	if err := m.Meta.UnmarshalBinary(data(meta)); err != nil {
		return errors.Join(errEnvelope, err)
	}
	return nil
}

// cutText takes a text off that stands behind its length in four bytes.
func cutText(s string) (text, rest string, ok bool) {
	if len(s) < 4 {
		return "", "", false
	}
	size := binary.BigEndian.Uint32(data(s[:4]))
	if s = s[4:]; uint64(size) > uint64(len(s)) {
		return "", "", false
	}
	return s[:size], s[size:], true
}

func number(s string) uint64 { return binary.BigEndian.Uint64(data(s[:8])) }

func encodeCommand(from string, payload []byte) string {
	e := make([]byte, 0, 3+len(from)+len(payload))
	e = binary.BigEndian.AppendUint16(append(e, kindCommand), uint16(len(from)))
	return text(append(append(e, from...), payload...))
}

func decodeCommand(e string) (from string, payload []byte, err error) {
	if len(e) < 3 || e[0] != kindCommand {
		return "", nil, errEnvelope
	}
	size := int(e[1])<<8 | int(e[2])
	if e = e[3:]; size > len(e) {
		return "", nil, errEnvelope
	}
	return e[:size], data(e[size:]), nil
}

func decodeMember(e string) (m broker.Member, err error) {
	if err := json.Unmarshal(data(e), &m); err != nil {
		return m, errors.Join(errEnvelope, err)
	}
	if m.Conn == "" || !utf8.ValidString(e) || m.Info != nil && !protocol.Valid(m.Info) {
		return broker.Member{}, errEnvelope
	}
	return m, nil
}

// data views a string as bytes. What comes from Redis is freshly allocated and belongs to nobody else, so
// this saves the copy; nobody writes to it.
func data(s string) []byte {
	if s == "" {
		return []byte{}
	}
	return unsafe.Slice(unsafe.StringData(s), len(s)) //nolint:gosec // see above
}

// text views bytes that nobody changes any more as a string.
func text(p []byte) string {
	return unsafe.String(unsafe.SliceData(p), len(p)) //nolint:gosec // see above
}
