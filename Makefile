# HP Analytics. `make help` lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PORT     ?= 8080
DATA_DIR ?= .data
URL      ?= http://localhost:$(PORT)
ARGS     ?=
# ARGS and the variables of the command line belong to one target. Without these two lines, a script that calls make again would pass
# them on to another target: ARGS of e2e-cluster reached `docker buildx bake`.
MAKEOVERRIDES :=
unexport ARGS
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
TAG      ?= dev

# Tools have pinned versions and are built into .bin, outside the workspace, so that their dependencies do not affect ours.
GOLANGCI_LINT  := .bin/golangci-lint-2.15.0
OAPI_CODEGEN   := .bin/oapi-codegen-2.8.2
GOVULNCHECK    := .bin/govulncheck-1.9.0
HELM           := .bin/helm-4.3.1
HELM3          := .bin/helm-3.22.0
HELM_UNITTEST  := .bin/helm-unittest-1.1.2
HELM_DOCS      := .bin/helm-docs-1.14.2
CONTROLLER_GEN := .bin/controller-gen-0.23.0
KUBECONFORM    := .bin/kubeconform-0.8.0
KIND           := .bin/kind-0.33.0
SCHEMAS        := .bin/schemas
PROMTOOL       := .bin/promtool-0.316.0

MODULES  := $(shell sed -n 's|^\t\(\..*\)|\1|p' go.work)
SERVICES := auth catalog ingest analytics aggregator
LDFLAGS  := -s -w -X github.com/hp-analytics/hp-analytics/internal/platform/service.version=$(VERSION)

.PHONY: help
help: ## show what each target does
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: up
up: deps bin/hp-analytics ## start the whole platform on http://localhost:8080 (PORT=, DATA_DIR=); Ctrl-C stops it
	@PORT=$(PORT) DATA_DIR=$(DATA_DIR) exec bin/hp-analytics up

.PHONY: demo
demo: bin/hp-analytics ## send a simulated shop's events to a running platform and check its numbers (URL=, DATA_DIR=, ARGS="--events 200000 --days 30")
	@DATA_DIR=$(DATA_DIR) bin/hp-analytics demo --url $(URL) $(ARGS)

.PHONY: test
test: test-deps ## run all tests of all modules with the race detector, against real Postgres and Redis
	go test -race -shuffle=on -timeout 30m work

.PHONY: lint
lint: $(GOLANGCI_LINT) ## run golangci-lint over every module
	@for m in $(MODULES); do echo "lint $$m"; (cd $$m && $(CURDIR)/$(GOLANGCI_LINT) run --config $(CURDIR)/.golangci.yml ./...); done

.PHONY: check
check: lint chart-check web-check ## all checks except the tests: lint, vet, tidy modules, generated code, the chart, the dashboard, builds without the workspace
	@bash .ci/check $(MODULES) charts/tools

.PHONY: chart-check
chart-check: alerts-test $(HELM) $(HELM_UNITTEST) $(KUBECONFORM) $(SCHEMAS)/made bin/manifests ## check the chart: lint, schemas, rules, unit tests, alerts, and the files of Tilt and kind
	@HELM=$(HELM) HELM_UNITTEST=$(HELM_UNITTEST) KUBECONFORM=$(KUBECONFORM) SCHEMAS=$(SCHEMAS) MANIFESTS=$(CURDIR)/bin/manifests bash .ci/chart
	@HELM=$(CURDIR)/$(HELM) go test -count=1 ./test/chart/...

.PHONY: web-check
web-check: ## check the types of the dashboard, and that those of the API are up to date
	@infra/debian/install npm
	@bash .ci/web

SCREENS ?= .data/screens
.PHONY: screens
screens: ## draw every page of the dashboard with the data of the demo, at three widths in both themes, into SCREENS (.data/screens)
	@mkdir -p $(SCREENS)
	@go test ./cmd/hp-analytics/internal/host -count=1 -run '^TestScreenshots$$' -screens $(abspath $(SCREENS))

.PHONY: web-types
web-types: ## make the dashboard's types of the API anew from openapi.yaml
	@infra/debian/install npm
	@cd web && npm ci --silent --ignore-scripts && npm run --silent types

