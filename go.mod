module github.com/gohubkit/hubkit

go 1.26.0

require (
	github.com/gorilla/websocket v1.5.3
	github.com/panjf2000/ants/v2 v2.12.1
	github.com/redis/rueidis v1.0.79
	go.uber.org/goleak v1.3.0
	golang.org/x/sys v0.49.0
)

require golang.org/x/sync v0.11.0 // indirect

// What npm installs there has Go files of its own.
ignore ./web/node_modules
