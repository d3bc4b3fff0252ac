# Everything CI runs is here; .ci/run calls the same targets on a fresh clone.
GO      ?= go
GOTEST  ?= $(GO) test
BIN     := bin
export CGO_ENABLED ?= 0

.PHONY: build demo test vet bench clients fuzz tables

build:                 ## the two binaries, static
	$(GO) build -trimpath -o $(BIN)/ ./cmd/...

demo: build            ## serve the sample company at http://127.0.0.1:8642/mcp
	$(BIN)/confluence-mcp demo

test: vet              ## every Go test under the race detector (needs a C compiler for it)
	CGO_ENABLED=1 $(GOTEST) -race -timeout 20m ./...

vet:
	$(GO) vet ./... ./testdata/conformance
	$(GO) vet -tags clients ./server
	@test -z "$$(gofmt -l .)" || { echo "gofmt would change:"; gofmt -l .; exit 1; }

bench:                 ## benchmarks, with ratios to a baseline of the same run
	$(GO) test -run '^$$' -bench . -benchmem ./...

clients: build         ## clients nobody here wrote: TypeScript SDKs, inspector, conformance suite (needs npm)
	cd testdata/clients && npm ci --no-audit --no-fund
	$(GOTEST) -count=1 -tags clients -timeout 20m -run Outside ./server/... ./cmd/...

fuzz:                  ## each fuzz target for a short while
	@for p in $$($(GO) list ./...); do for f in $$($(GO) test -list '^Fuzz' $$p 2>/dev/null | grep ^Fuzz); do \
	  $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $${FUZZTIME:-10s} $$p || exit 1; done; done

tables:                ## write generated tables and snapshots anew
	$(GO) test ./tools/... -update
