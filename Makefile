# The tools of the project; "make" alone lists them. Continuous integration runs the same targets: .ci/run.

SHELL       := bash
.SHELLFLAGS := -euo pipefail -c

# Tools run by version with their own dependencies, so that go.mod stays the product's.
STATICCHECK  := go run honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOLANGCILINT := go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
BENCHSTAT    := go run golang.org/x/perf/cmd/benchstat@v0.0.0-20260908200009-22c9c6c9d4da

APIDIFF      := golang.org/x/exp/cmd/apidiff@v0.0.0-20261113113407-e3970619a1a4
# The systems that "make lint" vets the library for, besides the one it runs on.
TARGETS := darwin/arm64 windows/amd64 linux/386 linux/arm64 freebsd/amd64

TESTFLAGS ?=
BENCH     ?= .
BENCHTIME ?= 1s
RUNFLAGS  ?=
FUZZTIME  ?= 10s

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: deps
deps: ## check what the tests need: servers, browser, Node; as root on Debian install it, elsewhere say how
	@.ci/deps

.PHONY: test
test: deps ## run all tests with the race detector, in random order (TESTFLAGS=-v, -run=...), and test-shipped
	go test -race -shuffle=on -count=1 -timeout=15m $(TESTFLAGS) ./...
	cd bench && go test -count=1 -timeout=5m $(TESTFLAGS) ./...
	cd cmd/hubload && go test -race -shuffle=on -count=1 -timeout=5m -parallel=8 $(TESTFLAGS) ./...
	npm test --prefix web --silent

	$(MAKE) --no-print-directory test-shipped

# The race detector follows memory through the system calls that the scheduler is told of, so a build with it uses those alone.
# What ships is tested here, and what is left of it when every fast path is turned off. Most of these tests wait, so eight at
# a time, and both at once, take less long.
SHIPPED := -parallel=8 $(TESTFLAGS) ./internal/engine/... ./hub ./client

.PHONY: test-shipped
test-shipped: ## test the engine, hub and client without the race detector, and without the fast paths too: four minutes
	@echo "go test $(SHIPPED), at the same time with and without HUBKIT_DEBUG=uring=0,rawsys=0,poll=0"
	@slow=$$(mktemp); failed=0; \
	HUBKIT_DEBUG=uring=0,rawsys=0,poll=0 go test -shuffle=on -count=1 -timeout=15m $(SHIPPED) >$$slow 2>&1 & pid=$$!; \
	go test -shuffle=on -count=1 -timeout=15m $(SHIPPED) || failed=1; \
	wait $$pid || failed=1; \
	echo "with HUBKIT_DEBUG=uring=0,rawsys=0,poll=0:"; cat $$slow; rm -f $$slow; \
	exit $$failed

.PHONY: test-faults
test-faults: deps ## kill, stop and hang nodes and Redis servers under load, for two to three minutes
	go test -race -shuffle=on -count=1 -timeout=6m -tags=faults -run='^TestFault' $(TESTFLAGS) ./internal/cluster ./broker/redis ./examples/cluster

.PHONY: test-firefox
test-firefox: ## run the browser client in Firefox, which must be installed (Debian: firefox-esr)
	go test -race -count=1 -timeout=5m -tags=firefox -run='^TestFirefox' $(TESTFLAGS) ./web

.PHONY: lint
lint: ## check format, modules, vet for every system, staticcheck and golangci-lint
	@unformatted=$$(gofmt -s -l .); [ -z "$$unformatted" ] || { echo "not gofmt -s clean:"; echo "$$unformatted"; exit 1; }
	go mod tidy -diff
	cd bench && go mod tidy -diff
	cd cmd/hubload && go mod tidy -diff
	go vet ./...
	go vet -tags=firefox ./web
	go vet -tags=faults ./internal/cluster ./broker/redis ./examples/cluster
	@for target in $(TARGETS); do \
		echo "go vet ./... for $$target"; \
		GOOS=$${target%/*} GOARCH=$${target#*/} CGO_ENABLED=0 go vet ./... || exit 1; \
	done
	cd bench && go vet ./...
	cd cmd/hubload && go vet ./... && GOOS=darwin go vet ./... && GOOS=windows go vet ./...
	$(STATICCHECK) ./...
	cd cmd/hubload && $(STATICCHECK) ./...
	$(GOLANGCILINT) run ./...
	cd cmd/hubload && $(GOLANGCILINT) run ./...
	.ci/deps npm
	npm run lint --prefix web --silent

