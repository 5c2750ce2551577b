// Package web holds the browser client, @gohubkit/client, as it is built, and serves it. The sources beside this file are
// TypeScript; "npm run build" makes dist of them.
package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"
)

//go:embed dist/hubkit.js dist/shared.js dist/shared-worker.js dist/cbor.js dist/sse.js
var dist embed.FS

// script is a module of the client.
type script struct {
	text    []byte
	gzipped []byte
	version string // of the text: its hash
}

// scripts are the modules by name. They are read and compressed when the first request comes.
var scripts = sync.OnceValue(func() map[string]*script {
	all := make(map[string]*script)
	names, err := fs.Glob(dist, "dist/*.js")
	if err != nil {
		panic(err) // the pattern is a constant
	}
	for _, name := range names {
		text, err := dist.ReadFile(name)
		if err != nil {
			panic(err) // the file is compiled in
		}
		hash := sha256.Sum256(text)
		var buf bytes.Buffer
		z, _ := gzip.NewWriterLevel(&buf, gzip.BestCompression)
		_, _ = z.Write(text)
		_ = z.Close() // a bytes.Buffer takes everything
		all[strings.TrimSuffix(path.Base(name), ".js")] = &script{text, buf.Bytes(), hex.EncodeToString(hash[:6])}
	}
	return all
})

// Name returns the file name of the client with its version in it, such as "hubkit-3f2a5c0de417.js". The version changes with the
// content.
func Name() string { return "hubkit-" + scripts()["hubkit"].version + ".js" }

// Script returns a handler that serves the modules of the client by the last element of the request's path. "hubkit.js" is the client,
// with an ETag, and browsers ask each time whether it has changed. The name that Name returns is the same with a version in it, and
// browsers keep it for a year. "shared.js" and "shared-worker.js" are the client for all tabs of an origin, which loads "hubkit.js" from
// beside it, "cbor.js" has WebSockets that speak CBOR, and
// "sse.js" has event streams in their place. Any other name, and a version that this program does not have, is answered with 404.
func Script() http.Handler { return http.HandlerFunc(serve) }

func serve(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
		return
	}
	name, ok := strings.CutSuffix(path.Base(r.URL.Path), ".js")
	s, versioned := find(name)
	if !ok || s == nil {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/javascript; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Vary", "Accept-Encoding")
	h.Set("Cache-Control", "no-cache")
	if versioned {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	text, tag := s.text, s.version
	if acceptsGzip(r.Header.Values("Accept-Encoding")) {
		text, tag = s.gzipped, s.version+"-gzip"
		h.Set("Content-Encoding", "gzip")
	}
	h.Set("ETag", `"`+tag+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(text))
}

// find returns the module of a name, which may have the version at its end; nil if there is none.
func find(name string) (s *script, versioned bool) {
	if s := scripts()[name]; s != nil {
		return s, false
	}
	if i := strings.LastIndexByte(name, '-'); i >= 0 {
		if s := scripts()[name[:i]]; s != nil && s.version == name[i+1:] {
			return s, true
		}
	}
	return nil, false
}

// acceptsGzip reads the header: a list of codings, of which those with a weight of 0 are not accepted (RFC 9110, section 12.5.3).
func acceptsGzip(values []string) bool {
	for coding := range strings.SplitSeq(strings.Join(values, ","), ",") {
		name, params, _ := strings.Cut(coding, ";")
		if strings.EqualFold(strings.TrimSpace(name), "gzip") {
			weight := strings.TrimLeft(strings.ReplaceAll(params, " ", ""), "q=")
			return weight == "" || strings.Trim(weight, "0.") != ""
		}
	}
	return false
}
