package tails

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// State says whether something is switched on.
type State uint8

// Off is only said when the system says so.
const (
	Unknown State = iota
	Off
	On
)

// Feature is one feature of the Persistent Storage. Title, Contains and ByHand
// are English; a front end translates them.
type Feature struct {
	Key      string // Tails' own name
	Title    string // as Tails' own window shows it
	Contains string // a sentence
	// Paths are the folders it keeps, as a manifest names folders: absolute or
	// "~/…". None: its files belong to others than the user.
	Paths []string
	// Program should be closed while the files are read or written; empty if
	// none holds them open. A proper name.
	Program string
	// ByHand says what to do after the journey, when no files can be restored.
	ByHand string

	State State
	// Readable: every path is there and may be read.
	Readable bool
}

// Storage is the Persistent Storage of this computer.
type Storage struct {
	// Tails is false on any other system; everything else is then empty.
	Tails bool
	// Created and Unlocked are facts about the storage itself. It can be
	// unlocked on the Welcome Screen only.
	Created, Unlocked State
	Features          []Feature
}

// system is the computer that is looked at; tests make up others.
var system struct {
	root string // before every absolute path
	home string // empty: the user's own
}

// SetTestSystem makes Look see another computer: the file tree below root, with
// a home directory below it as the tree names it. With a nil t, as in TestMain,
// it stays so. It panics in any program that was not built by "go test".
func SetTestSystem(t interface{ Cleanup(func()) }, root, home string) {
	if !testing.Testing() {
		panic("tails: SetTestSystem outside a test")
	}
	before := system
	system.root, system.home = root, home
	if t != nil {
		t.Cleanup(func() { system = before })
	}
}

// OnTails reports whether this computer runs Tails.
func OnTails() bool {
	text := readSome(onDisk("/etc/os-release"))
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && name == "ID" {
			return strings.Trim(value, `"'`) == "tails"
		}
	}
	return false
}

// Look reads the state of the Persistent Storage. It asks the system bus, so
// call it off the main loop; ctx bounds the questions.
func Look(ctx context.Context) Storage {
	s := Storage{Tails: OnTails()}
	if !s.Tails {
		return s
	}
	mounts := mountPoints()
	bus := connect(ctx)
	defer bus.close()
	s.Created, s.Unlocked = bus.ask(ctx, storagePath, storageName, "IsCreated"), bus.ask(ctx, storagePath, storageName, "IsUnlocked")
	if mounts[data] {
		s.Created, s.Unlocked = On, On
	}
	for _, f := range table {
		f.Paths = slices.Clone(f.Paths)
		f.State = bus.ask(ctx, storagePath+"/Features/"+f.Key, storageName+".Feature", "IsActive")
		if f.State == Unknown && s.Unlocked == On {
			f.State = stateOf(f, mounts)
		}
		f.Readable = f.State == On && len(f.Paths) > 0
		for _, p := range f.Paths {
			f.Readable = f.Readable && unix.Access(onDisk(Expand(p)), unix.R_OK|unix.X_OK) == nil
		}
		s.Features = append(s.Features, f)
	}
	return s
}

// stateOf is the second best way to know: most features are folders that Tails
// mounts over those in the home directory.
func stateOf(f Feature, mounts map[string]bool) State {
	if len(f.Paths) == 0 {
		return Unknown
	}
	for _, p := range f.Paths {
		p = Expand(p)
		if below(p, data) {
			// Linked, not mounted; it stays there when it is switched off.
			if _, err := os.Lstat(onDisk(p)); err != nil {
				return Off
			}
			return Unknown
		}
		if !mounts[p] {
			return Off
		}
	}
	return On
}

// For returns the feature that keeps path, which is as in a manifest: absolute
// or "~/…".
func (s Storage) For(path string) (Feature, bool) {
	path = Expand(path)
	for _, f := range s.Features {
		for _, p := range f.Paths {
			if p = Expand(p); path == p || below(path, p) {
				return f, true
			}
		}
	}
	return Feature{}, false
}

// ByHand are the features whose files no backup holds and that are not known
// to be unused: what is to be said before a backup and after a restore.
func (s Storage) ByHand() (list []Feature) {
	for _, f := range s.Features {
		if f.ByHand != "" && f.State != Off {
			list = append(list, f)
		}
	}
	return list
}

// Expand puts the home directory in the place of a leading "~".
func Expand(path string) string {
	if path != "~" && !strings.HasPrefix(path, "~/") {
		return path
	}
	home := system.home
	if home == "" {
		var err error
		if home, err = os.UserHomeDir(); err != nil {
			return path
		}
	}
	return filepath.Join(home, path[1:])
}

func below(path, dir string) bool { return strings.HasPrefix(path, dir+"/") }

func onDisk(path string) string { return filepath.Join(system.root, path) }
