// Package dash serves a live page about a hub and its cluster, and the JSON API under it.
//
//	d, err := dash.New(h,
//		dash.WithAuthorizer(func(r *http.Request) error { return onlyAdmins(r) }),
//		dash.WithActions(func(r *http.Request, a dash.Action) error { return onlyOperators(r, a) }))
//	mux.Handle("GET /admin/hub/", d)
//	mux.Handle("POST /admin/hub/", d)
//
// The page shows nodes, rates, latency, backlog, limits, rooms and connections. It also tails a room or a connection. It
// needs no build step and loads nothing from other servers.
//
// # Access
//
// The dashboard shows users, addresses and names of rooms. New therefore fails without WithAuthorizer. The authorizer
// decides every request, including those for the files of the page. No error allows a request. hub.ErrUnauthorized is
// answered with 401, hub.ErrForbidden with 403, a *hub.HTTPError with its status, and any other error with 503.
//
// The dashboard is read-only unless WithActions allows an action. It shows no payloads unless WithPayloads and
// WithFramePayloads allow it. Actions are POST requests of the page's own origin. Each is logged.
//
// # Nodes
//
// Make a Dash on every node. It answers the dashboards of the other nodes over the broker. A node without a Dash, or of an
// older version, is listed as silent.
//
// # Cost
//
// A Dash has no goroutine and no timer before the first page is open. A small hub of the Dash's own feeds the pages over
// WebSockets. While a page is open, its node asks all nodes once a second and publishes the answer. That hub ends with the
// hub that the Dash shows. At most 64 pages are open at once, 16 of them from one client address. A page without a
// WebSocket asks the API. Nodes are asked at most twice a second, whatever the number of pages. A list of connections or
// rooms costs the same as hub.Hub.InspectConns. At most 16 tails are open at once, 8 of them from one client address.
package dash
