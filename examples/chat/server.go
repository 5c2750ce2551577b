package main

import (
	"crypto/rand"
	"embed"
	"encoding/json"
	"io/fs"
	"net/http"
	"regexp"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/hub"
)

// maxMessage is the largest message of a client, in bytes.
const maxMessage = 16 << 10

func newHub(conf config, b broker.Broker) (*hub.Hub, error) {
	opts := []hub.Option{
		hub.WithBroker(b),
		hub.WithAuthenticator(introduce),
		hub.WithRooms("chat:*", hub.History(1000, 24*time.Hour), hub.Presence()),
		hub.WithOpenRooms("chat:*"),
		hub.WithMaxMessage(maxMessage),
		hub.WithDrain(conf.drain),
	}
	if conf.node != "" {
		opts = append(opts, hub.WithNode(conf.node))
	}
	return hub.New(opts...)
}

// validName is a letter or digit and up to 23 more characters. The page asks for the same.
var validName = regexp.MustCompile(`^[\pL\pN][\pL\pM\pN ._'-]{0,23}$`)

// introduce takes the name from the query, as in ws://host/ws?name=ada. It does not authenticate: the client chooses
// User, so grant nothing by it.
func introduce(r *http.Request) (hub.Identity, error) {
	name := r.URL.Query().Get("name")
	if name == "" {
		name = "guest-" + rand.Text()[:4]
	}
	if !validName.MatchString(name) {
		return hub.Identity{}, &hub.HTTPError{
			Status:  http.StatusBadRequest,
			Message: "a name is a letter or digit, and up to 23 more letters, digits, spaces and . _ ' -",
		}
	}
	info, err := json.Marshal(map[string]string{"name": name})
	return hub.Identity{User: name, Info: info}, err
}

//go:embed page
var files embed.FS

func routes(h *hub.Hub) http.Handler {
	page, err := fs.Sub(files, "page")
	if err != nil {
		panic(err) // The directory is compiled in.
	}
	mux := http.NewServeMux()
	mux.Handle("GET /ws", h)
	mux.Handle("GET /hubkit/", hub.Script())
	mux.Handle("GET /", secure(http.FileServerFS(page)))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("ok\n"))
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if !h.Ready() {
			http.Error(w, "not ready", http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write([]byte("ready\n"))
	})
	return mux
}

// secure lets the page load and connect to nothing but its own server.
func secure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; "+
			"img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-cache")
		next.ServeHTTP(w, r)
	})
}
