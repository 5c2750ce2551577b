package dash

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"strings"

	"github.com/gohubkit/hubkit/hub"
)

// policy lets the page load its own files and talk to its own server, and nothing else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

//go:embed page
var files embed.FS

// types are those of the page's files.
var types = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
}

// servePage serves a file of the page by the last element of the path.
func (d *Dash) servePage(w http.ResponseWriter, r *http.Request) error {
	name := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
	switch name {
	case "":
		name = "index.html"
	case "hubkit.js": // the client, which has a handler
		hub.Script().ServeHTTP(w, r)
		return nil
	}
	text, err := fs.ReadFile(files, "page/"+name)
	kind := types[name[max(0, strings.LastIndexByte(name, '.')):]]
	if err != nil || kind == "" {
		return &apiError{http.StatusNotFound, "not_found", "there is no page or call of this name"}
	}
	sum := sha256.Sum256(text)
	tag := `"` + hex.EncodeToString(sum[:8]) + `"`
	header := w.Header()
	header.Set("Cache-Control", "no-cache") // asks each time whether it has changed, and whether it may
	header.Set("ETag", tag)
	header.Set("Content-Type", kind)
	if r.Header.Get("If-None-Match") == tag {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	_, _ = w.Write(text) //nolint:gosec // a file of ours
	return nil
}
