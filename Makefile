# Each target is a script of scripts/, which can be run without make, too.
.DEFAULT_GOAL := help
.SUFFIXES:

.PHONY: help
help: ## Show this help
	@awk 'BEGIN {FS = ":.*## "} /^[a-z0-9-]+:.*## / {printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## Bring up a cluster on this machine, install Freehold, boot guests (root, Debian 12)
	@scripts/demo

.PHONY: demo-down
demo-down: ## End the demo and leave nothing behind
	@scripts/demo-down

.PHONY: build
build: ## Build bin/manager and bin/agent
	@scripts/build

.PHONY: test
test: ## All tests that need no lab cluster, with the race detector
	@scripts/test

.PHONY: test-unit
test-unit: ## The fast tests only: no API server, no Helm
	@scripts/test-unit

.PHONY: bench-api
bench-api: ## Measure the REST API at 65,536 leases in 200 pools
	@scripts/bench-api

.PHONY: e2e
e2e: ## The end-to-end scenarios in the lab (root)
	@scripts/e2e

.PHONY: lab-up
lab-up: ## Start the lab's cluster (root)
	@scripts/lab-up

.PHONY: lab-down
lab-down: ## Stop the lab's cluster and leave nothing behind (root)
	@scripts/lab-down

.PHONY: lab-status
lab-status: ## Show what of the lab runs
	@scripts/lab-status

.PHONY: lint
lint: ## Check the linter's configuration and run it
	@scripts/lint

.PHONY: generate
generate: ## Write what is generated: controllers, deep copies, CRDs
	@scripts/generate

.PHONY: verify
verify: ## Fail when `make generate` would change anything
	@scripts/verify

.PHONY: image
image: ## Build the release image with Docker
	@scripts/image

.PHONY: web
web: ## Build the dashboard and check it (Node)
	@scripts/web

.PHONY: web-e2e
web-e2e: ## The dashboard's tests in a browser
	@scripts/web e2e

.PHONY: screenshots
screenshots: ## Pictures of a running dashboard, at BASE_URL for TOKEN, into docs
	@scripts/screenshots

.PHONY: ci
ci: ## lint, verify, web, test and e2e
	@scripts/ci

.PHONY: clean
clean: ## Remove what the targets above left in the tree
	@rm -rf bin dist coverage
