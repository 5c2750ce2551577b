package web_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/internal/testenv"
)

var update = flag.Bool("update", false, "write test/types/service.ts anew")

// What a service takes and returns.
type (
	thumbnailRequest struct {
		Image int           `json:"image"`
		Sizes []size        `json:"sizes"`
		Wait  time.Duration `json:"wait,omitempty"`
	}
	size struct {
		Width  int `json:"width"`
		Height int `json:"height"`
	}
	thumbnail struct {
		audit
		URL   string            `json:"url"`
		Of    *thumbnail        `json:"of,omitempty"`
		Best  *size             `json:"best"`
		Tags  map[string]string `json:"tags"`
		Bytes []byte            `json:"bytes,omitempty"`
		Meta  json.RawMessage   `json:"meta"`
	}
	audit struct {
		Made time.Time `json:"made"`
		By   string    `json:"by,omitempty"`
	}
	chatMessage struct {
		Text string `json:"text"`
	}
	notice struct {
		Level int `json:"level"`
	}
)

// TestTypes: what WriteTypeScript writes is right for TypeScript, and the client has those types.
func TestTypes(t *testing.T) {
	h, err := hub.New(hub.WithLogger(slog.New(slog.DiscardHandler)),
		hub.WithRooms("chat:system", hub.DataType[notice]()),
		hub.WithRooms("chat:*", hub.DataType[chatMessage]()),
		hub.WithRooms("odd`${*}\\", hub.DataType[[]string]()),
		hub.WithRooms("untyped:*"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = h.Close() }()
	typed := hub.Typed(func(context.Context, *hub.Conn, thumbnailRequest) (thumbnail, error) { return thumbnail{}, nil })
	behind := func(ctx context.Context, c *hub.Conn, data []byte) (any, error) {
		t.Error("a function of the application's was called")
		return typed(ctx, c, data)
	}
	for name, handle := range map[string]func(name string) error{
		"thumbnail": func(name string) error { return h.Handle(name, typed, hub.Heavy()) },
		"logged":    func(name string) error { return h.Handle(name, behind) },
		"told":      func(name string) error { return h.Handle(name, behind, hub.CallTypes[size, []size]()) },
		"odd \"name": func(name string) error {
			return h.Handle(name, hub.Typed(func(context.Context, *hub.Conn, struct{}) (struct {
				OK bool `json:"ok"`
			}, error) {
				panic("it is not called")
			}))
		},
		"gone": func(name string) error {
			if err := h.Handle(name, typed); err != nil {
				return err
			}
			return h.Handle(name, nil)
		},
	} {
		if err := handle(name); err != nil {
			t.Fatal(err)
		}
	}
	var out, again bytes.Buffer
	if err := h.WriteTypeScript(&out); err != nil {
		t.Fatal(err)
	}
	if err := h.WriteTypeScript(&again); err != nil || !bytes.Equal(out.Bytes(), again.Bytes()) {
		t.Errorf("written twice it differs, or: %v", err)
	}
	golden := filepath.Join("test", "types", "service.ts")
	if *update {
		if err := os.WriteFile(golden, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(out.Bytes(), want) {
		t.Errorf("it differs from %s, which go test ./web -run=TestTypes -update writes anew:\n%s", golden, &out)
	}
	compile := exec.CommandContext(t.Context(), testenv.RequireTool(t, "node"), "node_modules/typescript/bin/tsc", "-p", "test/types")
	if msg, err := compile.CombinedOutput(); err != nil {
		t.Errorf("tsc: %v\n%s", err, msg)
	}
}
