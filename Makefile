# The tools of the project; "make" alone lists them. Continuous integration runs the same targets: .ci/run.

SHELL       := bash
.SHELLFLAGS := -euo pipefail -c

# Tools run by version with their own dependencies, so that go.mod stays the product's.
STATICCHECK  := go run honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOLANGCILINT := go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

TESTFLAGS ?=
BENCH     ?= .
BENCHTIME ?= 1s
FUZZTIME  ?= 10s

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: deps
deps: ## check what the tests need: servers, browser, Node; as root on Debian, install it
	@.ci/deps

.PHONY: test
test: deps ## run all tests with the race detector, in random order (TESTFLAGS=-v, -run=...)
	go test -race -shuffle=on -count=1 -timeout=10m $(TESTFLAGS) ./...
	cd bench && go test -count=1 -timeout=5m $(TESTFLAGS) ./...
	cd cmd/hubload && go test -race -shuffle=on -count=1 -timeout=5m -parallel=8 $(TESTFLAGS) ./...

.PHONY: test-faults
test-faults: deps ## kill, stop and hang nodes and Redis servers under load, for two to three minutes
	go test -race -shuffle=on -count=1 -timeout=6m -tags=faults -run='^TestFault' $(TESTFLAGS) ./internal/cluster ./broker/redis ./examples/cluster

.PHONY: lint
lint: ## check format, modules, vet for every system, staticcheck and golangci-lint
	@unformatted=$$(gofmt -s -l .); [ -z "$$unformatted" ] || { echo "not gofmt -s clean:"; echo "$$unformatted"; exit 1; }
	go mod tidy -diff
	cd bench && go mod tidy -diff
	cd cmd/hubload && go mod tidy -diff
	go vet ./...
	go vet -tags=faults ./internal/cluster ./broker/redis ./examples/cluster
	GOOS=darwin go vet ./...
	GOOS=windows go vet ./...
	cd bench && go vet ./...
	cd cmd/hubload && go vet ./... && GOOS=darwin go vet ./... && GOOS=windows go vet ./...
	$(STATICCHECK) ./...
	cd cmd/hubload && $(STATICCHECK) ./...
	$(GOLANGCILINT) run ./...
	cd cmd/hubload && $(GOLANGCILINT) run ./...

.PHONY: bench
bench: ## run the benchmarks (BENCH=regexp BENCHTIME=1s)
	go test -run='^$$' -bench='$(BENCH)' -benchtime=$(BENCHTIME) -benchmem ./...

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

.PHONY: fmt
fmt: ## format all Go files
	gofmt -s -w .

.PHONY: tidy
tidy: ## bring go.mod and go.sum of all modules up to date
	go mod tidy
	cd bench && go mod tidy
	cd cmd/hubload && go mod tidy
