# make deps    what building and testing need: Tahoe-LAFS, tor, a C compiler
# make build   the command line and the window, into build/
# make demo    the main job from end to end on a practice grid
# make demo-onion   the same through onion services, in a private Tor network
# make test    every test, those on a real grid included
# make lint    formatting, vet, staticcheck, the build without cgo
# make bench   speed and memory beside Tahoe's own commands, as ratios
# make man     the manual pages, into build/man
# make pot     the template for translators, build/hidden-backup.pot; make po brings the catalogues up to date
# make install DESTDIR= PREFIX=/usr/local

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
build: catalogues
	CGO_ENABLED=0 $(GO) build -trimpath -o $(BUILD_DIR)/hidden-backup ./cmd/hidden-backup
	$(GO) build -trimpath -o $(BUILD_DIR)/hidden-backup-gtk ./cmd/hidden-backup-gtk

LANGUAGES := $(patsubst po/%.po,%,$(wildcard po/*.po))
CATALOGUES := $(LANGUAGES:%=$(BUILD_DIR)/locale/%/LC_MESSAGES/hidden-backup.mo)

# Beside the program, where the window looks for them first.
.PHONY: catalogues
catalogues: $(CATALOGUES)

$(BUILD_DIR)/locale/%/LC_MESSAGES/hidden-backup.mo: po/%.po
	@mkdir -p $(@D)
	msgfmt --check -o $@ $<

.PHONY: pot
pot:
	scripts/messages $(BUILD_DIR)/hidden-backup.pot

.PHONY: po
po: pot
	@for po in po/*.po; do msgmerge --quiet --update --backup=none --no-fuzzy-matching "$$po" $(BUILD_DIR)/hidden-backup.pot; done

PREFIX ?= /usr/local
SHARE = $(DESTDIR)$(PREFIX)/share
APP := org.hiddenbackup.HiddenBackup

.PHONY: install
install: build man
	install -Dm755 -t $(DESTDIR)$(PREFIX)/bin $(BUILD_DIR)/hidden-backup $(BUILD_DIR)/hidden-backup-gtk
	install -Dm644 -t $(SHARE)/applications assets/desktop/$(APP).desktop
	install -Dm644 -t $(SHARE)/metainfo assets/desktop/$(APP).metainfo.xml
	install -Dm644 -t $(SHARE)/icons/hicolor/scalable/apps assets/desktop/$(APP).svg
	install -Dm644 -t $(SHARE)/icons/hicolor/symbolic/apps assets/desktop/$(APP)-symbolic.svg
	install -Dm644 -t $(SHARE)/man/man1 assets/desktop/hidden-backup-gtk.1 $(BUILD_DIR)/man/*.1
	for l in $(LANGUAGES); do install -Dm644 -t $(SHARE)/locale/$$l/LC_MESSAGES $(BUILD_DIR)/locale/$$l/LC_MESSAGES/hidden-backup.mo; done

.PHONY: demo
demo: deps build
	@scripts/demo

.PHONY: demo-onion
demo-onion: deps build
	@DEMO_ONION=1 scripts/demo

# The race detector needs a C compiler, which make deps installs. Three packages
# run at a time, however many cores: each starts a grid of its own, and often
# waits for servers or for a Tor network; those that take longest begin. Without
# the race detector run pictures, which are too slow under it, and the window:
# gotk3 does not pass the pointer checks that come with it.
REQUIRE := HIDDEN_BACKUP_REQUIRE_GRID=1 HIDDEN_BACKUP_REQUIRE_TOR=1 HIDDEN_BACKUP_REQUIRE_WINDOW=1

.PHONY: test
test: deps
	$(REQUIRE) $(GO) test -race -p 3 -timeout 30m ./core ./cmd/hidden-backup ./core/node ./core/host $(CGO_FREE) . ./assets/...
	$(REQUIRE) $(GO) test -p 2 -timeout 20m ./ui/... ./cmd/hidden-backup-gtk ./core/paper

.PHONY: lint
lint:
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); \
	if [ -n "$$unformatted" ]; then echo "gofmt would change: $$unformatted" >&2; exit 1; fi
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...
	CGO_ENABLED=0 $(GO) build -o /dev/null $(CGO_FREE)

.PHONY: bench
bench: deps
	HIDDEN_BACKUP_REQUIRE_GRID=1 HIDDEN_BACKUP_REQUIRE_TOR=1 $(GO) test -run '^$$' -bench Versus -benchtime 1x -timeout 120m -v ./core ./ui/uitest

.PHONY: man
man: build
	mkdir -p $(BUILD_DIR)/man
	$(BUILD_DIR)/hidden-backup man $(BUILD_DIR)/man

.PHONY: clean
clean:
	rm -rf $(BUILD_DIR)
