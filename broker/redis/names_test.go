package redis

import (
	"strconv"
	"strings"
	"testing"

	"github.com/gohubkit/hubkit/internal/redistest"
)

// The slots are those that a server computes.
func TestSlots(t *testing.T) {
	s := redistest.Start(t, "cluster-enabled yes")
	n := names{"hubkit"}
	keys := []string{"", "a", "123456789", "{}", "{a}b", "x{a}b", "{}{a}", "{", "}{", "a{b{c}d}", "größe"}
	for _, room := range []string{"news", "}", "}x", "{", "{}", "a}b{c}", "{a}", "größe 🎈", strings.Repeat("x", 255)} {
		channel, meta, log := n.history(room)
		if channel != n.room(room) || meta != channel+":meta" || log != channel+":log" {
			t.Errorf("room %q: %q, %q, %q", room, channel, meta, log)
		}
		if made := string(n.appendRoom(nil, room)); made != channel || n.sizeOfRoom(room) != len(channel) {
			t.Errorf("room %q: %q of size %d, want %q", room, made, n.sizeOfRoom(room), channel)
		}
		if got := slotOfRoom(room); got != slotOf(channel) {
			t.Errorf("slotOfRoom(%q) = %d, want that of %q, %d", room, got, channel, slotOf(channel))
		}
		all := []string{n.presence(channel), channel, meta, log, n.service(channel), n.publisher(channel, "ada", true)}
		for _, key := range all {
			if slotOf(key) != slotOf(channel) {
				t.Errorf("%q is in slot %d, %q in %d", key, slotOf(key), channel, slotOf(channel))
			}
		}
		keys = append(keys, all...)
	}
	for _, key := range keys {
		want, err := strconv.Atoi(s.Do("CLUSTER", "KEYSLOT", key))
		if err != nil {
			t.Fatal(err)
		}
		if got := slotOf(key); got != want {
			t.Errorf("slotOf(%q) = %d, want %d", key, got, want)
		}
	}
}
