package client_test

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/client"
)

// faulty has every option with a value it must refuse, by name, or nil where it takes every value.
var faulty = map[string]client.Option{
	"WithBackoff":          client.WithBackoff(nil),
	"WithToken":            client.WithToken(nil),
	"WithHeader":           client.WithHeader(http.Header{"sec-websocket-key": {"x"}}),
	"WithCookies":          client.WithCookies(nil),
	"WithDialer":           client.WithDialer(nil),
	"WithTLS":              client.WithTLS(nil),
	"WithHeartbeat":        client.WithHeartbeat(0, -1),
	"WithHandshakeTimeout": client.WithHandshakeTimeout(0),
	"WithWriteTimeout":     client.WithWriteTimeout(-1),
	"WithQueue":            client.WithQueue(0, 0),
	"WithRetryWindow":      client.WithRetryWindow(-1),
	"WithRate":             client.WithRate(0, 0),
	"WithInbox":            client.WithInbox(0),
	"WithReadLimit":        client.WithReadLimit(0),
	"WithCompression":      nil,
	"WithCBOR":             nil,
	"WithLogger":           client.WithLogger(nil),
	"OnState":              client.OnState(nil),
	"OnMessage":            client.OnMessage(nil),
	"OnRoomMessage":        client.OnRoomMessage(nil),
	"OnServerJoin":         client.OnServerJoin(nil),
}

func TestFaultyOptions(t *testing.T) {
	all := []client.Option{nil}
	count := 1
	for name, o := range faulty {
		if o == nil {
			continue
		}
		all, count = append(all, o), count+1
		_, err := client.New("ws://host", o)
		if !errors.Is(err, client.ErrInvalid) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: New returned %v", name, err)
		}
	}
	// They are reported together.
	_, err := client.New("http://", all...)
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok || len(joined.Unwrap()) != count+2 {
		t.Errorf("%d faults are reported as\n%v", count+2, err)
	}
}

// TestFaultyRoomOptions: rooms that the server puts the client into have no position to begin with, and member events do not
// say of which room they are.
func TestFaultyRoomOptions(t *testing.T) {
	f := func(client.Message) {}
	for name, o := range map[string]client.SubOption{
		"nil":              nil,
		"Since":            client.Since(at(1)),
		"Newest":           client.Newest(1),
		"OnPresence":       client.OnPresence(func(bool, client.Member) {}),
		"OnMembersChanged": client.OnMembersChanged(func(int, time.Duration) {}),
		"OnGap":            client.OnGap(nil),
		"RoomToken":        client.RoomToken(nil),
	} {
		if _, err := client.New("ws://host", client.OnRoomMessage(f, o)); !errors.Is(err, client.ErrInvalid) {
			t.Errorf("%s: New returned %v", name, err)
		}
	}
	if _, err := client.New("ws://host", client.OnRoomMessage(f, client.OnGap(func(client.Gap) {}), client.OnError(func(error) {}))); err != nil {
		t.Error(err)
	}
}

func TestFaultyAddresses(t *testing.T) {
	for _, address := range []string{"", "host", "http://host", "ws://", "ws:///path", "ws://u:p@host", "ws://host/#f", "ws://%"} {
		if _, err := client.New(address); !errors.Is(err, client.ErrInvalid) {
			t.Errorf("New(%q) returned %v", address, err)
		}
	}
	for _, address := range []string{"ws://host", "wss://host:8443/ws?x=1", "ws://[::1]:80"} {
		if _, err := client.New(address, client.WithLogger(slog.Default())); err != nil {
			t.Errorf("New(%q) returned %v", address, err)
		}
	}
}

// TestNoOptionIsForgotten reads the source.
func TestNoOptionIsForgotten(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || !f.Name.IsExported() || f.Type.Results == nil || len(f.Type.Results.List) != 1 {
				continue
			}
			if result, ok := f.Type.Results.List[0].Type.(*ast.Ident); ok && result.Name == "Option" {
				found++
				if _, ok := faulty[f.Name.Name]; !ok {
					t.Errorf("option %s is not tested", f.Name.Name)
				}
			}
		}
	}
	if found != len(faulty) {
		t.Errorf("found %d options, the table has %d", found, len(faulty))
	}
}
