package main

import (
	"context"
	"crypto/rand"
	"embed"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gohubkit/hubkit/hub"
)

//go:embed page
var page embed.FS

// server answers questions. An answer is a room with history. The goroutine that asks the model publishes there, and every
// client that knows the room's name can read. Neither depends on the other, so a reader may leave and return.
type server struct {
	hub   *hub.Hub
	model model
	mux   *http.ServeMux

	ctx     context.Context //nolint:containedctx // of the answers, which outlive the requests
	cancel  context.CancelFunc
	answers sync.WaitGroup
}

const (
	// An answer is kept for an hour after its last token, and has at most maxTokens.
	maxTokens = 10_000
	kept      = time.Hour

	maxPrompt = 4 << 10
)

// token is one published part of an answer.
type token struct {
	Text string `json:"text,omitempty"`
	Done bool   `json:"done,omitempty"`
	// Failed says that the answer is not whole.
	Failed bool `json:"failed,omitempty"`
}

func newServer(pace time.Duration) (*server, error) {
	h, err := hub.New(
		hub.WithRooms("answer:*", hub.History(maxTokens+1, kept)),
		// Room names cannot be guessed. A service with accounts checks in OnJoin that the answer is the user's.
		hub.WithOpenRooms("answer:*"),
	)
	if err != nil {
		return nil, err
	}
	h.OnPublish(func(context.Context, *hub.Conn, *hub.Publication) error { return hub.ErrForbidden })
	files, err := fs.Sub(page, "page")
	if err != nil {
		return nil, errors.Join(err, h.Close())
	}
	s := &server{hub: h, model: model{pace: pace}, mux: http.NewServeMux()}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.mux.Handle("GET /events", h.SSE())
	s.mux.HandleFunc("POST /ask", s.ask)
	s.mux.Handle("GET /", http.FileServerFS(files))
	return s, nil
}

// ask begins an answer, and returns the name of its room.
func (s *server) ask(w http.ResponseWriter, r *http.Request) {
	var question struct{ Prompt string }
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxPrompt)).Decode(&question); err != nil || question.Prompt == "" {
		http.Error(w, "the body must be JSON with a prompt of at most "+strconv.Itoa(maxPrompt)+" bytes", http.StatusBadRequest)
		return
	}
	room := "answer:" + strings.ToLower(rand.Text())
	s.answers.Go(func() { s.answer(room, question.Prompt) })
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]string{"room": room}) // who asks may be gone
}

// answer publishes the model's answer, even if no client reads it.
func (s *server) answer(room, prompt string) {
	tokens := 0
	err := s.model.answer(s.ctx, prompt, func(text string) error {
		if tokens++; tokens > maxTokens {
			return errors.New("the answer is too long")
		}
		return s.publish(room, token{Text: text})
	})
	if err != nil {
		slog.Warn("an answer failed", "room", room, "err", err)
	}
	if err := s.publish(room, token{Done: true, Failed: err != nil}); err != nil && !errors.Is(err, hub.ErrClosed) {
		slog.Warn("the end of an answer is not published", "room", room, "err", err)
	}
}

func (s *server) publish(room string, t token) error {
	data, err := json.Marshal(t)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), 10*time.Second)
	defer cancel()
	_, err = s.hub.Publish(ctx, room, data)
	return err
}

// serve serves until ctx ends, and returns when everything has ended.
func (s *server) serve(ctx context.Context, ln net.Listener) error {
	srv := &http.Server{Handler: s.mux, ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(ln) }()
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	end, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	s.cancel()
	s.answers.Wait()
	err = errors.Join(err, s.hub.Shutdown(end), srv.Shutdown(end))
	return err
}
