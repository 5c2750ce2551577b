package protocol_test

import (
	"errors"
	"fmt"
	"time"

	"github.com/gohubkit/hubkit/protocol"
)

// A server reads a frame and answers it.
func ExampleRequest_Decode() {
	var q protocol.Request // used again for the next frame
	if err := q.Decode([]byte(`{"op":"publish","id":7,"room":"news","data":{"text":"hello"}}`)); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(q.Op, q.ID, string(q.Room), string(q.Data))
	fmt.Println(string(protocol.AppendOK(nil, protocol.OK{ID: q.ID})))
	// Output:
	// publish 7 news {"text":"hello"}
	// {"op":"ok","id":7}
}

// A frame that is refused still has an id to answer to.
func ExampleRequest_Decode_refused() {
	var q protocol.Request
	err := q.Decode([]byte(`{"op":"join","id":8,"room":["news"]}`))

	if e, ok := errors.AsType[*protocol.Error](err); ok {
		fmt.Println(string(protocol.AppendError(nil, q.ID, "", e)))
	}
	// Output:
	// {"op":"error","id":8,"code":"bad_request","message":"room must be a string"}
}

// A client reads what the server sends.
func ExampleEvent_Decode() {
	var e protocol.Event // used again for the next frame
	for _, frame := range []string{
		`{"op":"message","room":"news","epoch":"3f","offset":12,"data":{"text":"hello"}}`,
		`{"op":"error","id":3,"code":"busy","message":"try later","retry_after_ms":200}`,
		`{"op":"from_the_future"}`,
	} {
		if err := e.Decode([]byte(frame)); err != nil {
			fmt.Println(err)
			return
		}
		switch e.Op {
		case protocol.OpMessage:
			fmt.Println(string(e.Room), e.Position.Offset, string(e.Data))
		case protocol.OpError:
			fmt.Println(errors.Is(e.Err(), protocol.CodeBusy), e.RetryAfter)
		case protocol.OpUnknown: // to be ignored
		}
	}
	// Output:
	// news 12 {"text":"hello"}
	// true 200ms
}

func ExampleAppendMessage() {
	frame := protocol.AppendMessage(nil, "news", []byte(`{"text":"hello"}`), "3f", 12)
	fmt.Println(string(frame))
	// Output: {"op":"message","room":"news","epoch":"3f","offset":12,"data":{"text":"hello"}}
}

func ExampleAppendRequest() {
	frame := protocol.AppendRequest(nil, &protocol.Request{
		Op:       protocol.OpJoin,
		ID:       1,
		Room:     []byte("news"),
		Position: protocol.Position{Epoch: []byte("3f"), Offset: 12},
	})
	fmt.Println(string(frame))
	// Output: {"op":"join","id":1,"room":"news","epoch":"3f","offset":12}
}

// A server that closes connections says when to come back.
func ExampleAppendHint() {
	reason := protocol.AppendHint(nil, protocol.Hint{
		RetryAfter: time.Second,
		Spread:     30 * time.Second,
		Reason:     "deploy",
	})
	fmt.Println(string(reason))
	// Output: {"retry_after_ms":1000,"spread_ms":30000,"reason":"deploy"}
}

// A client that was closed asks whether to come back, and when.
func ExampleCloseCode_Reconnect() {
	code, reason := protocol.CloseCode(1012), `{"retry_after_ms":1000,"spread_ms":30000}`

	if !code.Reconnect() {
		fmt.Println("staying away:", code.Explain())
		return
	}
	if hint, ok := protocol.ParseHint(reason); ok {
		fmt.Println(code, "- back after", hint.RetryAfter, "and up to", hint.Spread)
	}
	// Output: 1012 service restart - back after 1s and up to 30s
}

func ExampleValid() {
	fmt.Println(protocol.Valid([]byte(`{"a": [1, 2]}`)), protocol.Valid([]byte(`{"a": [1, 2,]}`)))
	// Output: true false
}

func ExampleParseMember() {
	var e protocol.Event
	if err := e.Decode([]byte(`{"op":"join","room":"news","data":{"conn":"c1","user":"ada"}}`)); err != nil {
		fmt.Println(err)
		return
	}
	m, err := protocol.ParseMember(e.Data)
	fmt.Println(m.User, err)
	// Output: ada <nil>
}
