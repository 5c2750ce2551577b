package protocol

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// MaxTags is how many tags a publication may have.
	MaxTags = 16
	// MaxTagKey is the longest key of a tag, in bytes. The shortest has one byte.
	MaxTagKey = 64
	// MaxTagValue is the longest value of a tag, in bytes.
	MaxTagValue = 256
)

// Publisher is the client that published a message, as far as the room shows it. It has the fields of broker.Publisher, and
// each converts to the other.
type Publisher struct {
	// Conn is the connection's ID.
	Conn string `json:"conn,omitempty"`
	// User is the identity's user.
	User string `json:"user,omitempty"`
	// Info is any JSON value that the application shows to others, or empty.
	Info json.RawMessage `json:"info,omitempty"`
}

// Meta is the data that a message may carry beside its payload. A nil Meta carries nothing.
type Meta struct {
	// From is the publisher. It is nil if the room does not show it.
	From *Publisher `json:"from,omitempty"`
	// Time is when the message was published, by the server's clock, in milliseconds since 1970. It is zero if the server does
	// not say.
	Time int64 `json:"time,omitempty"`
	// Tags are the application's.
	Tags map[string]string `json:"tags,omitempty"`
	// TraceParent and TraceState are a W3C trace context: the values of the headers of these names. They are empty if the
	// publication has no trace.
	TraceParent string `json:"traceparent,omitempty"`
	TraceState  string `json:"tracestate,omitempty"`
}

// CheckTags returns an error if the tags of a publication are not valid. There may be at most MaxTags. A key has 1 to
// MaxTagKey bytes of UTF-8 without control characters. A value has at most MaxTagValue bytes of UTF-8.
func CheckTags(tags map[string]string) error {
	if len(tags) > MaxTags {
		return fmt.Errorf("%d tags, at most %d are allowed", len(tags), MaxTags)
	}
	for k, v := range tags {
		if fault := faultOfTag(k, v); fault != "" {
			return fmt.Errorf("tag %q: %s", clip([]byte(k), MaxTagKey), fault)
		}
	}
	return nil
}

func faultOfTag[T string | []byte](key, value T) string {
	k, v := string(key), string(value)
	switch {
	case k == "" || len(k) > MaxTagKey:
		return fmt.Sprintf("its key must have 1 to %d bytes", MaxTagKey)
	case !utf8.ValidString(k) || strings.ContainsFunc(k, unicode.IsControl):
		return "its key must be UTF-8 without control characters"
	case len(v) > MaxTagValue:
		return fmt.Sprintf("its value must have at most %d bytes", MaxTagValue)
	case !utf8.ValidString(v):
		return "its value must be UTF-8"
	}
	return ""
}

// ParseTags reads the Tags of a Request. The result does not refer to raw. It is nil if there are no tags.
func ParseTags(raw []byte) map[string]string {
	if len(raw) == 0 {
		return nil
	}
	var tags map[string]string
	_ = json.Unmarshal(raw, &tags) // Decode has found it to be in order
	if len(tags) == 0 {
		return nil
	}
	return tags
}

// AppendMessageWith is AppendMessage for a message with m, which may be nil.
func AppendMessageWith(dst []byte, room string, data []byte, epoch string, offset uint64, m *Meta) []byte {
	if m == nil {
		return AppendMessage(dst, room, data, epoch, offset)
	}
	dst = append(dst, `{"op":"message"`...)
	dst = appendTextField(dst, `,"room":`, room)
	dst = appendPosition(dst, epoch, offset)
	dst = appendMeta(dst, m)
	return append(appendDataField(dst, orNull(data)), '}')
}

// AppendSkip appends a skip frame: the message at the position is not for the client.
func AppendSkip(dst []byte, room, epoch string, offset uint64) []byte {
	dst = append(dst, `{"op":"skip"`...)
	dst = appendTextField(dst, `,"room":`, room)
	return append(appendPosition(dst, epoch, offset), '}')
}

func appendMeta(dst []byte, m *Meta) []byte {
	if m == nil {
		return dst
	}
	if p := m.From; p != nil {
		dst = append(dst, `,"from":`...)
		start := len(dst)
		dst = appendTextField(dst, `,"conn":`, p.Conn)
		dst = appendTextField(dst, `,"user":`, p.User)
		if len(p.Info) > 0 {
			dst = append(append(dst, `,"info":`...), p.Info...)
		}
		dst = appendBraces(dst, start)
	}
	if m.Time > 0 {
		dst = strconv.AppendInt(append(dst, `,"time":`...), m.Time, 10)
	}
	if len(m.Tags) > 0 {
		dst = AppendTags(append(dst, `,"tags":`...), m.Tags)
	}
	dst = appendTextField(dst, `,"traceparent":`, m.TraceParent)
	return appendTextField(dst, `,"tracestate":`, m.TraceState)
}

