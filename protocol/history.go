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
	// Data is any JSON value.
	Data json.RawMessage `json:"data"`
	*Meta
}

// History is the data of the answer to history: one page.
type History struct {
	// Messages are in the order that was asked for. Their offsets count by one, up or down.
	Messages []HistoryMessage `json:"messages"`
	// More is set if the room has further messages in this direction.
	More bool `json:"more,omitempty"`
}

// AppendHistory appends h as JSON: the Data of the OK that answers history. The Data of the messages must be valid JSON; if
// it is empty, null is written.
func AppendHistory(dst []byte, h History) []byte { return AppendHistoryWithin(dst, h, math.MaxInt) }

// AppendHistoryWithin is AppendHistory of as many of the messages, from the first on, as fit in limit bytes, and of the
// first in any case, so that a client comes on. If it leaves out any, more is true.
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
		dst = append(appendDataField(dst, orNull(m.Data)), '}')
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

// ParseHistory reads the Data of the answer to history. It keeps nothing of data.
func ParseHistory(data []byte) (History, error) {
	var h History
	if err := json.Unmarshal(data, &h); err != nil {
		return History{}, fmt.Errorf("protocol: history: %w", err)
	}
	return h, nil
}
