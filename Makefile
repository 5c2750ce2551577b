# The tools of the project; "make" alone lists them. Continuous integration runs the same targets: .ci/run.

SHELL       := bash
.SHELLFLAGS := -euo pipefail -c

# Tools run by version with their own dependencies, so that go.mod stays the product's.
STATICCHECK  := go run honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOLANGCILINT := go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
BENCHSTAT    := go run golang.org/x/perf/cmd/benchstat@v0.0.0-20260908200009-22c9c6c9d4da

APIDIFF      := golang.org/x/exp/cmd/apidiff@v0.0.0-20261113113407-e3970619a1a4
CYCLONEDX    := github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.9.0
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

# By their names, the tests of a package fall into two halves.
HALF := ^(Test|Example|Fuzz)

.PHONY: test
test: deps ## run all tests with the race detector, in random order (TESTFLAGS=-v, -run=...), and test-shipped
	@echo "go test -race ./..., package hub in two halves beside the others: most of their time its tests wait"; \
	race="go test -race -shuffle=on -count=1 -timeout=15m $(TESTFLAGS)"; dir=$$(mktemp -d); failed=0; \
	$$race -parallel=8 -skip='$(HALF)[A-L]' ./hub >$$dir/1 2>&1 & first=$$!; \
	$$race -parallel=8 -skip='$(HALF)[M-Z]' ./hub >$$dir/2 2>&1 & second=$$!; \
	$$race ./broker/redis $$(go list ./... | grep -v '/hub$$') || failed=1; \
	wait $$first || failed=1; wait $$second || failed=1; \
	cat $$dir/1 $$dir/2; rm -r $$dir; exit $$failed
	cd bench && go test -count=1 -timeout=5m $(TESTFLAGS) ./...
	cd docs/check && go test -count=1 -timeout=5m $(TESTFLAGS) ./...
	cd cmd/hubload && go test -race -shuffle=on -count=1 -timeout=5m -parallel=8 $(TESTFLAGS) ./...
	cd metrics/prometheus && go test -race -shuffle=on -count=1 -timeout=5m $(TESTFLAGS) ./...
	cd otel && go test -race -shuffle=on -count=1 -timeout=5m $(TESTFLAGS) ./...
	cd deploy/check && go test -count=1 -timeout=5m $(TESTFLAGS) ./...
	npm test --prefix web --silent

	$(MAKE) --no-print-directory test-shipped

# The race detector follows memory through the system calls that the scheduler is told of, so a build with it uses those alone.
# What ships is tested here, served by Hub.Serve (HUBKIT_TEST_SERVE), and what is left of it when every fast path is turned off.
# Most of these tests wait, so eight at a time, in halves, and both at once, take less long.
SHIPPED := -parallel=8 $(TESTFLAGS) ./internal/engine/... ./internal/door ./hub ./client
PLAIN   := uring=0,rawsys=0,poll=0,door=0

.PHONY: test-shipped
test-shipped: ## test the engine, hub and client without the race detector, and without the fast paths too: four minutes
	@echo "go test $(SHIPPED), in two halves, at the same time with HUBKIT_DEBUG=$(PLAIN)"; \
	dir=$$(mktemp -d); failed=0; pids=; \
	for half in A-L M-Z; do \
		run="go test -shuffle=on -count=1 -timeout=15m -skip=$(HALF)[$$half]"; \
		HUBKIT_TEST_SERVE=1 $$run $(SHIPPED) >$$dir/shipped$$half 2>&1 & pids="$$pids $$!"; \
		HUBKIT_DEBUG=$(PLAIN) $$run $(SHIPPED) >$$dir/plain$$half 2>&1 & pids="$$pids $$!"; \
	done; \
	for pid in $$pids; do wait $$pid || failed=1; done; \
	cat $$dir/shipped*; echo "with HUBKIT_DEBUG=$(PLAIN):"; cat $$dir/plain*; rm -r $$dir; exit $$failed

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
	cd docs/check && go mod tidy -diff
	cd metrics/prometheus && go mod tidy -diff
	cd otel && go mod tidy -diff
	cd deploy/check && go mod tidy -diff
	go vet ./...
	go vet -tags=firefox ./web
	go vet -tags=faults ./internal/cluster ./broker/redis ./examples/cluster
	@for target in $(TARGETS); do \
		echo "go vet ./... for $$target"; \
		GOOS=$${target%/*} GOARCH=$${target#*/} CGO_ENABLED=0 go vet ./... || exit 1; \
	done
	cd bench && go vet ./...
	cd docs/check && go vet ./...
	cd cmd/hubload && go vet ./... && GOOS=darwin go vet ./... && GOOS=windows go vet ./...
	cd deploy/check && go vet ./...
	cd metrics/prometheus && go vet ./... && GOOS=darwin go vet ./... && GOOS=windows go vet ./...
	cd otel && go vet ./... && GOOS=darwin go vet ./... && GOOS=windows go vet ./...
	$(STATICCHECK) ./...
	cd cmd/hubload && $(STATICCHECK) ./...
	cd metrics/prometheus && $(STATICCHECK) ./...
	cd otel && $(STATICCHECK) ./...
	cd deploy/check && $(STATICCHECK) ./...
	$(GOLANGCILINT) run ./...
	cd cmd/hubload && $(GOLANGCILINT) run ./...
	cd metrics/prometheus && $(GOLANGCILINT) run ./...
	cd otel && $(GOLANGCILINT) run ./...
	cd deploy/check && $(GOLANGCILINT) run ./...
	.ci/deps npm
	npm run lint --prefix web --silent

