package interop

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/gohubkit/hubkit/internal/testenv"
)

// Peer is a foreign WebSocket client. It has one connection at a time and may connect again after the
// end of one. Next may be called from one goroutine at a time, the other methods from several.
type Peer struct {
	version string
	process *testenv.Process
	events  *queue
}

func startPeer(t testing.TB, program string, args ...string) *Peer {
	t.Helper()
	p := &Peer{events: newQueue()}
	p.process = testenv.Start(t, testenv.Command{
		Path:   program,
		Args:   args,
		Ready:  func(line string) bool { return parse(line).Kind == "ready" },
		Stdout: func(line string) { p.saw(parse(line)) },
	})
	p.version = parse(p.process.ReadyLine()).Text
	return p
}

func (p *Peer) saw(e Event) {
	if e.Kind != "ready" {
		p.events.put(e)
	}
}

// parse reads a line of a script's output. One that is not an event is an error event: the scripts print
// nothing else.
func parse(line string) Event {
	var e Event
	if err := json.Unmarshal([]byte(line), &e); err != nil {
		return Event{Kind: Error, Message: fmt.Sprintf("output %q: %v", line, err)}
	}
	return e
}

// Version names the implementation and what it runs on, with their versions.
func (p *Peer) Version() string { return p.version }

// Process is the process that the peer runs in: to pause it, to kill it.
func (p *Peer) Process() *testenv.Process { return p.process }

// Request says how to connect.
type Request struct {
	Subprotocols []string          `json:"subprotocols,omitempty"`
	Headers      map[string]string `json:"headers,omitempty"`
	// Compression offers permessage-deflate.
	Compression bool `json:"compression"`
}

// RejectedError is a server's answer that is not an upgrade.
type RejectedError struct {
	Status int
	// Headers has the names in lower case.
	Headers map[string]string
}

func (e *RejectedError) Error() string {
	return fmt.Sprintf("interop: rejected with HTTP status %d", e.Status)
}

// Connect opens a connection and returns the Open event. Where the server answers without an upgrade the error
// is a *RejectedError.
func (p *Peer) Connect(ctx context.Context, url string, r Request) (Event, error) {
	err := p.do(struct {
		Cmd string `json:"cmd"`
		URL string `json:"url"`
		Request
	}{"connect", url, r})
	if err != nil {
		return Event{}, err
	}
	e, err := p.Next(ctx)
	switch {
	case err != nil:
		return Event{}, err
	case e.Kind == Open:
		return e, nil
	case e.Kind == Rejected:
		return Event{}, &RejectedError{Status: e.Status, Headers: e.Headers}
	default:
		return Event{}, fmt.Errorf("interop: connect: %v", e)
	}
}

// Send sends a text message. It does not wait until the message is on its way.
func (p *Peer) Send(text string) error {
	return p.do(map[string]any{"cmd": "send", "text": text})
}

// SendBinary sends a binary message. It does not wait until the message is on its way.
func (p *Peer) SendBinary(data []byte) error {
	return p.do(map[string]any{"cmd": "send", "data": append([]byte{}, data...)})
}

// Ping sends a ping; the answer is a Pong event.
func (p *Peer) Ping(text string) error {
	return p.do(map[string]any{"cmd": "ping", "text": text})
}

// Close begins the closing handshake; its end is a Close event.
func (p *Peer) Close(code int, reason string) error {
	return p.do(map[string]any{"cmd": "close", "code": code, "reason": reason})
}

// Terminate ends the TCP connection without a close frame. A Close event with code 1006 follows.
func (p *Peer) Terminate() error {
	return p.do(map[string]any{"cmd": "terminate"})
}

// Next waits for the next event. It returns an error when ctx ends or the process has.
func (p *Peer) Next(ctx context.Context) (Event, error) {
	for {
		if e, ok := p.events.take(); ok {
			return e, nil
		}
		select {
		case <-p.events.more:
		case <-ctx.Done():
			return Event{}, fmt.Errorf("interop: no event: %w", context.Cause(ctx))
		case <-p.process.Done():
			if e, ok := p.events.take(); ok {
				return e, nil
			}
			return Event{}, fmt.Errorf("interop: %s ended; it said:\n%s", p.version, strings.TrimSpace(p.process.Output()))
		}
	}
}

func (p *Peer) do(command any) error {
	line, err := json.Marshal(command)
	if err != nil {
		return err
	}
	return p.process.WriteLine(string(line))
}
