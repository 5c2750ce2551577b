package hub

import (
	"net/http"
	"reflect"
)

// mayAdopt reports whether the hub may close the net.Conn that a request has come on: nobody else can have kept it.
func (h *Hub) mayAdopt(w http.ResponseWriter, r *http.Request) bool {
	srv, ok := r.Context().Value(http.ServerContextKey).(*http.Server)
	return ok && h.poller != nil && srv.ConnContext == nil && hijacksAsNetHTTP(w)
}

// hijacksAsNetHTTP reports whether package http's own Hijack is what http.ResponseController finds behind w, and not one of middleware.
func hijacksAsNetHTTP(w http.ResponseWriter) bool {
	for {
		if _, ok := w.(http.Hijacker); ok {
			t := reflect.TypeOf(w)
			return t.Kind() == reflect.Pointer && t.Elem().PkgPath() == "net/http"
		}
		wrapper, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return false
		}
		w = wrapper.Unwrap()
	}
}
