package hub

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/gohubkit/hubkit/internal/core/codec"
	"github.com/gohubkit/hubkit/protocol"
)

// sseQuery has the values of an event stream's query and headers.
type sseQuery struct {
	rooms   []string
	newest  int
	places  []codec.Place // the client's positions
	session string
	token   string
}

func (q *sseQuery) names(room string) bool { return slices.Contains(q.rooms, room) }

// read parses a request, and returns what is wrong with it. Unknown parameters and headers are the application's.
func (q *sseQuery) read(r *http.Request) *postFault {
	params, err := url.ParseQuery(r.URL.RawQuery)
	switch {
	case err != nil:
		return badRequest("the query cannot be read")
	case r.ContentLength != 0:
		return badRequest("the request must have no body")
	}
	size := 0
	for _, room := range params["room"] {
		if err := checkRoom(room); err != nil {
			return &postFault{Error: *err, room: clip(room)}
		}
		if q.names(room) {
			return &postFault{Error: Error{Code: protocol.CodeBadRequest, Message: "the query names a room twice"}, room: clip(room)}
		}
		q.rooms = append(q.rooms, room)
		size += codec.IDShare(room)
	}
	if len(q.rooms) > codec.MaxStreamRooms || size > codec.MaxID {
		return badRequest("the query names too many rooms for one stream")
	}
	if fault := eachParam(params, q.set, "history", "session", "token", "last_event_id"); fault != nil {
		return fault
	}
	return q.readHeader(r.Header)
}

func (q *sseQuery) set(name, value string) *postFault {
	switch name {
	case "history":
		n, err := strconv.ParseUint(value, 10, 31)
		if err != nil {
			return badRequest("history must be a number of messages")
		}
		q.newest = int(n)
	case "session":
		q.session = value
		return sessionFault(value)
	case "token":
		q.token = value
	case "last_event_id":
		return q.resume(value)
	}
	return nil
}

// resume reads the client's positions. An empty ID has none: EventSource sends that before the first event.
func (q *sseQuery) resume(id string) *postFault {
	if id == "" {
		return nil
	}
	places, err := codec.ParseID(id)
	if err != nil {
		return badRequest("the last event's id cannot be read: " + err.Error())
	}
	q.places = places
	return nil
}

// readHeader reads the headers that have a parameter too. A header is newer: EventSource reconnects with its first
// query.
func (q *sseQuery) readHeader(header http.Header) *postFault {
	if fault := repeated(header, "Authorization", "Last-Event-Id"); fault != nil {
		return fault
	}
	if token, ok := bearer(header); ok {
		q.token = token
	}
	return q.resume(header.Get("Last-Event-Id"))
}
