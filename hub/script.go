package hub

import (
	"net/http"

	"github.com/gohubkit/hubkit/web"
)

// Script returns a handler that serves the browser client. It looks at the last element of the request's path alone, so
// you can mount it anywhere:
//
//	mux.Handle("GET /hubkit/", hub.Script())
//
// A page then imports it as a module:
//
//	import { connect } from "/hubkit/hubkit.js";
//
// "shared.js" is the client for all tabs of an origin. "hubkit.js" has an ETag, and browsers ask each time whether it
// has changed. [ScriptName] is a name that browsers keep for a year. The handler answers any other name with 404. A
// program that does not call Script does not contain the client.
func Script() http.Handler { return web.Script() }

// ScriptName returns the file name of the browser client with a version in it, such as "hubkit-3f2a5c0de417.js". The
// version changes with the content, so a page that uses this name never gets an older client.
func ScriptName() string { return web.Name() }
