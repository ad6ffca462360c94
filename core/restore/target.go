package restore

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"hiddenbackup/core/internal/localfs"
	"hiddenbackup/core/snapshot"
)

// target maps a folder of the snapshot to a place on disk.
type target struct {
	tree *localfs.Tree
	name []byte // what the folder is called there
	path string // of the folder
}

// targets are the opened places of one run.
type targets struct {
	byFolder map[string]target
	fresh    map[string]bool          // folders that were not there before this run
	trees    map[string]*localfs.Tree // by directory
}

// openTargets opens the parent directory of each place. With create set,
// missing ones are made.
func openTargets(s *snapshot.Snapshot, o Options, create bool) (*targets, error) {
	t := &targets{byFolder: make(map[string]target), fresh: make(map[string]bool), trees: make(map[string]*localfs.Tree)}
	for _, f := range s.Folders {
		// Opening one place may make the folder that is another.
		if _, err := os.Lstat(o.Places[f.Name]); errors.Is(err, fs.ErrNotExist) {
			t.fresh[f.Name] = true
		}
	}
	for _, f := range s.Folders {
		place, ok := o.Places[f.Name]
		if !ok || o.Tier != 0 && f.Tier > o.Tier {
			continue
		}
		if err := t.open(f.Name, place, create, o.Follow); err != nil {
			t.close()
			return nil, err
		}
	}
	if len(t.byFolder) == 0 {
		return nil, ErrNoPlace
	}
	return t, nil
}

func (t *targets) open(folder, place string, create, follow bool) error {
	if !filepath.IsAbs(place) || filepath.Clean(place) != place || place == "/" {
		return fmt.Errorf("%w: %q", ErrNoPlace, place)
	}
	if real, err := filepath.EvalSymlinks(place); err == nil && follow {
		place = real
	}
	dir := filepath.Dir(place)
	tree := t.trees[dir]
	if tree == nil {
		var err error
		if tree, err = localfs.OpenTree(dir, create); err != nil {
			return err
		}
		t.trees[dir] = tree
	}
	t.byFolder[folder] = target{tree: tree, name: []byte(filepath.Base(place)), path: place}
	return nil
}

func (t *targets) close() {
	for _, tree := range t.trees {
		tree.Close()
	}
}

// locate returns where the entry of a listing path goes.
func (t *targets) locate(path []byte) (*localfs.Tree, []byte, bool) {
	folder, rest, below := bytes.Cut(path, []byte("/"))
	to, ok := t.byFolder[string(folder)]
	if !ok || !below {
		return to.tree, to.name, ok
	}
	return to.tree, bytes.Join([][]byte{to.name, rest}, []byte("/")), true
}

// sync makes everything staged so far durable.
func (t *targets) sync() error {
	for _, tree := range t.trees {
		if err := tree.Sync(); err != nil {
			return err
		}
	}
	return nil
}

// sweep removes what is unfinished in folders this run came by, of others too:
// the disk is full.
func (t *targets) sweep() {
	for _, tree := range t.trees {
		tree.SweepUnfinished()
	}
}

// checkSpace compares what is to be written, by folder, with what is free on
// the file systems where the folders are, or will be.
func (t *targets) checkSpace(need map[string]int64) error {
	type space struct{ need, free int64 }
	disks := make(map[uint64]space)
	for folder, n := range need {
		to, ok := t.byFolder[folder]
		if !ok {
			continue
		}
		place := to.path
		var st unix.Stat_t
		for unix.Stat(place, &st) != nil && place != "/" {
			place = filepath.Dir(place)
		}
		var disk unix.Statfs_t
		if err := unix.Statfs(place, &disk); err != nil {
			return fmt.Errorf("asking for the free space of %q: %w", place, err)
		}
		d := disks[st.Dev]
		d.need += n
		d.free = int64(disk.Bavail) * disk.Bsize
		disks[st.Dev] = d
	}
	for _, d := range disks {
		if d.need > d.free {
			return fmt.Errorf("%w: %d bytes are needed and %d are free", ErrNoSpace, d.need, d.free)
		}
	}
	return nil
}

// selection decides which entries are wanted.
type selection struct {
	paths   []string
	matched []bool
}

func newSelection(paths []string) *selection {
	s := &selection{matched: make([]bool, len(paths))}
	for _, p := range paths {
		s.paths = append(s.paths, strings.Trim(p, "/"))
	}
	return s
}

// wants reports whether the entry is selected, and whether it is a directory
// on the way to one that is.
func (s *selection) wants(e *snapshot.Entry) (selected, onTheWay bool) {
	if len(s.paths) == 0 {
		return true, false
	}
	p := string(e.Path)
	for i, want := range s.paths {
		if p == want || inside(p, want) {
			s.matched[i] = true
			selected = true
		}
		if e.Type == snapshot.TypeDir && inside(want, p) {
			onTheWay = true
		}
	}
	return selected, onTheWay
}

// inside reports whether path lies below dir, without making a string: it is
// asked for every entry and every path that is wanted.
func inside(path, dir string) bool {
	return len(path) > len(dir) && path[len(dir)] == '/' && strings.HasPrefix(path, dir)
}

// missing names the first path that nothing matched.
func (s *selection) missing() error {
	for i, ok := range s.matched {
		if !ok {
			return fmt.Errorf("%w: %q", ErrSelection, s.paths[i])
		}
	}
	return nil
}

// ResolvePlaces returns the places of all folders below one directory, each
// under its own name.
func ResolvePlaces(s *snapshot.Snapshot, dir string) map[string]string {
	places := make(map[string]string)
	for _, f := range s.Folders {
		places[f.Name] = filepath.Join(dir, f.Name)
	}
	return places
}

// OriginalPlaces returns where the folders came from, with "~" as the home
// directory of whoever restores.
func OriginalPlaces(s *snapshot.Snapshot) (map[string]string, error) {
	home, err := os.UserHomeDir()
	if err != nil && slices.ContainsFunc(s.Folders, func(f snapshot.Folder) bool { return strings.HasPrefix(f.Path, "~") }) {
		return nil, fmt.Errorf("finding the home directory: %w", err)
	}
	return PlacesOf(s, home), nil
}

// PlacesOf is OriginalPlaces for somebody whose home directory is home.
func PlacesOf(s *snapshot.Snapshot, home string) map[string]string {
	places := make(map[string]string)
	for _, f := range s.Folders {
		places[f.Name] = f.Path
		if rest, below := strings.CutPrefix(f.Path, "~"); below {
			places[f.Name] = filepath.Join(home, rest)
		}
	}
	return places
}
