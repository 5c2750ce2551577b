package client_test

import (
	"encoding/binary"
	"math"
	"strings"
	"testing"

	"github.com/gohubkit/hubkit/client"
	"github.com/gohubkit/hubkit/protocol"
)

// appendFrame appends a text frame as a server writes it (RFC 6455, section 5.2), below 64 KiB.
func appendFrame(dst, payload []byte) []byte {
	if len(payload) < 126 {
		return append(append(dst, 0x81, byte(len(payload))), payload...)
	}
	dst = binary.BigEndian.AppendUint16(append(dst, 0x81, 126), uint16(len(payload)))
	return append(dst, payload...)
}

// BenchmarkReceive is a message from the socket to its callback; the server writes 100 at a time.
func BenchmarkReceive(b *testing.B) {
	const batch = 100
	for _, history := range []bool{false, true} {
		name := "plain"
		if history {
			name = "history"
		}
		b.Run(name, func(b *testing.B) {
			s := newServer(b)
			c := newClient(b, s.url)
			got, left := make(chan struct{}), batch
			_, err := c.Subscribe("bench", func(client.Message) {
				if left--; left == 0 {
					left = batch
					got <- struct{}{}
				}
			})
			if err != nil {
				b.Fatal(err)
			}
			run(b, c)
			p, _ := s.greet()
			start, offset := client.Position{}, uint64(0)
			if history {
				start = at(0)
			}
			p.ok(0, "bench", start)
			data := []byte(`{"text":"` + strings.Repeat("x", 100) + `"}`)
			var frame, buf []byte
			sent := 0
			b.ReportAllocs()
			for b.Loop() {
				if sent++; sent%batch != 0 {
					continue
				}
				buf = buf[:0]
				for range batch {
					if history {
						offset++
					}
					frame = protocol.AppendMessage(frame[:0], "bench", data, start.Epoch, offset)
					buf = appendFrame(buf, frame)
				}
				if _, err := p.ws.NetConn().Write(buf); err != nil {
					b.Fatal(err)
				}
				<-got
			}
		})
	}
}

// BenchmarkPublish is a publication and its answer, 100 under way at a time. The server's half is
// counted, too.
func BenchmarkPublish(b *testing.B) {
	const batch = 100
	s := newServer(b)
	c := newClient(b, s.url, client.WithRate(math.Inf(1), 1))
	run(b, c)
	p, _ := s.greet()
	served := make(chan struct{})
	go func() {
		defer close(served)
		for {
			q, err := p.next()
			if err != nil {
				return
			}
			p.ok(q.ID, "", client.Position{})
		}
	}()
	data := []byte(`{"text":"` + strings.Repeat("x", 100) + `"}`)
	pubs := make([]*client.Publication, 0, batch)
	b.ReportAllocs()
	for b.Loop() {
		pub, err := c.PublishAsync("bench", data)
		if err != nil {
			b.Fatal(err)
		}
		if pubs = append(pubs, pub); len(pubs) == batch {
			for _, pub := range pubs {
				if _, err := pub.Wait(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
			pubs = pubs[:0]
		}
	}
	b.StopTimer()
	_ = c.Close()
	<-served
}
