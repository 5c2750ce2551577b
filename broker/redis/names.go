package redis

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"strconv"
	"strings"
	"unicode/utf8"
)

// names builds the keys and channels that the package documentation lists.
//
// Keys are of a database, and channels are not. So all but database 0 have a suffix on their channels, which only what is sent
// and received has: everywhere else a channel is what its keys begin with.
type names struct{ prefix, suffix string }

// namesOf makes the names for a database.
func namesOf(prefix string, database int) names {
	if database == 0 {
		return names{prefix: prefix}
	}
	return names{prefix: prefix, suffix: "@" + strconv.Itoa(database)}
}

// onWire is a channel as Redis has it.
func (n names) onWire(channel string) string { return channel + n.suffix }

// room is the channel of a room, and the beginning of its keys. The braces make the room's name the hash
// tag: all of a room is in one slot of a cluster.
func (n names) room(room string) string {
	return text(n.appendRoom(make([]byte, 0, n.sizeOfRoom(room)), room))
}

// appendRoom appends what room returns.
func (n names) appendRoom(dst []byte, room string) []byte {
	dst = append(append(dst, n.prefix...), ':', '{')
	if room[0] == '}' {
		dst = append(dst, 1) // an empty hash tag is none; no room name has control characters
	}
	return append(append(dst, room...), '}')
}

func (n names) sizeOfRoom(room string) int {
	size := len(n.prefix) + len(":{}") + len(room)
	if room[0] == '}' {
		size++
	}
	return size
}

func (n names) broadcast() string            { return n.prefix + ":bus" }
func (n names) probe(nonce string) string    { return n.prefix + ":probe:" + nonce }
func (n names) secret(name string) string    { return n.prefix + ":secret:" + name }
func (n names) nodes() string                { return n.prefix + ":nodes" }
func (n names) occupancy() string            { return n.prefix + ":occupancy" }
func (n names) metaOf(channel string) string { return channel + ":meta" }
func (n names) presence(ch string) string    { return ch + ":presence" }

// node is the channel of a node. The suffix stands in front of the name too, since a name may end as a suffix does.
func (n names) node(id string) string { return n.prefix + ":bus" + n.suffix + ":" + id }

// history returns the channel and the keys of the history. One string holds them all: publishing allocates once for its
// names.
func (n names) history(room string) (channel, meta, log string) {
	channel = n.room(room)
	size := len(channel)
	all := channel + ":meta" + channel + ":log"
	return all[:size], all[:size+5], all[size+5:]
}

// service is the key of a room's idempotency keys, those of the service itself. Nothing that a client chooses comes after
// the closing brace of a key's room, so that no two names can meet.
func (n names) service(channel string) string { return channel + ":idem" }

// publisher is the key of a publisher's idempotency keys: one for all rooms, but in a cluster one for each room, in the
// room's slot.
func (n names) publisher(channel, publisher string, cluster bool) string {
	sum := sha256.Sum256([]byte(publisher))
	name := base64.RawURLEncoding.EncodeToString(sum[:16])
	if cluster {
		return channel + ":idem:" + name
	}
	return n.prefix + ":idem:" + name
}

// keyID stands for a publisher's key in a room, in as many bytes whatever they are called.
func keyID(room, key string) string {
	text := make([]byte, 0, 256)
	text = binary.BigEndian.AppendUint16(text, uint16(len(room)))
	sum := sha256.Sum256(append(append(text, room...), key...))
	return string(sum[:16])
}

// validPrefix tells whether a prefix leaves the hash tags to the rooms.
func validPrefix(prefix string) bool {
	return prefix != "" && utf8.ValidString(prefix) && !strings.ContainsAny(prefix, "{}") &&
		strings.IndexFunc(prefix, func(r rune) bool { return r <= ' ' || r == 0x7f }) < 0
}

// slots is how many hash slots a Redis Cluster has.
const slots = 16384

// slotOf is the hash slot of a key or sharded channel: CRC-16/XMODEM of its hash tag, or of all of it
// where it has none, as the Redis Cluster specification says.
func slotOf(key string) int {
	if _, rest, ok := strings.Cut(key, "{"); ok {
		if tag, _, ok := strings.Cut(rest, "}"); ok && tag != "" {
			key = tag
		}
	}
	return slotOfTag(key)
}

// slotOfRoom is the slot of all that a room has.
func slotOfRoom(room string) int {
	tag, _, _ := strings.Cut(room, "}")
	if tag == "" {
		tag = "\x01"
	}
	return slotOfTag(tag)
}

func slotOfTag(tag string) int {
	var crc uint16
	for i := range len(tag) {
		crc = crc<<8 ^ crcTable[byte(crc>>8)^tag[i]]
	}
	return int(crc % slots)
}

var crcTable = func() (table [256]uint16) {
	for i := range table {
		crc := uint16(i) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
		table[i] = crc
	}
	return table
}()
