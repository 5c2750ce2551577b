package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"sync"
	"time"
)

type order struct {
	ID   string    `json:"id"`
	User string    `json:"user"`
	Item string    `json:"item"`
	At   time.Time `json:"at"`
}

const (
	maxOrder  = 4 << 10 // bytes of a request
	maxOrders = 100     // kept for each user
)

// orders stands in for a database.
type orders struct {
	publish func(context.Context, order)

	mu     sync.Mutex
	byUser map[string][]order
}

func (s *orders) create(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Item string `json:"item"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxOrder)).Decode(&in); err != nil || in.Item == "" {
		http.Error(w, `want {"item": "..."}`, http.StatusBadRequest)
		return
	}
	o := order{ID: rand.Text(), User: userOf(r), Item: in.Item, At: time.Now().UTC()}
	s.add(o)
	s.publish(r.Context(), o)
	reply(w, http.StatusCreated, o)
}

func (s *orders) add(o order) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byUser == nil {
		s.byUser = make(map[string][]order)
	}
	all := s.byUser[o.User]
	all = append(all, o)
	s.byUser[o.User] = all[max(0, len(all)-maxOrders):]
}

func (s *orders) list(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	all := append([]order{}, s.byUser[userOf(r)]...)
	s.mu.Unlock()
	reply(w, http.StatusOK, all)
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // An error means that the client has gone.
}
