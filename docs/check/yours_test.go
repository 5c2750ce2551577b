package check

// yours is what fragments leave to the application.
const yours = `package p

import (
	"context"
	"crypto/x509"
	"io"
	"net/http"
	"time"

	"github.com/gohubkit/hubkit/hub"
)

var (
	addr, user, session, id, room, reason string
	addrs                                 []string
	roots                                 *x509.CertPool
	why                                   *hub.CloseError
	price                                 struct{ Symbol string }
	file                                  io.Writer
)

type (
	ChatMessage      struct{ Text string }
	ThumbnailRequest struct{ Image int }
	Thumbnail        struct{ URL string }
)

type secrets struct{}

func (secrets) Read(context.Context, string) (string, error) { return "", nil }

var vault secrets

func fetchToken(context.Context) (string, error)                            { return "", nil }
func isMember(ctx context.Context, team, user string) (bool, error)         { return false, nil }
func subscriptionEnd(ctx context.Context, user, room string) (t time.Time, err error) { return t, nil }
func sessionOf(*http.Request) (user string, err error)                       { return "", nil }
func isAdmin(user string) bool                                              { return false }
func isOperator(*http.Request) bool                                         { return false }
func stop()                                                                 {}
func banned(ctx context.Context, user string) error                         { return nil }
func thumbnail(context.Context, *hub.Conn, ThumbnailRequest) (Thumbnail, error) { return Thumbnail{}, nil }
`
