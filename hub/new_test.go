package hub_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/broker/memory"
	"github.com/gohubkit/hubkit/heartbeat"
	"github.com/gohubkit/hubkit/hub"
)

func TestNewReportsEveryFault(t *testing.T) {
	_, err := hub.New(
		nil,
		hub.WithNode(""),
		hub.WithMaxRooms(0),
		hub.WithBacklog(0, 0),
		hub.WithHeartbeat(heartbeat.Policy{Interval: time.Second}),
		hub.WithRooms("", nil),
		hub.WithSubprotocols("a"),
		hub.WithCompression(99, 0),
	)
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{
		"option 0 is nil", "WithNode", "WithMaxRooms", "WithBacklog: messages", "WithBacklog: bytes", "timeout is 0s",
		"the pattern is empty\noption 0 is nil", "WithSubprotocols", "compression level 99", "minSize",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in:\n%v", want, err)
		}
	}
	if !errors.Is(err, hub.ErrOption) || !errors.Is(err, heartbeat.ErrPolicy) || !errors.Is(err, broker.ErrRoomName) {
		t.Error("causes are not found by errors.Is")
	}
}

// failing is a broker that does not start.
type failing struct{ broker.Broker }

var errNoStart = errors.New("nobody there")

func (failing) Start(context.Context, string, broker.Receiver) error { return errNoStart }

func TestNewWithBrokerThatDoesNotStart(t *testing.T) {
	b, err := memory.New()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := hub.New(hub.WithBroker(failing{b})); !errors.Is(err, errNoStart) {
		t.Fatalf("New: %v, want %v", err, errNoStart)
	}
}

// A hub whose idle connections could not be read does not start.
func TestNewWithoutDecoders(t *testing.T) {
	errGorilla := errors.New("the handshake is refused")
	b, err := memory.New()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := hub.New(hub.WithBroker(b), hub.NoDecoders(errGorilla)); !errors.Is(err, errGorilla) {
		t.Fatalf("New: %v, want %v", err, errGorilla)
	}
	if _, err := b.Publish(t.Context(), "r", broker.Publication{Data: []byte("1")}); !errors.Is(err, broker.ErrNotStarted) {
		t.Errorf("the broker of a hub that did not start: %v, want %v", err, broker.ErrNotStarted)
	}
}
