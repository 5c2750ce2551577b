package hub_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gohubkit/hubkit/hub"
)

func TestScript(t *testing.T) {
	mux := http.NewServeMux()
	mux.Handle("GET /hubkit/", hub.Script())
	for _, name := range []string{"hubkit.js", hub.ScriptName()} {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/hubkit/"+name, http.NoBody))
		if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "hubkit.v1") {
			t.Errorf("%s: %d %.40q", name, w.Code, w.Body)
		}
	}
}