.PHONY: web
web: ## build the browser client: web/dist is committed
	.ci/deps npm
	npm run build --prefix web --silent

.PHONY: web-sizes
web-sizes: ## print the sizes of the browser client and of others, bundled by the same tool
	.ci/deps npm
	web/scripts/sizes

.PHONY: bench
bench: ## run the benchmarks (BENCH=regexp BENCHTIME=1s)
	go test -run='^$$' -bench='$(BENCH)' -benchtime=$(BENCHTIME) -benchmem ./...

# Both of these run each benchmark COUNT times for COMPARETIME, all in turn: some 5 minutes for a run of all.
PKGS        ?= ./...
COUNT       ?= 6
COMPARETIME ?= 100ms

.PHONY: bench-compare
bench-compare: ## compare the benchmarks with those of another revision (BASE=rev PKGS=./... BENCH=regexp COUNT=6)
	@BENCHSTAT='$(BENCHSTAT)' .ci/bench compare '$(BASE)' '$(PKGS)' '$(BENCH)' '$(COUNT)' '$(COMPARETIME)'

.PHONY: bench-keep
bench-keep: ## run the benchmarks and keep the figures in docs/benchmarks
	@BENCHSTAT='$(BENCHSTAT)' .ci/bench keep docs/benchmarks '$(PKGS)' '$(BENCH)' '$(COUNT)' '$(COMPARETIME)'

.PHONY: bench-peers
bench-peers: ## measure hubkit beside other libraries and keep the results in docs/benchmarks (RUNFLAGS=-tests=idle,...): an hour
	cd bench && go run ./run -o ../docs/benchmarks $(RUNFLAGS)

.PHONY: bench-million
bench-million: ## hold a million connections on this machine and keep the report in docs/benchmarks: ten minutes
	cd bench && go run ./million -o ../docs/benchmarks/million.md $(RUNFLAGS)

.PHONY: cover
cover: deps ## measure what the tests cover, by package; "go tool cover -html=cover.out" shows the lines
	go test -count=1 -timeout=10m -coverpkg=./... -coverprofile=cover.out ./... | grep -v 'no test files'
	@awk -f .ci/coverage.awk cover.out

.PHONY: fuzz
fuzz: ## run every fuzz target for a while (FUZZTIME=10s)
	@grep -rHo --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*' . | sed -E 's|^(.*)/[^/]*:func |\1 |' | sort | \
	while read -r dir target; do \
		echo "$$dir $$target"; \
		go test -C "$$dir" -run='^$$' -fuzz="^$$target\$$" -fuzztime=$(FUZZTIME) -fuzzminimizetime=10x . </dev/null || exit 1; \
	done

BASE ?=

.PHONY: api
api: ## compare the exported API with the last tagged version, or with BASE=rev
	@APIDIFF='$(APIDIFF)' .ci/api $(BASE)

.PHONY: release-check
release-check: ## serve the modules from a local proxy as a release would, and install and import them from there
	@.ci/release check

.PHONY: fmt
fmt: ## format all Go files
	gofmt -s -w .

.PHONY: tidy
tidy: ## bring go.mod and go.sum of all modules up to date
	go mod tidy
	cd bench && go mod tidy
	cd cmd/hubload && go mod tidy

.PHONY: release-notes
release-notes: ## print the changelog's section of a version (VERSION=v1.2.3); fail if there is none
	@awk -v want='$(VERSION)' 'BEGIN { sub(/^v/, "", want) } /^## / { on = want != "" && ($$2 == want || $$2 == "[" want "]"); next } on { print; found = 1 } \
		END { if (!found) { print "CHANGELOG.md has no section ## " want >"/dev/stderr"; exit 1 } }' CHANGELOG.md
