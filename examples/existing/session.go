package main

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"regexp"
	"sync"
	"time"
)

const (
	cookieName  = "session"
	lifetime    = 12 * time.Hour
	maxSessions = 10_000
)

var errNoSession = errors.New("no valid session")

// sessions stands in for a table that all processes of the service share. The cookie is a random name. After a logout the
// session is not in the table, so a copy of the cookie is useless.
type sessions struct {
	mu    sync.Mutex
	known map[string]session
}

type session struct {
	user    string
	expires time.Time
}

func newSessions() *sessions { return &sessions{known: make(map[string]session)} }

// begin returns the name of a new session; false if there are too many.
func (s *sessions) begin(user string, now time.Time) (name string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.known) >= maxSessions {
		for name, old := range s.known {
			if !now.Before(old.expires) {
				delete(s.known, name)
			}
		}
		if len(s.known) >= maxSessions {
			return "", false
		}
	}
	name = rand.Text()
	s.known[name] = session{user, now.Add(lifetime)}
	return name, true
}

// end ends all sessions of a user.
func (s *sessions) end(user string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, known := range s.known {
		if known.user == user {
			delete(s.known, name)
		}
	}
}

// user returns the user of a request.
func (s *sessions) user(r *http.Request) (string, error) {
	c, err := r.Cookie(cookieName)
	if err != nil {
		return "", errNoSession
	}
	s.mu.Lock()
	known, ok := s.known[c.Value]
	s.mu.Unlock()
	if !ok || !time.Now().Before(known.expires) {
		return "", errNoSession
	}
	return known.user, nil
}

var validUser = regexp.MustCompile(`^[a-z0-9]{1,32}$`)

// login stands in for the service's real authentication: it accepts every name. It takes a POST, so that another site's page
// cannot log its visitors in: see CrossOriginProtection in main.go.
func (s *sessions) login(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 1<<10)
	user := r.FormValue("user")
	if !validUser.MatchString(user) {
		http.Error(w, "user must be 1 to 32 of a-z and 0-9", http.StatusBadRequest)
		return
	}
	name, ok := s.begin(user, time.Now())
	if !ok {
		http.Error(w, "too many sessions", http.StatusServiceUnavailable)
		return
	}
	setCookie(w, name, lifetime)
	w.WriteHeader(http.StatusNoContent)
}

func setCookie(w http.ResponseWriter, value string, age time.Duration) {
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // Behind TLS it would be Secure; this one is tried without.
		Name: cookieName, Value: value, Path: "/", MaxAge: int(age.Seconds()), HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}

func expire(w http.ResponseWriter) { setCookie(w, "", -time.Second) }

type userKey struct{}

// require passes requests with a session on to the handler, with the user in the context.
func (s *sessions) require(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, err := s.user(r)
		if err != nil {
			http.Error(w, "log in first", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), userKey{}, user)))
	})
}

// userOf is for handlers behind require.
func userOf(r *http.Request) string {
	user, _ := r.Context().Value(userKey{}).(string)
	return user
}
