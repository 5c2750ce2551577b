package main

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const (
	cookieName = "session"
	lifetime   = 12 * time.Hour
)

var errNoSession = errors.New("no valid session")

// sessions are signed cookies: "user.expiry.signature", the expiry in Unix seconds.
type sessions struct{ key [32]byte }

// newSessions draws a key, so that sessions end with the process. A service of several processes would
// share one.
func newSessions() *sessions {
	s := new(sessions)
	_, _ = rand.Read(s.key[:]) // It never fails.
	return s
}

func (s *sessions) sign(claim string) string {
	mac := hmac.New(sha256.New, s.key[:])
	mac.Write([]byte(claim))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// user returns who a request comes from.
func (s *sessions) user(r *http.Request) (string, error) {
	c, err := r.Cookie(cookieName)
	if err != nil {
		return "", errNoSession
	}
	i := strings.LastIndexByte(c.Value, '.')
	if i < 0 || !hmac.Equal([]byte(c.Value[i+1:]), []byte(s.sign(c.Value[:i]))) {
		return "", errNoSession
	}
	user, expiry, _ := strings.Cut(c.Value[:i], ".")
	seconds, err := strconv.ParseInt(expiry, 10, 64)
	if err != nil || time.Now().Unix() >= seconds {
		return "", errNoSession
	}
	return user, nil
}

var validUser = regexp.MustCompile(`^[a-z0-9]{1,32}$`)

// login stands in for what the service really does to know its users: it believes everybody.
func (s *sessions) login(w http.ResponseWriter, r *http.Request) {
	user := r.URL.Query().Get("user")
	if !validUser.MatchString(user) {
		http.Error(w, "user must be 1 to 32 of a-z and 0-9", http.StatusBadRequest)
		return
	}
	claim := user + "." + strconv.FormatInt(time.Now().Add(lifetime).Unix(), 10)
	setCookie(w, claim+"."+s.sign(claim), lifetime)
	w.WriteHeader(http.StatusNoContent)
}

func setCookie(w http.ResponseWriter, value string, age time.Duration) {
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // Behind TLS it would be Secure; this one is tried without.
		Name: cookieName, Value: value, Path: "/", MaxAge: int(age.Seconds()), HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}

func expire(w http.ResponseWriter) { setCookie(w, "", -time.Second) }

type userKey struct{}

// require lets requests with a session pass, and tells the handler whose it is.
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
