# The commands of this repository. `make help` lists them.
GOLANGCI_VERSION := v2.15.0
GOVULNCHECK_VERSION := v1.9.0
BIN := $(CURDIR)/bin
# Packages with goroutines of their own: tested under the race detector.
CONCURRENT := ./internal/ws ./internal/egress ./internal/mcp ./internal/record ./internal/capacity ./internal/trace ./internal/number ./internal/browser ./internal/store ./internal/auth ./internal/event ./internal/limit ./internal/log ./internal/voice ./internal/chat ./internal/call ./internal/phone ./internal/tool ./internal/twilio ./internal/openai ./internal/sim/... ./internal/server

.PHONY: help deps check generate lint openapi-lint vuln test unit race client-test load load-voice load-api load-chat load-tools clean

help: ## list the commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

deps: ## install what the tests need beyond Go: PostgreSQL, Chromium, flite, PocketSphinx, Node.js (Debian, as root)
	@scripts/deps.sh

generate: ## write the generated files again
	go run ./cmd/parley openapi > openapi.yaml.new && mv openapi.yaml.new openapi.yaml
	go generate ./web/...

check: ## formatting, vet, lint, generated files, known vulnerabilities
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$unformatted" ]; then echo "gofmt would change: $$unformatted"; exit 1; fi
	go vet ./...
	@$(MAKE) --no-print-directory lint
	@go run ./cmd/parley openapi | diff -u openapi.yaml - >/dev/null || { echo "openapi.yaml is out of date: run 'make generate'"; exit 1; }
	@$(MAKE) --no-print-directory openapi-lint vuln

openapi-lint: ## lint openapi.yaml with Redocly
	@scripts/openapi/lint.sh

lint: $(BIN)/golangci-lint-$(GOLANGCI_VERSION)
	$< run ./...

$(BIN)/golangci-lint-$(GOLANGCI_VERSION):
	@mkdir -p $(BIN)
	GOBIN=$(BIN) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)
	@mv $(BIN)/golangci-lint $@

vuln:
	@scripts/vuln.sh $(BIN) $(GOVULNCHECK_VERSION)

test: unit race ## all tests: both databases, the race detector on the concurrent packages

# Many tests wait for calls in real time: more of them at once than there are processors.
unit:
	go test -parallel 4 ./...

client-test: ## a generated TypeScript client against a started server (a part of unit)
	go test ./internal/api -run '^TestGeneratedClient$$' -count=1 -v

race:
	go test -race -parallel 4 $(CONCURRENT)
	go test -race -run 'Parallel|Many|StillAnswering|ChatIdem|Revocation|RateLimit|Leav|Rotation' ./internal/api

load: ## 100 calls at once for 30 s through the simulators, in processes of their own
	go run ./cmd/parley-load calls

load-voice: ## what the bridge adds to a frame and costs, beside a minimal relay on the same processor
	go run ./cmd/parley-load voice

load-api: ## reading and creating agents, beside a bare handler in the same run, on both databases
	go run ./cmd/parley-load api

load-chat: ## 100, 500 and 5,000 streamed chats, beside a bare reverse proxy in the same run
	go run ./cmd/parley-load chat

load-tools: ## what a tool call adds to the tool's own time, and others beside 1,000 slow tool calls
	go run ./cmd/parley-load tools

clean:
	rm -rf $(BIN) parley-data