.PHONY: site
site: ## build the documentation as a site, in docs/site/.vitepress/dist; a dead link or anchor fails
	.ci/deps npm docs/site
	npm run build --prefix docs/site --silent >/dev/null

.PHONY: web
web: ## build the browser client: web/dist is committed
	.ci/deps npm
	npm run build --prefix web --silent

.PHONY: web-sizes
web-sizes: ## print the sizes of the browser client and of others, bundled by the same tool
	.ci/deps npm
	web/scripts/sizes

.PHONY: pictures
pictures: deps ## take the pictures of the documentation again
	@dir=$$(mktemp -d); HUBKIT_SCREENSHOTS=$$dir go test -count=1 -run='^TestDropButton$$' ./examples/chat && \
	HUBKIT_SCREENSHOTS=$$dir go test -count=1 -run='^TestPage$$' ./dash && \
	mv $$dir/recovered.png docs/images/chat.png && mv $$dir/picture.png docs/images/dash.png && rm -r $$dir

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
bench-peers: ## measure hubkit beside other libraries and keep the results in docs/benchmarks (RUNFLAGS=-tests=idle,...): 50 minutes
	cd bench && go run ./run -o ../docs/benchmarks $(RUNFLAGS)

.PHONY: bench-million
bench-million: ## hold a million connections on this machine and keep the report in docs/benchmarks: twelve minutes
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
release-check: deps ## check a version as those who install it get it (VERSION=v1.2.3; ALL=all runs lint and test too)
	@APIDIFF='$(APIDIFF)' CYCLONEDX='$(CYCLONEDX)' .ci/release check '$(VERSION)' '$(ALL)'

.PHONY: release-tag
release-tag: ## tag the modules of a version (VERSION=v1.2.3); nothing is pushed
	@.ci/release tag '$(VERSION)'

SBOM := go run $(CYCLONEDX)

.PHONY: sbom
sbom: ## write a software bill of materials for each released module: sbom.json, sbom-otel.json, ...
	$(SBOM) mod -json -licenses -std -output sbom.json
	cd cmd/hubload && $(SBOM) mod -json -licenses -std -output ../../sbom-hubload.json
	cd metrics/prometheus && $(SBOM) mod -json -licenses -std -output ../../sbom-prometheus.json
	cd otel && $(SBOM) mod -json -licenses -std -output ../sbom-otel.json

.PHONY: fmt
fmt: ## format all Go files
	gofmt -s -w .

.PHONY: tidy
tidy: ## bring go.mod and go.sum of all modules up to date
	go mod tidy
	cd bench && go mod tidy
	cd cmd/hubload && go mod tidy
	cd docs/check && go mod tidy
	cd metrics/prometheus && go mod tidy
	cd otel && go mod tidy
	cd deploy/check && go mod tidy

.PHONY: release-notes
release-notes: ## print the changelog's section of a version (VERSION=v1.2.3); fail if there is none
	@awk -v want='$(VERSION)' 'BEGIN { sub(/^v/, "", want) } /^## / { on = want != "" && ($$2 == want || $$2 == "[" want "]"); next } on { print; found = 1 } \
		END { if (!found) { print "CHANGELOG.md has no section ## " want >"/dev/stderr"; exit 1 } }' CHANGELOG.md
