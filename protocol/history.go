package protocol

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
)

// HistoryMessage is one message of a history page.
type HistoryMessage struct {
	Offset uint64 `json:"offset"`
	// Data is any JSON value, or nil if the payload is binary.
	Data json.RawMessage `json:"data,omitempty"`
	// Bin is a binary payload, or nil if the payload is not binary.
	Bin []byte `json:"bin,omitempty"`
	*Meta
}

// History is the data of the answer to history: one page.
type History struct {
	// Messages are in the order of the request. Their offsets count by one, up or down.
	Messages []HistoryMessage `json:"messages"`
	// More is set if the room has further messages in this direction.
	More bool `json:"more,omitempty"`
}

// AppendHistory appends h as JSON: the Data of the OK that answers history. The Data of the messages must be valid JSON. If
// it is empty, null is written.
func AppendHistory(dst []byte, h History) []byte { return AppendHistoryWithin(dst, h, math.MaxInt) }

// AppendHistoryWithin is AppendHistory with only the first messages that fit in limit bytes. The first message is always
// written, so that a client advances. If any is left out, more is true.
func AppendHistoryWithin(dst []byte, h History, limit int) []byte {
	const end = `],"more":true}`
	start := len(dst)
	dst = append(dst, `{"messages":[`...)
	for i, m := range h.Messages {
		whole := len(dst)
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendUint(append(dst, `{"offset":`...), m.Offset, 10)
		dst = appendMeta(dst, m.Meta)
		if m.Bin != nil {
			dst = append(appendBinField(dst, m.Bin), '}')
		} else {
			dst = append(appendDataField(dst, orNull(m.Data)), '}')
		}
		if i > 0 && len(dst)-start+len(end) > limit {
			dst, h.More = dst[:whole], true
			break
		}
	}
	if h.More {
		return append(dst, end...)
	}
	return append(dst, "]}"...)
}

// ParseHistory reads the Data of the answer to history. The result does not refer to data.
func ParseHistory(data []byte) (History, error) {
	var h History
	if err := json.Unmarshal(data, &h); err != nil {
		return History{}, fmt.Errorf("protocol: history: %w", err)
	}
	return h, nil
}
