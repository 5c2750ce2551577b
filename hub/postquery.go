package hub

import (
	"encoding/json"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/protocol"
)

// postQuery has the values of a POST's query and headers.
type postQuery struct {
	room, method string // one of them
	session      string
	noEcho       bool
	tags         map[string]string
	trace        broker.Trace
	key          string // for idempotency
	token        string
}

// read parses a request, and returns what is wrong with it. Unknown parameters and headers are the application's.
func (q *postQuery) read(r *http.Request) *postFault {
	params, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return badRequest("the query cannot be read")
	}
	if fault := eachParam(params, q.set, "room", "method", "session", "echo", "tags"); fault != nil {
		return fault
	}
	publishes, calls := params.Has("room"), params.Has("method")
	switch {
	case publishes == calls:
		return badRequest("the query must have either room or method")
	case calls && (params.Has("echo") || params.Has("tags")):
		return badRequest("echo and tags are for publishing: leave them out of a call")
	}
	if fault := q.readHeader(r.Header); fault != nil {
		return fault
	}
	if calls && q.key != "" {
		return badRequest("Idempotency-Key is for publishing: leave it out of a call")
	}
	return mediaFault(r)
}

// eachParam calls set for those of the named parameters that a query has. None may come twice.
func eachParam(params url.Values, set func(name, value string) *postFault, names ...string) *postFault {
	for _, name := range names {
		if values, ok := params[name]; ok {
			if len(values) > 1 {
				return badRequest("the query has more than one " + name)
			}
			if fault := set(name, values[0]); fault != nil {
				return fault
			}
		}
	}
	return nil
}

// repeated refuses a header that has one of the named fields more than once.
func repeated(header http.Header, names ...string) *postFault {
	for _, name := range names {
		if len(header[name]) > 1 {
			return badRequest("the header has more than one " + name)
		}
	}
	return nil
}

func sessionFault(session string) *postFault {
	if !protocol.ValidSession([]byte(session)) || !utf8.ValidString(session) {
		return badRequest("session must have 1 to 128 bytes of UTF-8 without control characters")
	}
	return nil
}

func (q *postQuery) set(name, value string) *postFault {
	switch name {
	case "room":
		if err := checkRoom(value); err != nil {
			return &postFault{Error: *err, room: clip(value)}
		}
		q.room = value
	case "method":
		if value == "" || !utf8.ValidString(value) {
			return badRequest("method is empty, or not UTF-8")
		}
		q.method = value
	case "session":
		q.session = value
		return sessionFault(value)
	case "echo":
		if value != "true" && value != "false" {
			return badRequest("echo must be true or false")
		}
		q.noEcho = value == "false"
	case "tags":
		tags := make(map[string]*string)
		if err := json.Unmarshal([]byte(value), &tags); err != nil || !utf8.ValidString(value) {
			return badRequest("tags must be a JSON object of strings")
		}
		for name, tag := range tags {
			if tag == nil {
				return badRequest("tags must be a JSON object of strings")
			}
			if q.tags == nil {
				q.tags = make(map[string]string, len(tags))
			}
			q.tags[name] = *tag
		}
		if err := protocol.CheckTags(q.tags); err != nil {
			return badRequest("tags: " + err.Error())
		}
	}
	return nil
}

func (q *postQuery) readHeader(header http.Header) *postFault {
	if fault := repeated(header, "Authorization", "Content-Encoding", "Content-Type", "Idempotency-Key"); fault != nil {
		return fault
	}
	q.token, _ = bearer(header)
	if values, ok := header["Idempotency-Key"]; ok {
		key, ok := readKey(values[0])
		if !ok {
			return badRequest("Idempotency-Key must have 1 to 128 bytes of UTF-8, and may stand in quotes")
		}
		q.key = key
	}
	// W3C: a trace context that cannot be read is none.
	if parents := header["Traceparent"]; len(parents) == 1 && protocol.ValidTraceParent(parents[0]) {
		q.trace.Parent = parents[0]
		if state := strings.Join(header["Tracestate"], ","); protocol.ValidTraceState(state) {
			q.trace.State = state
		}
	}
	return nil
}

// bearer returns the token of the Authorization header.
func bearer(header http.Header) (token string, ok bool) {
	scheme, token, ok := strings.Cut(header.Get("Authorization"), " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return "", false
	}
	return strings.TrimLeft(token, " "), true
}

// readKey reads an idempotency key as it is, or as a string of RFC 8941, which stands in quotes.
func readKey(s string) (key string, ok bool) {
	if strings.HasPrefix(s, `"`) {
		if s, ok = unquote(s); !ok {
			return "", false
		}
	}
	return s, s != "" && len(s) <= protocol.MaxIdempotencyKey && utf8.ValidString(s)
}

func unquote(s string) (string, bool) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), i == len(s)-1
		case '\\':
			if i++; i == len(s) || s[i] != '"' && s[i] != '\\' {
				return "", false
			}
		}
		b.WriteByte(s[i])
	}
	return "", false
}

// mediaFault refuses a body that is declared not to be JSON. A page of another origin could send one without a
// preflight.
func mediaFault(r *http.Request) *postFault {
	fault := func(message string) *postFault {
		return &postFault{Error: Error{Code: protocol.CodeBadRequest, Message: message}, status: http.StatusUnsupportedMediaType}
	}
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return fault("the body must not be compressed")
	}
	if r.ContentLength == 0 && r.Header.Get("Content-Type") == "" {
		return nil
	}
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch charset := params["charset"]; {
	case err != nil || kind != "application/json":
		return fault("Content-Type must be application/json")
	case charset != "" && !strings.EqualFold(charset, "utf-8"):
		return fault("the charset must be UTF-8")
	}
	return nil
}
