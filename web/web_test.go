package web_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/gohubkit/hubkit/internal/testenv"
	"github.com/gohubkit/hubkit/web"
)

func get(t *testing.T, name string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/assets/"+name, http.NoBody)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	web.Script().ServeHTTP(w, r)
	return w
}

func TestScript(t *testing.T) {
	for _, tt := range []struct {
		name, file string
		cache      string
	}{
		{"hubkit.js", "hubkit.js", "no-cache"},
		{web.Name(), "hubkit.js", "public, max-age=31536000, immutable"},
		{"shared.js", "shared.js", "no-cache"},
		{"shared-worker.js", "shared-worker.js", "no-cache"},
		{"cbor.js", "cbor.js", "no-cache"},
		{"sse.js", "sse.js", "no-cache"},
	} {
		want, err := os.ReadFile("dist/" + tt.file)
		if err != nil {
			t.Fatal(err)
		}
		res := get(t, tt.name)
		if got := res.Body.Bytes(); res.Code != http.StatusOK || !bytes.Equal(got, want) {
			t.Errorf("%s: %d, %d bytes, want %d", tt.name, res.Code, len(got), len(want))
		}
		for field, value := range map[string]string{
			"Content-Type": "text/javascript; charset=utf-8", "Cache-Control": tt.cache,
			"X-Content-Type-Options": "nosniff", "Vary": "Accept-Encoding", "Content-Encoding": "",
		} {
			if got := res.Header().Get(field); got != value {
				t.Errorf("%s: %s is %q, want %q", tt.name, field, got, value)
			}
		}
		tag := res.Header().Get("ETag")
		if res := get(t, tt.name, "If-None-Match", tag); tag == "" || res.Code != http.StatusNotModified {
			t.Errorf("%s with its ETag %s: %d", tt.name, tag, res.Code)
		}
		zipped := get(t, tt.name, "Accept-Encoding", "br, gzip;q=0.5")
		z, err := gzip.NewReader(zipped.Body)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(z); err != nil || !bytes.Equal(got, want) || zipped.Header().Get("ETag") == tag {
			t.Errorf("%s compressed: %d bytes, ETag %s, %v", tt.name, len(got), zipped.Header().Get("ETag"), err)
		}
	}
	for _, encoding := range []string{"gzip;q=0", "gzip; q=0.000", "identity", "x-gzip2"} {
		if res := get(t, "hubkit.js", "Accept-Encoding", encoding); res.Header().Get("Content-Encoding") != "" {
			t.Errorf("Accept-Encoding %q is answered with %s", encoding, res.Header().Get("Content-Encoding"))
		}
	}
	for _, name := range []string{"", "hubkit", "hubkit-.js", "hubkit-000000000000.js", "shared-.js", "shared-other.js", "react.js", "index.d.ts", "web.go", "..js", "%2e%2e/web.js"} {
		if res := get(t, name); res.Code != http.StatusNotFound {
			t.Errorf("%q: %d, want 404", name, res.Code)
		}
	}
}

func TestScriptMethods(t *testing.T) {
	for method, status := range map[string]int{http.MethodHead: 200, http.MethodPost: 405, http.MethodDelete: 405} {
		w := httptest.NewRecorder()
		web.Script().ServeHTTP(w, httptest.NewRequest(method, "/hubkit.js", http.NoBody))
		if w.Code != status || w.Body.Len() > 0 == (method == http.MethodHead) {
			t.Errorf("%s: %d with %d bytes, want %d", method, w.Code, w.Body.Len(), status)
		}
	}
}

// TestBuild: what is committed is what the sources give.
func TestBuild(t *testing.T) {
	out := t.TempDir()
	if msg, err := exec.CommandContext(t.Context(), testenv.RequireTool(t, "node"), "scripts/build.mjs", out).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, msg)
	}
	files := func(dir string) map[string]string {
		all := make(map[string]string)
		names, err := filepath.Glob(dir + "/*")
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			all[filepath.Base(name)] = string(text)
		}
		return all
	}
	want, got := files(out), files("dist")
	for name := range want {
		if got[name] != want[name] {
			t.Errorf("dist/%s is not what the sources give: npm run build --prefix web", name)
		}
	}
	for name := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("dist/%s comes from no source", name)
		}
	}
}

// TestSize: the core, as it arrives in an application that a bundler has minified, and a server compressed.
func TestSize(t *testing.T) {
	const most = 6 << 10
	const core = `export { connect, HubError } from "./dist/hubkit.js"`
	out, err := exec.CommandContext(t.Context(), testenv.RequireTool(t, "node"), "scripts/size.mjs", core).Output()
	if err != nil {
		t.Fatal(err)
	}
	size, err := strconv.Atoi(strings.TrimSpace(string(out)))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d bytes", size)
	if size > most {
		t.Errorf("the core has %d bytes, at most %d", size, most)
	}
}
