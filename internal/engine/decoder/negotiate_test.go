package decoder

import (
	"net/http"
	"testing"
)

func TestNegotiate(t *testing.T) {
	for _, tt := range []struct {
		offers []string
		want   string
	}{
		{nil, ""},
		{[]string{""}, ""},
		{[]string{"permessage-deflate"}, deflateAnswer},
		{[]string{"Permessage-Deflate ; Client_Max_Window_Bits"}, deflateAnswer},
		{[]string{"permessage-deflate; client_max_window_bits"}, deflateAnswer},
		{[]string{"permessage-deflate; client_max_window_bits=9"}, deflateAnswer},
		{[]string{`permessage-deflate; client_max_window_bits="10"; server_no_context_takeover`}, deflateAnswer},
		{[]string{"permessage-deflate; server_max_window_bits=15"}, deflateWindowAnswer},
		{[]string{"permessage-deflate; server_max_window_bits=9"}, ""},
		{[]string{"permessage-deflate; server_max_window_bits=9, permessage-deflate"}, deflateAnswer},
		{[]string{"permessage-deflate; server_max_window_bits=9", "x-other, permessage-deflate"}, deflateAnswer},
		{[]string{"permessage-deflate; server_max_window_bits"}, ""},
		{[]string{"permessage-deflate; server_max_window_bits=77"}, ""},
		{[]string{"permessage-deflate; client_max_window_bits=7"}, ""},
		{[]string{"permessage-deflate; client_max_window_bits=010"}, ""},
		{[]string{"permessage-deflate; client_max_window_bits="}, ""},
		{[]string{`permessage-deflate; client_max_window_bits="9`}, ""},
		{[]string{"permessage-deflate; server_no_context_takeover=1"}, ""},
		{[]string{"permessage-deflate; no_such_parameter"}, ""},
		{[]string{"permessage-deflate; server_no_context_takeover; server_no_context_takeover"}, ""},
		{[]string{"permessage-deflate; client_max_window_bits; client_max_window_bits=9"}, ""},
		{[]string{"permessage-deflate;"}, ""},
		{[]string{"permessage-deflate x"}, ""},
		{[]string{"permessage-deflate=1"}, ""},
		{[]string{"x-webkit-deflate-frame"}, ""},
		{[]string{`x; y="permessage-deflate", permessage-deflate`}, deflateAnswer},
	} {
		if got := negotiate(http.Header{"Sec-Websocket-Extensions": tt.offers}); got != tt.want {
			t.Errorf("%q: %q, want %q", tt.offers, got, tt.want)
		}
	}
}
