# make deps    what building and testing need: Tahoe-LAFS, a few small tools
# make build   the programs, into build/

GO ?= go
BUILD_DIR := build

.DEFAULT_GOAL := build

.PHONY: deps
deps:
	@scripts/deps

# The command line is built without cgo: only the windows need a C library.
.PHONY: build
build:
	CGO_ENABLED=0 $(GO) build -trimpath -o $(BUILD_DIR)/hidden-backup ./cmd/hidden-backup

.PHONY: clean
clean:
	rm -rf $(BUILD_DIR)

# Tests: targets that check the code go here.

# Demonstrations: targets that show the whole thing running go here.

# Benchmarks: targets that measure go here.