// AppendTags appends tags as JSON, sorted by key: the Tags of a Request.
func AppendTags(dst []byte, tags map[string]string) []byte {
	start := len(dst)
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		dst = append(appendString(append(dst, ','), k), ':')
		dst = appendString(dst, tags[k])
	}
	return appendBraces(dst, start)
}

// appendBraces makes an object of fields that each begin with a comma.
func appendBraces(dst []byte, start int) []byte {
	if len(dst) == start {
		return append(dst, '{', '}')
	}
	dst[start] = '{'
	return append(dst, '}')
}

// Meta returns the data that a message carries beside its payload, or nil if there is none. The result does not refer to the
// frame. An error means that From is not a publisher.
func (e *Event) Meta() (*Meta, error) {
	if e.From == nil && e.Time == 0 && e.Tags == nil && e.TraceParent == nil && e.TraceState == nil {
		return nil, nil //nolint:nilnil // a nil Meta carries nothing
	}
	m := &Meta{Time: e.Time, Tags: ParseTags(e.Tags), TraceParent: string(e.TraceParent), TraceState: string(e.TraceState)}
	if e.From != nil {
		if err := json.Unmarshal(e.From, &m.From); err != nil {
			return nil, fmt.Errorf("protocol: from: %w", err)
		}
	}
	return m, nil
}

// decodeMeta reads what a message may carry.
func (e *Event) decodeMeta(r *reader) {
	if e.From = r.object(fieldFrom); r.cbor && e.From != nil {
		e.From = r.publisherOf(e.From)
	}
	e.Time = int64(r.upTo(fieldTime, MaxID))
	e.Tags = r.tags(func(_, _ []byte) string { return "" })
	e.TraceParent, e.TraceState = r.text(fieldTraceParent), r.text(fieldTraceState)
}

// decodeMeta reads what a publication may carry, within the bounds.
func (q *Request) decodeMeta(r *reader) {
	count := 0
	q.Tags = r.tags(func(key, value []byte) string {
		if count++; count > MaxTags {
			return fmt.Sprintf("there are more than %d", MaxTags)
		}
		return faultOfTag(key, value)
	})
	q.TraceParent, q.TraceState = r.text(fieldTraceParent), r.text(fieldTraceState)
	switch {
	case q.TraceParent == nil && q.TraceState == nil:
	case !ValidTraceParent(q.TraceParent):
		r.fail("traceparent is not one of W3C Trace Context")
	case q.TraceState != nil && !ValidTraceState(q.TraceState):
		r.fail("tracestate is not one of W3C Trace Context, or has more than %d bytes", MaxTraceState)
	}
	q.NoEcho = r.has(fieldEcho) && !r.flag(fieldEcho)
}

// object returns an object, or a map, as it was written.
func (r *reader) object(k field) []byte {
	if !r.has(k) {
		return nil
	}
	raw := r.fields.get(k)
	if !r.isObject(raw) {
		r.fail("%s must be an object", fieldNames[k])
		return nil
	}
	return raw
}

// tags returns the tags as they were written, and asks check about each, which returns what is wrong with it.
func (r *reader) tags(check func(key, value []byte) string) []byte {
	raw := r.object(fieldTags)
	if raw == nil {
		return nil
	}
	r.each(raw, func(name, value []byte) {
		if r.err != nil {
			return
		}
		if !r.isText(value) {
			r.fail("the value of a tag must be a string")
			return
		}
		if r.cbor {
			if fault := check(name, content(value)); fault != "" {
				r.fail("a tag is wrong: %s", fault)
			}
			return
		}
		start := len(r.scratch)
		r.scratch = appendUnescaped(r.scratch, name)
		at := len(r.scratch)
		r.scratch = appendUnescaped(r.scratch, value[1:len(value)-1])
		if fault := check(r.scratch[start:at], r.scratch[at:]); fault != "" {
			r.fail("a tag is wrong: %s", fault)
		}
		r.scratch = r.scratch[:start]
	})
	switch {
	case r.err != nil:
		return nil
	case r.cbor:
		return r.tagsOf(raw)
	}
	return raw
}

// eachField calls f for each field of an object that the scan has found to be valid JSON. name is without its quotes, and as
// it was written.
func eachField(object []byte, f func(name, value []byte)) {
	for i := skipSpace(object, 1); object[i] != '}'; {
		end, _ := skipString(object, i)
		name := object[i+1 : end-1]
		value, _ := skipColon(object, end)
		end, _ = skipValue(object, value, MaxDepth)
		f(name, object[value:end])
		if i = skipSpace(object, end); object[i] == ',' {
			i = skipSpace(object, i+1)
		}
	}
}
