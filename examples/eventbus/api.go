package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/broker/redis"
)

// runAPI serves the store over HTTP and publishes what is written to it.
func runAPI(ctx context.Context, addr, redisAddr string, stdout io.Writer) (err error) {
	b, err := redis.New([]string{redisAddr})
	if err != nil {
		return err
	}
	// A nil receiver makes a broker that only publishes: no subscription, no node.
	if err := b.Start(ctx, "", nil); err != nil {
		return err
	}
	s := &store{orders: make(map[string]order), publish: publisher(b)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /orders/{id}", s.get)
	mux.HandleFunc("PUT /orders/{id}", s.put) // for the backend's own services; a public one asks who writes
	err = serve(ctx, "api", addr, mux, func(context.Context) error { return nil }, stdout)
	end, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return errors.Join(err, b.Close(end))
}

type order struct {
	ID      string `json:"id"`
	Status  string `json:"status"`
	Version int    `json:"version"`
}

// publisher returns a function that publishes an order to its room. The idempotency key is made of the version, so
// it is safe to publish a state again.
func publisher(b broker.Broker) func(context.Context, order) error {
	return func(ctx context.Context, o order) error {
		data, err := json.Marshal(o)
		if err != nil {
			return err
		}
		_, err = b.Publish(ctx, orderRooms+o.ID, broker.Publication{
			Data:           data,
			Retention:      kept,
			IdempotencyKey: fmt.Sprintf("%s/%d", o.ID, o.Version),
		})
		return err
	}
}

// store stands in for a database.
type store struct {
	publish func(context.Context, order) error

	mu     sync.Mutex // also while publishing: an order's states are published in their order
	orders map[string]order
}

func (s *store) get(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	o, ok := s.orders[r.PathValue("id")]
	s.mu.Unlock()
	if !ok {
		http.NotFound(w, r)
		return
	}
	reply(w, o)
}

const maxBody = 4 << 10 // bytes

func (s *store) put(w http.ResponseWriter, r *http.Request) {
	o := order{ID: r.PathValue("id")}
	var in struct{ Status string }
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&in)
	if o.Status = in.Status; err != nil || o.Status == "" {
		http.Error(w, `want {"status": "..."}`, http.StatusBadRequest)
		return
	}
	if err := broker.CheckRoom(orderRooms + o.ID); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	o.Version = s.orders[o.ID].Version + 1
	s.orders[o.ID] = o
	// The order is stored, whether or not it could be published. A client that missed the message gets the state with the
	// next one, or with GET. If that is not enough, write the order and the message in one transaction, and
	// publish from that table (an outbox).
	if err := s.publish(r.Context(), o); err != nil {
		slog.Error("order not published", "order", o.ID, "version", o.Version, "err", err)
	}
	reply(w, o)
}

func reply(w http.ResponseWriter, o order) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(o) // An error means that the client has gone.
}
