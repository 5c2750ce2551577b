package hub_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/hub"
)

type secretOrder struct {
	InternalSize int `json:"size"`
	Tiny         int8
	Price        float64   `json:"price"`
	Name         string    `json:"name"`
	Paid         bool      `json:"paid"`
	Tags         []string  `json:"tags"`
	Raw          []byte    `json:"raw"`
	When         time.Time `json:"when"`
	Ship         *struct {
		SecretZip int `json:"zip"`
	} `json:"ship"`
}

// TestMisfits: the client hears which of its fields is wrong, and nothing of what the server is made of.
func TestMisfits(t *testing.T) {
	tests := []struct{ data, want string }{
		{`{"size":"x"}`, `field "size": want a whole number, got a string`},
		{`{"size":1.5}`, `field "size": want a whole number within the range of the field`},
		{`{"Tiny":1000}`, `field "Tiny": want a whole number within the range of the field`},
		{`{"price":"x"}`, `field "price": want a number, got a string`},
		{`{"name":1}`, `field "name": want a string, got a number`},
		{`{"name":{}}`, `field "name": want a string, got an object`},
		{`{"paid":"yes"}`, `field "paid": want true or false, got a string`},
		{`{"tags":true}`, `field "tags": want an array, got true or false`},
		{`{"raw":[[]]}`, `field "raw": want a whole number, got an array`},
		{`{"ship":{"zip":"x"}}`, `field "ship.zip": want a whole number, got a string`},
		{`{"ship":[]}`, `field "ship": want an object, got an array`},
		{`[]`, `the data: want an object, got an array`},
		{`{"when":"yesterday"}`, `the data does not fit the method`},
	}
	s := start(t)
	s.Handle("order", hub.Typed(func(context.Context, *hub.Conn, secretOrder) (string, error) { return "done", nil }))
	c := s.dial(t)
	for _, tt := range tests {
		r := c.ask(fmt.Sprintf(`{"op":"call","id":1,"method":"order","data":%s}`, tt.data))
		if r.Code != "bad_request" || r.Message != tt.want {
			t.Errorf("%s: got %s %q, want %q", tt.data, r.Code, r.Message, tt.want)
		}
	}
}
