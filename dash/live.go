package dash

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/gohubkit/hubkit/hub"
)

const (
	// liveRoom is where the figures of all nodes are published each liveEvery, while somebody is in it.
	liveRoom  = "nodes"
	liveEvery = time.Second
	// maxViewers and maxViewersEach bound the open pages of a node, and those of one client address.
	maxViewers     = 64
	maxViewersEach = 16
	// liveCheck is how long the authorizer's answer holds for an open page, and liveWait how long the next one may take.
	liveCheck = 15 * time.Second
	liveWait  = 10 * time.Second
)

// live feeds the open pages of this node: by a hub of its own, which is made when the first page comes and ends with the hub that the
// dashboard is about.
type live struct {
	once sync.Once
	hub  *hub.Hub
	err  error
}

// serveLive takes a page's WebSocket. ServeHTTP has asked the authorizer.
func (d *Dash) serveLive(w http.ResponseWriter, r *http.Request) error {
	l := &d.live
	l.once.Do(func() { l.hub, l.err = d.newLive() })
	if l.err != nil {
		return l.err
	}
	l.hub.ServeHTTP(w, r)
	return nil
}

// handshakeKey is under what a page's connection keeps the request that it began with.
type handshakeKey struct{}

// newLive makes the hub of the pages. A page's identity ends after liveCheck, and the client asks for another one before that, for which
// the authorizer is asked about the request again. If it does not allow it, the connection ends with the identity.
func (d *Dash) newLive() (*hub.Hub, error) {
	log := slog.New(warnings{d.audit.With("hub", "dash").Handler()}) // not the bounded log: a hub bounds its own
	h, err := hub.New(
		hub.WithLogger(log), hub.WithoutPreflight(), hub.WithMaxConns(maxViewers), hub.WithMaxPerUser(maxViewersEach, hub.RefuseNew),
		hub.WithAuthenticator(func(r *http.Request) (hub.Identity, error) { return hub.Identity{User: d.addr(r)}, nil }),
		hub.WithTokenVerifier(func(ctx context.Context, _ string) (hub.Identity, error) { return d.viewer(ctx) }))
	if err != nil {
		return nil, err
	}
	h.OnHandshake(func(r *http.Request, c *hub.Conn) error {
		r = r.WithContext(context.WithoutCancel(r.Context()))
		r.Body = http.NoBody
		c.Set(handshakeKey{}, r)
		return nil
	})
	h.OnJoinGrant(func(_ context.Context, _ *hub.Conn, room string) (hub.Grant, error) {
		if room != liveRoom {
			return hub.Grant{}, hub.ErrForbidden
		}
		return hub.Grant{ReadOnly: true}, nil
	})
	s := sampler{dash: d, hub: h}
	h.OnRoomUsed(s.start)
	h.OnRoomEmpty(func(context.Context, string) { s.stop() })
	go func() {
		<-d.hub.Done()
		s.stop()
		_ = h.Close()
	}()
	return h, nil
}

// viewer is who has a page open, for liveCheck from now on.
func (d *Dash) viewer(ctx context.Context) (hub.Identity, error) {
	c, _ := hub.ConnFromContext(ctx)
	r, _ := c.Get(handshakeKey{}).(*http.Request)
	ctx, cancel := context.WithTimeout(r.Context(), liveWait)
	defer cancel()
	if err := d.authorize(r.WithContext(ctx)); err != nil {
		return hub.Identity{}, err
	}
	return hub.Identity{User: d.addr(r), ExpiresAt: time.Now().Add(liveCheck)}, nil
}

// sampler publishes the figures of all nodes between start and stop.
type sampler struct {
	dash *Dash
	hub  *hub.Hub
	end  context.CancelFunc
	mu   sync.Mutex
	over sync.WaitGroup
}

func (s *sampler) start(ctx context.Context, _ string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.end != nil || ctx.Err() != nil {
		return
	}
	ctx, s.end = context.WithCancel(ctx)
	s.over.Go(func() { s.run(ctx) })
}

func (s *sampler) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.end != nil {
		s.end()
		s.over.Wait()
		s.end = nil
	}
}

func (s *sampler) run(ctx context.Context) {
	ticks := time.NewTicker(liveEvery)
	defer ticks.Stop()
	var last *nodePage
	for {
		// An error is not published: a page that hears nothing asks the API, and is answered with the error. Nor is what pages
		// have: after a delay two ticks may come at once.
		if page, err := s.dash.nodes.get(ctx, liveEvery/2, s.dash.askNodes); err == nil && page != last {
			_, _ = s.hub.PublishJSON(ctx, liveRoom, page)
			last = page
		}
		select {
		case <-ticks.C:
		case <-ctx.Done():
			return
		}
	}
}

// warnings leaves out what a hub logs of every client.
type warnings struct{ slog.Handler }

func (w warnings) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelWarn && w.Handler.Enabled(ctx, l)
}
func (w warnings) WithAttrs(as []slog.Attr) slog.Handler { return warnings{w.Handler.WithAttrs(as)} }
func (w warnings) WithGroup(name string) slog.Handler    { return warnings{w.Handler.WithGroup(name)} }
