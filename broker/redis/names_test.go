package redis

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/gohubkit/hubkit/internal/redistest"
)

// The slots are those that a server computes.
func TestSlots(t *testing.T) {
	s := redistest.Start(t, "cluster-enabled yes")
	n := namesOf("hubkit", 0)
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

// No two things have the same name, whatever rooms, nodes and publishers are called.
func TestNamesNeverMeet(t *testing.T) {
	n, other := namesOf("hubkit", 0), namesOf("hubkit", 3)
	parts := []string{"a", "}", "{", ":", "meta", "log", "idem", "presence", "bus", "nodes", "probe", "hubkit", "@3"}
	texts := append([]string(nil), parts...)
	for range 2 {
		for _, t := range slices.Clip(texts) {
			for _, p := range parts {
				texts = append(texts, t+p)
			}
		}
	}
	seen := make(map[string]string)
	note := func(name, what string) {
		if before, ok := seen[name]; ok && before != what {
			t.Errorf("%q is the name of %s and of %s", name, before, what)
		}
		seen[name] = what
	}
	for _, text := range texts {
		channel, meta, log := n.history(text)
		note(channel, "room "+text)
		note(meta, "metadata of "+text)
		note(log, "log of "+text)
		note(n.service(channel), "keys in "+text)
		note(n.publisher(channel, "ada", true), "ada's keys in "+text)
		note(n.publisher(channel, text, false), "the keys of "+text)
		note(n.node(text), "bus of "+text)
		note(n.secret(text), "secret "+text)
		note(n.presence(channel), "presence in "+text)
		note(other.onWire(channel), "room of database 3 "+text)
		note(other.onWire(other.node(text)), "bus of database 3 "+text)
	}
	note(n.broadcast(), "bus")
	note(n.nodes(), "nodes")
}
