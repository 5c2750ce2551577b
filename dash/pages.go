package dash

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/gohubkit/hubkit/hub"
)

const (
	// pageWait is how long nodes have to answer for a page.
	pageWait = 5 * time.Second
	// maxCursor bounds what comes as after, in bytes.
	maxCursor = 64 << 10
	maxLimit  = 1000
)

// connPage and roomPage are the hub's, with one opaque string for the next page.
type connPage struct {
	Conns  []hub.ConnInfo `json:"conns"`
	Next   string         `json:"next,omitempty"`
	Silent []string       `json:"silent,omitempty"`
	Error  *errorBody     `json:"error,omitempty"`
}

type roomPage struct {
	Rooms  []hub.RoomInfo `json:"rooms"`
	Next   string         `json:"next,omitempty"`
	Silent []string       `json:"silent,omitempty"`
	Error  *errorBody     `json:"error,omitempty"`
}

func (d *Dash) serveConns(w http.ResponseWriter, r *http.Request) error {
	p, err := parameters(r, "node", "conn", "session", "user", "room", "slowest", "limit", "after")
	if err != nil {
		return err
	}
	q := hub.ConnQuery{
		Node: p["node"], Conn: p["conn"], Session: p["session"], User: p["user"], Room: p["room"],
		Slowest: p["slowest"] == "1", Limit: p.limit(), After: p.after(),
	}
	ctx, cancel := context.WithTimeout(r.Context(), pageWait)
	defer cancel()
	page, err := d.hub.InspectConns(ctx, q)
	if none(err, len(page.Conns), page.Silent) {
		return err
	}
	return answer(w, connPage{page.Conns, cursor(page.Next), page.Silent, partial(err)})
}

func (d *Dash) serveRooms(w http.ResponseWriter, r *http.Request) error {
	p, err := parameters(r, "node", "room", "contains", "largest", "limit", "after")
	if err != nil {
		return err
	}
	q := hub.RoomQuery{
		Node: p["node"], Room: p["room"], Contains: p["contains"], Largest: p["largest"] == "1", Limit: p.limit(), After: p.after(),
	}
	ctx, cancel := context.WithTimeout(r.Context(), pageWait)
	defer cancel()
	page, err := d.hub.InspectRooms(ctx, q)
	if none(err, len(page.Rooms), page.Silent) {
		return err
	}
	return answer(w, roomPage{page.Rooms, cursor(page.Next), page.Silent, partial(err)})
}

// none reports whether an error is all that there is to answer.
func none(err error, items int, silent []string) bool {
	return err != nil && items == 0 && len(silent) == 0
}

// cursor is where the next page begins on each node, as one string.
func cursor(next map[string]string) string {
	if next == nil {
		return ""
	}
	text, err := json.Marshal(next)
	if err != nil { // of strings
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

func parseCursor(s string) (next map[string]string, ok bool) {
	text, err := base64.RawURLEncoding.DecodeString(s)
	return next, err == nil && json.Unmarshal(text, &next) == nil && next != nil
}

// query has the parameters of a request, checked.
type query map[string]string

// parameters takes those that a call has from a request; others, and bad ones, are errors.
func parameters(r *http.Request, names ...string) (query, error) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, badRequest("the query cannot be parsed")
	}
	q := make(query)
	for name, all := range values {
		switch {
		case !slices.Contains(names, name):
			return nil, badRequest("the parameter %q is unknown", name)
		case len(all) > 1:
			return nil, badRequest("%s is given %d times", name, len(all))
		}
		q[name] = all[0]
	}
	for _, name := range []string{"slowest", "largest"} {
		if v := q[name]; v != "" && v != "0" && v != "1" {
			return nil, badRequest("%s=%q: want 0 or 1", name, v)
		}
	}
	if v := q["limit"]; v != "" {
		if n, err := strconv.Atoi(v); err != nil || n < 1 || n > maxLimit {
			return nil, badRequest("limit=%q: want a number from 1 to %d", v, maxLimit)
		}
	}
	if v := q["after"]; v != "" {
		if _, ok := parseCursor(v); !ok || len(v) > maxCursor {
			return nil, badRequest("after is not the next of a page")
		}
	}
	return q, nil
}

func (q query) limit() int {
	n, _ := strconv.Atoi(q["limit"]) // checked
	return n
}

func (q query) after() map[string]string {
	next, _ := parseCursor(q["after"]) // checked
	return next
}
