# make deps    what building and testing need: Tahoe-LAFS, tor, a C compiler
# make build   the program, into build/
# make demo    the main job from end to end on a practice grid
# make demo-onion   the same through onion services, in a private Tor network
# make test    every test, those on a real grid included
# make lint    formatting, vet, staticcheck, the build without cgo
# make bench   speed and memory beside Tahoe's own commands, as ratios
# make man     the manual pages, into build/man

GO ?= go
BUILD_DIR := build
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.6.1
CGO_FREE := ./core/... ./tahoeclient/... ./cmd/hidden-backup

.DEFAULT_GOAL := build

.PHONY: deps
deps:
	@scripts/deps

# The command line is built without cgo: only the windows need a C library.
.PHONY: build
build:
	CGO_ENABLED=0 $(GO) build -trimpath -o $(BUILD_DIR)/hidden-backup ./cmd/hidden-backup

.PHONY: demo
demo: deps build
	@scripts/demo

.PHONY: demo-onion
demo-onion: deps build
	@DEMO_ONION=1 scripts/demo

# The race detector needs a C compiler, which make deps installs. Two packages
# run at a time, however many cores: each starts a grid of its own. Pictures are too slow
# under the race detector, so most of their tests run without it.
.PHONY: test
test: deps
	HIDDEN_BACKUP_REQUIRE_GRID=1 HIDDEN_BACKUP_REQUIRE_TOR=1 $(GO) test -race -p 2 -timeout 20m ./...
	$(GO) test ./core/paper

.PHONY: lint
lint:
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); \
	if [ -n "$$unformatted" ]; then echo "gofmt would change: $$unformatted" >&2; exit 1; fi
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...
	CGO_ENABLED=0 $(GO) build -o /dev/null $(CGO_FREE)

.PHONY: bench
bench: deps
	HIDDEN_BACKUP_REQUIRE_GRID=1 $(GO) test -run '^$$' -bench Versus -benchtime 1x -timeout 60m -v ./core

.PHONY: man
man: build
	mkdir -p $(BUILD_DIR)/man
	$(BUILD_DIR)/hidden-backup man $(BUILD_DIR)/man

.PHONY: clean
clean:
	rm -rf $(BUILD_DIR)