.PHONY: bin/manifests
bin/manifests:
	@go build -o $@ ./test/chart/manifests

# Rebuilt when the program, which pins the versions, or the custom resources of this repository change.
$(SCHEMAS)/made: $(wildcard test/chart/schemas/*.go test/chart/schemas/*.yaml charts/hp-analytics/crds/*.yaml)
	@echo "generating the schemas of Kubernetes (once)"; rm -rf $(SCHEMAS)
	@go run ./test/chart/schemas -out $(SCHEMAS) $(wildcard charts/hp-analytics/crds/*.yaml); touch $@

.PHONY: kind-up
kind-up: $(KIND) $(HELM) ## build the images and install the chart into a kind cluster on http://localhost (ARGS= goes to helm); see k8s/kind
	@KIND=$(KIND) HELM=$(HELM) VERSION=$(VERSION) bash k8s/kind/up $(ARGS)

.PHONY: kind-down
kind-down: $(KIND) ## delete the kind cluster and everything in it
	@$(KIND) delete cluster --name hp-analytics

.PHONY: generate
generate: $(OAPI_CODEGEN) $(CONTROLLER_GEN) $(HELM_DOCS) ## regenerate code from openapi.yaml, the CRD from the operator's types, and the chart's README
	go generate work
	@$(HELM_DOCS) --chart-search-root charts --log-level warning

.PHONY: bench
bench: deps build bin/baseline ## measure the platform over HTTP, as separate processes, and replace the tables of BENCHMARKS.md (ARGS="-short -peer DIR")
	@infra/debian/install nginx
	@go run ./test/bench -page BENCHMARKS.md $(ARGS)

.PHONY: torture
torture: deps build ## kill, pause, wipe and disconnect the platform under load, then check every number (ARGS="-seed 7 -duration 5m")
	@go run ./test/torture $(ARGS)

.PHONY: fuzz
fuzz: deps build ## send valid and broken requests to every operation of openapi.yaml and check each answer (ARGS="-seed 7 -operation createOrder -duration 1h")
	@go run ./test/fuzz $(ARGS)

.PHONY: e2e-cluster
e2e-cluster: bin/hp-analytics $(HELM) $(HELM3) ## install, load, break, upgrade and scale the platform on a Kubernetes cluster (CLUSTER=DIR with up, load and down; ARGS="-run TestCluster/Helm4")
	@HELM4=$(HELM) HELM3=$(HELM3) test/cluster/run $(ARGS)

.PHONY: gobench
gobench: deps ## run the Go benchmarks (ARGS="-bench Fold")
	go test -run '^$$' -bench . -benchmem $(ARGS) work

.PHONY: vuln
vuln: $(GOVULNCHECK) ## look for known vulnerabilities (GOVULNDB= names a mirror or a copy of the Go vulnerability database)
	@GOVULNCHECK=$(GOVULNCHECK) bash .ci/vuln $(MODULES)

.PHONY: build
build: bin/hp-analytics $(SERVICES:%=bin/%) ## build every binary into bin/

# go build itself decides what is out of date, so these targets always run.
.PHONY: bin/hp-analytics bin/baseline bin/operator $(SERVICES:%=bin/%)
bin/hp-analytics:
	@[ -e $@ ] || echo "building hp-analytics (once; this takes some minutes)"
	@CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o $@ ./cmd/hp-analytics
# The operator compiles a large part of Kubernetes, so `make build` and `make up` leave it out.
bin/operator:
	@CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o $@ ./k8s/operator/cmd/operator
bin/baseline:
	@CGO_ENABLED=0 go build -trimpath -o $@ ./test/bench/baseline
$(SERVICES:%=bin/%): bin/%:
	@CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o $@ ./services/$*/cmd/$*

.PHONY: images
images: ## build every container image and print its size (TAG=, ARGS="auth ingest")
	@TAG=$(TAG) VERSION=$(VERSION) infra/images/build $(ARGS)

.PHONY: compose-up
compose-up: ## start the platform in containers on http://localhost:8080 (PORT=, ARGS="--profile obs"); see infra/compose
	@PORT=$(PORT) VERSION=$(VERSION) BUILD_NETWORK=$${BUILD_NETWORK:-host} docker compose -f infra/compose/docker-compose.yml $(ARGS) up --build --wait

.PHONY: pin
pin: ## resolve the base images to digests, for releases (needs access to the registries); commit the result
	@bash infra/images/pin

.PHONY: release
release: ## build, push and sign all images by digest, with SBOM and provenance (VERSION=v1.4.0, DRY_RUN=1 only prints)
	@VERSION=$(VERSION) bash infra/images/release

.PHONY: compose-test
compose-test: ## start the compose stack, use and disturb it, recount, and remove it (needs a Docker engine)
	@COMPOSE_TEST=1 BUILD_NETWORK=$${BUILD_NETWORK:-host} go test -count=1 -v -timeout 40m -run TestStack ./test/compose

.PHONY: alerts-test
alerts-test: $(PROMTOOL) ## check the alert rules and the configuration of Prometheus, and test the rules with synthetic series
	@$(PROMTOOL) check rules charts/hp-analytics/files/alerts/*.yaml
	@$(PROMTOOL) test rules test/compose/testdata/alerts.yaml
	@$(PROMTOOL) check config --syntax-only infra/compose/prometheus/prometheus.yml

.PHONY: deps
deps: ## install the missing packages for running: PostgreSQL and Redis (Debian packages)
	@infra/debian/install postgres redis

.PHONY: test-deps
test-deps: ## install the missing packages for the tests: the same, a C compiler (for the race detector), curl, PgBouncer, nginx, Prometheus, Chromium, npm, and axe for the tests of the dashboard
	@infra/debian/install postgres redis gcc curl pgbouncer nginx prometheus chromium npm
	@cmp -s web/package-lock.json web/node_modules/.of 2>/dev/null || \
		(cd web && npm ci --silent --ignore-scripts --no-audit --no-fund && cp package-lock.json node_modules/.of)

.PHONY: clean
clean: ## remove build results; keep DATA_DIR
	rm -rf bin .bin

.bin/golangci-lint-%:
	@$(call install,github.com/golangci/golangci-lint/v2/cmd/golangci-lint,$*)
.bin/oapi-codegen-%:
	@$(call install,github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen,$*)
	@ln -sf $(notdir $@) .bin/oapi-codegen
.bin/controller-gen-%:
	@$(call install,sigs.k8s.io/controller-tools/cmd/controller-gen,$*)
	@ln -sf $(notdir $@) .bin/controller-gen
.bin/govulncheck-%:
	@$(call install,golang.org/x/vuln/cmd/govulncheck,$*)
.bin/kubeconform-%:
	@$(call install,github.com/yannh/kubeconform/cmd/kubeconform,$*)
.bin/kind-%:
	@$(call install,sigs.k8s.io/kind,$*)
.bin/promtool-%:
	@$(call install,github.com/prometheus/prometheus/cmd/promtool,$*)
.bin/helm-docs-%:
	@$(call install,github.com/norwoodj/helm-docs/cmd/helm-docs,$*)
# helm-unittest replaces a dependency, which "go install" refuses: charts/tools repeats the replacement and pins the version.
.bin/helm-unittest-%: charts/tools/go.mod
	@echo "building helm-unittest $* (once)"; mkdir -p .bin; GOWORK=off go build -C charts/tools -o $(CURDIR)/$@ github.com/helm-unittest/helm-unittest/cmd/helm-unittest
.bin/helm-3.%:
	@$(call install,helm.sh/helm/v3/cmd/helm,3.$*)
.bin/helm-%:
	@$(call install,helm.sh/helm/v4/cmd/helm,$*)

# install builds a Go program of one version into .bin/<name>-<version>.
define install
echo "building $(notdir $(1)) $(2) (once)"; dir=$$(mktemp -d); \
GOWORK=off GOBIN=$$dir go install $(1)@v$(2); mkdir -p .bin; mv $$dir/$(notdir $(1)) $@; rm -r $$dir
endef
