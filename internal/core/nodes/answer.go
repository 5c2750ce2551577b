package nodes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/gohubkit/hubkit/broker"
)

// prepare decodes a question and returns what answers it.
func (x *Exchange) prepare(from string, h head, payload []byte) (call, error) {
	k := x.asks[h.Kind]
	if k == nil {
		return nil, ErrUnknown
	}
	f, err := k(from, payload)
	if err != nil {
		return nil, fmt.Errorf("nodes: %s: question not understood: %w", h.Kind, err)
	}
	return f, nil
}

// receiveQuestion has another node's question answered. If it cannot be answered, that is told too: an asker that knows
// need not wait.
func (x *Exchange) receiveQuestion(from string, h head, payload []byte, known bool) {
	f, err := call(nil), ErrUnknown
	if known {
		f, err = x.prepare(from, h, payload)
	}
	if err != nil {
		x.ignore(from, h.Kind, err)
		f = func(context.Context) (json.RawMessage, error) { return nil, err }
	}
	x.conf.Run(func() {
		ctx, cancel := context.WithTimeout(x.conf.Context, h.timeout())
		defer cancel()
		said := answer{Error: errCrashed.Error()}
		defer func() { x.send(from, h, said) }()
		data, err := f(ctx)
		said = answerOf(h, data, err)
	})
}

// timeout is how long a node works on an answer.
func (h *head) timeout() time.Duration {
	if h.Within <= 0 || h.Within >= int64(answerTimeout/time.Millisecond) {
		return answerTimeout
	}
	return min(answerTimeout, time.Duration(h.Within)*time.Millisecond+grace)
}

func answerOf(h head, data []byte, err error) answer {
	switch {
	case errors.Is(err, ErrUnknown):
		return answer{Unknown: true, Error: fmt.Sprintf("nodes: unknown kind %q, or unknown version %d", clip(h.Kind), h.Version)}
	case err != nil:
		return answer{Error: clip(err.Error())}
	case len(data) > MaxBody:
		return answer{Error: fmt.Sprintf("nodes: an answer of %d bytes, at most %d are allowed", len(data), MaxBody)}
	default:
		return answer{Data: data}
	}
}

func (x *Exchange) send(to string, h head, said answer) {
	ctx, cancel := context.WithTimeout(x.conf.Context, sendTimeout)
	defer cancel()
	payload, err := encode(head{Kind: kindAnswer, Number: h.Number}, said)
	if err == nil {
		err = x.conf.Bus.Send(ctx, to, payload)
	}
	if err != nil && !errors.Is(err, broker.ErrClosed) {
		x.conf.Log.Warn("question of another node not answered", "kind", clip(h.Kind), "from", to, "err", err)
	}
}

// receiveAnswer takes another node's answer.
func (x *Exchange) receiveAnswer(from string, number uint64, payload []byte) {
	var said answer
	if err := json.Unmarshal(payload, &said); err != nil {
		x.ignore(from, kindAnswer, err)
		return
	}
	a := Answer[json.RawMessage]{Node: from}
	switch {
	case said.Unknown:
		a.Err = ErrUnknown
	case said.Error != "":
		a.Err = errors.New(clip(said.Error))
	default:
		a.Value = said.Data
	}
	x.accept(number, a)
}
