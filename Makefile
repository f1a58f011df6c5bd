# make demo   a real deployment behind a real nginx, with live traffic
# make test   everything, with real proxies, a real container engine and act
# make soak   the long proofs: many switches under load, fuzzing for minutes
# make bench  speed, beside peers where they are there
# make build  bin/turnout, and the agent that it puts on servers beside it
# make release-snapshot  what a release consists of, in dist/upload

PROXY ?= nginx
FUZZTIME ?= 60s
SWITCHES ?= 1000
ENGINE ?= -sizes 1,10,100,1000,5000 -shapes layers,chain,fan -rounds 5 -output 1024
comma := ,
UPLOAD ?= -files 2000 -rounds 7
export PATH := $(CURDIR)/bin:$(PATH):/usr/local/sbin:/usr/sbin:/sbin

act        := github.com/nektos/act@v0.2.89
actionlint := github.com/rhysd/actionlint/cmd/actionlint@v1.7.12
task       := github.com/go-task/task/v3/cmd/task@v3.54.0
goreleaser := github.com/goreleaser/goreleaser/v2@v2.15.0
sbom       := github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0
vulncheck  := golang.org/x/vuln/cmd/govulncheck@v1.1.4

# Most tests wait for processes, networks and clocks, and leave the CPUs idle: so
# many packages are tested at once, and so many tests of each.
at_once := 4

# Those that take longest begin first.
long := ./internal/github/e2e ./internal/rollout ./cmd/turnout ./internal/proxy ./internal/pipeline

# What no test may skip here. Hosts in network namespaces need root.
must_run := nginx,haproxy,sshd,docker,act,actionlint$(if $(filter 0,$(shell id -u)),$(comma)netns)

# Where systems differ. A release builds the whole program for each.
by_system := $(addprefix ./internal/,machine release metrics ssh state console artifact pid1)

# Nothing runs side by side there, and the race detector takes ten times as long.
alone := ./internal/protocol ./internal/canary ./internal/report

# What is built here without the race detector is built as by the build target, so that
# the build cache has each package once.
as_built := CGO_ENABLED=0 GOFLAGS=-trimpath

# What befalls real deploys: docs/reliability.md.
proofs := TestCrashes|TestSleepers|TestKilledAnywhere|TestSickDisks|TestCutOff|TestRace

.PHONY: build demo test lint soak fuzz bench vuln clean release release-snapshot

build:
	@CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o bin/turnout ./cmd/turnout
	@CGO_ENABLED=0 GOOS=linux go build -trimpath -ldflags "-s -w" -o bin/turnout-agent-linux-$$(go env GOARCH) ./cmd/turnout-agent

demo: build
	@scripts/need.sh $(PROXY) git bash curl
	@go build -o bin/demo ./examples/demo
	@exec bin/demo -proxy $(PROXY) -turnout $(CURDIR)/bin/turnout

test: lint bin/act bin/actionlint
	@scripts/need.sh nginx haproxy git bash curl gcc unshare openssh-server openssh-client sudo fish tcsh busybox iproute2 procps systemd node npm python3 docker-compose
	@$(as_built) go test -tags portable ./internal/machine
	@$(as_built) go test $(alone)
	@eval "$$(scripts/engine.sh)" && CI=true TURNOUT_MUST_RUN=$(must_run) go test -race -vet=off -p $(at_once) -parallel $(at_once) -timeout 30m $(long) $$(go list ./... | grep -vxF "$$(go list $(alone))")

lint:
	@test -z "$$(gofmt -l cmd internal templates examples setup)" || { gofmt -l cmd internal templates examples setup; exit 1; }
	@$(as_built) go vet ./...
	@$(as_built) GOOS=darwin GOARCH=arm64 go build -gcflags "all=-N -l -dwarf=false" $(by_system)

bin/act:
	@echo "Installing $(act) into bin/."
	@$(as_built) GOBIN=$(CURDIR)/bin go install $(act)

bin/actionlint:
	@echo "Installing $(actionlint) into bin/."
	@$(as_built) GOBIN=$(CURDIR)/bin go install $(actionlint)

soak: fuzz
	@scripts/need.sh nginx haproxy
	@TURNOUT_SOAK=$(SWITCHES) go test -timeout 2h -count 1 -run Soak -v ./internal/bench
	@TURNOUT_SOAK=1 go test -timeout 1h -count 1 -run Soak -v ./internal/artifact ./internal/protocol ./internal/release
	@TURNOUT_SOAK=1 go test -race -timeout 1h -count 1 -run '$(proofs)' -v ./internal/rollout
	@TURNOUT_SOAK=1 go test -timeout 1h -count 1 -v ./internal/canary
	@TURNOUT_SOAK=1 go test -timeout 1h -count 1 -run SyncConverges -v ./internal/preview
	@TURNOUT_SOAK=1 go test -timeout 1h -count 1 -run 'Share|WhoHasSeen' -v ./internal/proxy
	@eval "$$(scripts/engine.sh)" && TURNOUT_SOAK=1 go test -timeout 1h -count 1 -run Soak -v ./internal/github/e2e

fuzz:
	@scripts/fuzz.sh $(FUZZTIME)

bin/task:
	@echo "Installing $(task) into bin/."
	@GOBIN=$(CURDIR)/bin go install $(task)

bench: build bin/task
	@scripts/need.sh nginx haproxy gcc bash make ninja-build openssh-server rsync zstd
	@go run ./internal/bench/engine $(ENGINE)
	@test "$$(id -u)" != 0 || go run ./internal/bench/servers
	@test "$$(id -u)" != 0 || go run ./internal/bench/upload $(UPLOAD)
	@go test -run '^$$' -bench Switch -benchtime 30x ./internal/bench
	@go test -run '^$$' -bench . ./internal/spec ./internal/dag ./internal/secret ./internal/console

bin/goreleaser:
	@echo "Installing $(goreleaser) into bin/."
	@GOBIN=$(CURDIR)/bin go install $(goreleaser)

bin/cyclonedx-gomod:
	@echo "Installing $(sbom) into bin/."
	@GOBIN=$(CURDIR)/bin go install $(sbom)

built_from = COMMIT="$$(git rev-parse HEAD)" DATE="$$(TZ=UTC0 git log -1 --date=iso-strict-local --format=%cd)"

# The tag is this repository's own for as long as the build takes: it is pushed by the
# release workflow, once everything else is there.
release: bin/goreleaser bin/cyclonedx-gomod
	@scripts/release.sh check "$(VERSION)"
	@git tag "v$(VERSION)" && trap 'git tag --delete "v$(VERSION)" >/dev/null' EXIT && $(built_from) goreleaser release --clean --skip=publish
	@scripts/release.sh collect

release-snapshot: bin/goreleaser bin/cyclonedx-gomod
	@$(built_from) goreleaser release --clean --snapshot --skip=publish
	@scripts/release.sh collect

vuln:
	@go run $(vulncheck) ./...

clean:
	@rm -rf bin dist
