package core

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hiddenbackup/core/snapshot"
	"hiddenbackup/tahoeclient/tahoetest"
)

// contentsOf makes Contents of paths; those that end in "/" are directories,
// and every file has as many bytes as its path has letters.
func contentsOf(folders []snapshot.Folder, paths ...string) *Contents {
	b := newContents(folders)
	for _, p := range paths {
		e := &snapshot.Entry{Path: []byte(strings.TrimSuffix(p, "/")), Type: snapshot.TypeDir}
		if !strings.HasSuffix(p, "/") {
			e.Type, e.Size = snapshot.TypeFile, int64(len(p))
		}
		b.add(e)
	}
	return b.done()
}

func (c *Contents) find(path string) *Content {
	for level := c.Folders; ; {
		i := slices.IndexFunc(level, func(x *Content) bool { return x.Path == path || strings.HasPrefix(path, x.Path+"/") })
		if i < 0 {
			return nil
		}
		if level[i].Path == path {
			return level[i]
		}
		level = level[i].Below
	}
}

// A folder whose name begins like its neighbour's is not inside of it, and what
// is needed first stands first.
func TestContentsAddUp(t *testing.T) {
	c := contentsOf([]snapshot.Folder{{Name: "a", Tier: 3}, {Name: "ab", Tier: 1}},
		"a/", "a/d/", "a/d/1", "a/d/22", "a/e", "ab/", "ab/d/", "ab/d/1")
	if len(c.Folders) != 2 || c.Folders[0].Path != "ab" || c.Folders[1].Files != 3 || c.Folders[1].Bytes != 5+6+3 {
		t.Fatalf("%+v", c.Folders)
	}
	if d := c.find("a/d"); d == nil || d.Name != "d" || d.Files != 2 || d.Bytes != 11 || len(d.Below) != 2 {
		t.Errorf("%+v", d)
	}
	if sum := c.Chosen(); sum.Files != 4 || sum.Bytes != 14+6 || fmt.Sprint(sum.Paths) != "[ab a]" {
		t.Errorf("everything is chosen at first: %+v", sum)
	}
	if sum := c.Of(1); sum.Files != 1 || fmt.Sprint(sum.Paths) != "[ab]" {
		t.Errorf("the first hour: %+v", sum)
	}
}

func TestChoosingIsSeenAboveAndBelow(t *testing.T) {
	c := contentsOf([]snapshot.Folder{{Name: "a", Tier: 1}}, "a/", "a/d/", "a/d/1", "a/d/2", "a/e")
	c.find("a/d/1").Choose(false)
	if c.Folders[0].Choice != ChosenSome || c.find("a/d").Choice != ChosenSome {
		t.Error("a folder without one file is called whole")
	}
	if sum := c.Chosen(); fmt.Sprint(sum.Paths) != "[a/d/2 a/e]" || sum.Files != 2 {
		t.Errorf("%+v", sum)
	}
	c.find("a/d/2").Choose(false)
	if c.find("a/d").Choice != ChosenNone {
		t.Error("an empty choice is called some")
	}
	c.find("a/d").Choose(true)
	if sum := c.Chosen(); fmt.Sprint(sum.Paths) != "[a]" {
		t.Errorf("all is chosen again: %+v", sum)
	}
	c.Folders[0].Choose(false)
	if sum := c.Chosen(); len(sum.Paths) != 0 || c.find("a/d/1").Choice != ChosenNone {
		t.Errorf("nothing is chosen: %+v", sum)
	}
}

// A snapshot of millions of files must not cost gigabytes; what is not listed
// is still counted and still comes back with its folder.
func TestManyFilesAreCountedAndNotListed(t *testing.T) {
	b := newContents([]snapshot.Folder{{Name: "a"}})
	b.add(&snapshot.Entry{Path: []byte("a"), Type: snapshot.TypeDir})
	b.add(&snapshot.Entry{Path: []byte("a/d"), Type: snapshot.TypeDir})
	for i := range maxContents + 10 {
		b.add(&snapshot.Entry{Path: fmt.Appendf(nil, "a/d/%09d", i), Type: snapshot.TypeFile, Size: 1})
	}
	c := b.done()
	d := c.find("a/d")
	if d.Unlisted != 12 || d.Files != maxContents+10 || c.Folders[0].Bytes != maxContents+10 {
		t.Fatalf("%d unlisted of %d", d.Unlisted, d.Files)
	}
	d.Below[0].Choose(false)
	d.Below[0].Choose(true)
	if d.Choice != ChosenSome {
		t.Error("a folder is called whole although some of its files cannot be chosen singly")
	}
	d.Choose(true)
	if sum := c.Chosen(); fmt.Sprint(sum.Paths) != "[a]" || sum.Files != maxContents+10 {
		t.Errorf("%d files, %d paths", sum.Files, len(sum.Paths))
	}
}

func TestOccupiedPlaces(t *testing.T) {
	dir := t.TempDir()
	full, empty, file := filepath.Join(dir, "full"), filepath.Join(dir, "empty"), filepath.Join(dir, "file")
	for _, d := range []string{full, empty} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range []string{file, filepath.Join(full, "x")} {
		if err := os.WriteFile(f, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got := Occupied(map[string]string{"1": full, "2": empty, "3": file, "4": filepath.Join(dir, "none"), "5": full})
	if !slices.Equal(got, []string{file, full}) {
		t.Errorf("%q", got)
	}
	if FreeSpace(filepath.Join(dir, "not", "yet", "there")) <= 0 {
		t.Error("no free space is known for a place that is not there yet")
	}
}

// The vault directory's own form of the pinned snapshot is lost: the manifest
// leads to another.
func TestThePinnedSnapshotIsListedWithoutTheDirectory(t *testing.T) {
	w := newMemory(t)
	w.write("a", tahoetest.Bytes(1, 3<<20))
	n := w.backup()
	w.pinned()
	w.gateway.CorruptShares(w.packs()[0].Cap, 2)
	if r := w.check(CheckPlan{Download: true, Repair: true}); len(r.Reissued) != 1 {
		t.Fatalf("%+v", r)
	}
	d, err := w.vault.Read(t.Context())
	if err != nil || d.Snapshots[n] == w.access.reader.Pin.Snapshot {
		t.Fatalf("the snapshot was not issued anew: %v", err)
	}
	w.gateway.LoseObject(d.Snapshots[n])
	s, err := w.Snapshots(t.Context())
	if err != nil || len(s.Infos) != 1 || s.Infos[0].Sequence != n || len(s.Broken) != 0 {
		t.Errorf("%+v, %v", s, err)
	}
}
