# Everything CI runs is here; .ci/run calls the same targets on a fresh clone.
GO      ?= go
GOTEST  ?= $(GO) test
BIN     := bin
PAGES   ?= 10000
export CGO_ENABLED ?= 0

.PHONY: build demo test vet bench clients counts fuzz tables

build:                 ## the two binaries, static
	$(GO) build -trimpath -o $(BIN)/ ./cmd/...

demo: build            ## serve the sample company at http://127.0.0.1:8642/mcp
	$(BIN)/confluence-mcp demo

test: vet              ## every Go test under the race detector (needs a C compiler for it); what they print is searched for planted secrets
	CGO_ENABLED=1 $(GO) run ./testdata/leaks $(GOTEST) -race -timeout 30m ./...
	CGO_ENABLED=1 $(GO) run ./testdata/leaks $(GOTEST) -race -tags azurekv ./internal/seal

# The counts that the race detector would make take half an hour, and what is
# counted: each test prints its figures. 200 kills take some minutes.
COUNTED := ^(TestCoreTableExhaustively|TestMutatedPairsMissNoWidening|TestExplainEqualsTheLiveDecision|TestReloadUnderLoad|TestStateMachineAgainstTheReferenceModel|TestEveryTamperingIsFound|TestH03_HundredExecutorsOfHundredApprovals|TestTheCorpus|TestH12_KilledWhileExecuting|TestManyProcessesAskOnceARound|TestKilledAtEachStepOfARefresh|TestMatrix|TestN12_NoAnswerCrossesCallers|TestN01_N02_N05_N06_N07_N08_N11_TheAcceptanceCasesOverHTTP)$$

counts:                ## the full counts of the tests that are smaller under the race detector
	APPROVAL_KILLS=$${APPROVAL_KILLS:-200} OAUTH_ROUNDS=$${OAUTH_ROUNDS:-200} OAUTH_KILLS=$${OAUTH_KILLS:-100} \
	  $(GO) test -count=1 -v -timeout 30m -run '$(COUNTED)' ./policy/... ./internal/oauth ./internal/approval ./internal/audit ./internal/emulator/wiki ./tools ./cmd/confluence-mcp

vet:
	$(GO) vet ./... ./testdata/conformance ./testdata/leaks
	$(GO) vet -tags clients ./server
	$(GO) vet -tags azurekv ./internal/seal ./cmd/confluence-mcp
	@test -z "$$(gofmt -l .)" || { echo "gofmt would change:"; gofmt -l .; exit 1; }

bench:                 ## benchmarks; the mirror's life at PAGES pages against stock bleve and FTS5, also as JSON=FILE (PAGES=100000: half an hour)
	$(GO) test -run '^$$' -bench . -skip MirrorLife -benchmem ./...
	$(GO) test -run '^$$' -bench MirrorLife -benchtime 1x -timeout 3h ./cmd/confluence-mcp -args -pages $(PAGES) $(if $(JSON),-json $(abspath $(JSON)))

clients: build         ## clients nobody here wrote: TypeScript SDKs, inspector, conformance suite (needs npm)
	cd testdata/clients && npm ci --no-audit --no-fund
	$(GOTEST) -count=1 -tags clients -timeout 20m -run Outside ./server

fuzz:                  ## each fuzz target for a short while
	@for p in $$($(GO) list ./...); do for f in $$($(GO) test -list '^Fuzz' $$p 2>/dev/null | grep ^Fuzz); do \
	  $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $${FUZZTIME:-10s} $$p || exit 1; done; done

tables:                ## write generated tables and snapshots anew
	$(GO) test ./tools/... -update
