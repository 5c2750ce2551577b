package interop_test

import (
	"compress/flate"
	"strings"
	"testing"

	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/internal/interop"
	"github.com/gohubkit/hubkit/protocol"
)

// TestRefusedMessages: the peer learns why it was closed, even where it had sent more than was read.
func TestRefusedMessages(t *testing.T) {
	const limit = 64 << 10
	frame := func(size int) string {
		const head, tail = `{"op":"send","id":1,"data":"`, `"}`
		return head + strings.Repeat("x", size-len(head)-len(tail)) + tail
	}
	overHub(t, func(t *testing.T, l *live, s *speaker) {
		s.plain(l)
		s.ask(frame(limit), `{"op":"ok","id":1}`)
		s.say(frame(limit + 1))
		s.closed(protocol.CloseTooBig)
		if code := closeCode(t, l.ended(t, s.id)); code != protocol.CloseTooBig {
			t.Errorf("OnDisconnect was told %v", code)
		}

		s.plain(l)
		s.say(frame(4 << 20))
		s.closed(protocol.CloseTooBig)
		_ = l.ended(t, s.id)

		s.plain(l)
		must(t, s.SendBinary([]byte{1, 2, 3}))
		s.closed(protocol.CloseUnsupportedData)
		_ = l.ended(t, s.id)
	}, hub.WithMaxMessage(limit))
}

// TestCompression: permessage-deflate in both directions, next to a client without it.
func TestCompression(t *testing.T) {
	overHub(t, func(t *testing.T, l *live, s *speaker) {
		open := connect(s.ctx, t, s.Peer, l.url, interop.Request{Compression: true})
		if !strings.Contains(open.Extensions, "permessage-deflate") {
			t.Fatalf("extensions %q, want permessage-deflate", open.Extensions)
		}
		s.welcomed()
		uncompressed := speak(t, interop.Implementations()[0])
		uncompressed.plain(l)
		for _, c := range []*speaker{s, uncompressed} {
			c.ask(`{"op":"join","id":1,"room":"past:a"}`, `{"op":"ok","id":1,"room":"past:a",`+position(l.epoch(t, "past:a"), 0)+`}`)
		}
		for i, data := range []string{
			`"short"`,
			`"` + strings.Repeat("compress me 🎈 ", 3000) + `"`,
			`"` + strings.Repeat("compress me 🎈 ", 3000) + `"`, // nothing is remembered of the first
			`""`,
		} {
			s.say(`{"op":"publish","room":"past:a","data":` + data + `}`)
			want := `{"op":"message","room":"past:a",` + position(l.epoch(t, "past:a"), uint64(i+1)) + `,"data":` + data + `}`
			s.hear(want)
			uncompressed.hear(want)
		}
		// From the history, in one batch.
		s.ask(`{"op":"leave","id":2,"room":"past:a"}`, `{"op":"ok","id":2,"room":"past:a"}`)
		s.ask(`{"op":"join","id":3,"room":"past:a","history":2}`,
			`{"op":"ok","id":3,"room":"past:a",`+position(l.epoch(t, "past:a"), 2)+`}`)
		s.hear(`{"op":"message","room":"past:a",`+position(l.epoch(t, "past:a"), 3)+`,"data":"`+strings.Repeat("compress me 🎈 ", 3000)+`"}`,
			`{"op":"message","room":"past:a",`+position(l.epoch(t, "past:a"), 4)+`,"data":""}`)

		// A bomb: some kilobytes that would be 8 MiB.
		s.say(`{"op":"send","data":"` + strings.Repeat("x", 8<<20) + `"}`)
		s.closed(protocol.CloseTooBig)
		uncompressed.alive()
	}, hub.WithCompression(flate.BestSpeed, 128))
}
