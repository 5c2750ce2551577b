package client

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/gohubkit/hubkit/protocol"
)

// Call calls a method of the application and returns its answer, a JSON value or nil. data is a JSON value or nil.
// Call blocks until the answer. If there is no connection, it waits for one.
//
// The error is one of these:
//
//   - A *protocol.Error: the server refuses the call, or the method fails.
//   - ErrDisconnected: the connection was lost before the answer. The method may have run.
//   - ErrQueueFull, ErrClosed or ErrInvalid.
//   - The cause of ctx: ctx was done first.
func (c *Client) Call(ctx context.Context, method string, data []byte) ([]byte, error) {
	if method == "" {
		return nil, invalid("Call: empty method")
	}
	if data != nil {
		if err := checkData(data); err != nil {
			return nil, err
		}
	}
	return c.ask(ctx, &request{op: protocol.OpCall, method: method, data: data})
}

// CallJSON is Client.Call with types. It encodes in to JSON, and decodes the answer.
func CallJSON[In, Out any](ctx context.Context, c *Client, method string, in In) (Out, error) {
	var out Out
	data, err := json.Marshal(in)
	if err != nil {
		return out, fmt.Errorf("client: call %q: %w", method, err)
	}
	reply, err := c.Call(ctx, method, data)
	if err != nil || reply == nil {
		return out, err
	}
	if err := json.Unmarshal(reply, &out); err != nil {
		return out, fmt.Errorf("client: call %q: answer: %w", method, err)
	}
	return out, nil
}

// Send sends data, a JSON value, to the application, and blocks until the application has handled it. If there is no
// connection, it waits for one. The errors are those of Call.
func (c *Client) Send(ctx context.Context, data []byte) error {
	if err := checkData(data); err != nil {
		return err
	}
	_, err := c.ask(ctx, &request{op: protocol.OpSend, data: data})
	return err
}

func (c *Client) ask(ctx context.Context, r *request) ([]byte, error) {
	r.done = make(chan struct{})
	if err := c.queue.add(r); err != nil {
		return nil, err
	}
	if err := c.queue.await(ctx, r); err != nil {
		return nil, err
	}
	return r.reply, nil
}
