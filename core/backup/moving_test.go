package backup

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"hiddenbackup/core/internal/localfs"
	"hiddenbackup/core/snapshot"
)

// listed walks root, lets change happen before anything small is read, and
// returns the listing and the report.
func listed(t *testing.T, root string, change func()) (map[string]*snapshot.Entry, *Report) {
	t.Helper()
	keys, err := snapshot.NewKeys([32]byte{7})
	if err != nil {
		t.Fatal(err)
	}
	r := newReader(Options{}, keys, newIndex(), &parentCursor{ended: true})
	if err := localfs.Walk(t.Context(), "papers", root, localfs.WalkOptions{}, func(it *localfs.Item) error { return r.visit(t.Context(), it) }); err != nil {
		t.Fatal(err)
	}
	close(r.steps)
	close(r.work)
	change()
	for p := range r.work {
		r.seal(p)
	}
	var out bytes.Buffer
	up := newUploader(nil, nil, nil, 1, make(map[snapshot.PackID]snapshot.Pack)) // never sends: no pack gets full
	c := &collector{
		ctx: t.Context(), reader: r, index: r.index, packer: &packer{ctx: t.Context(), keys: keys, up: up},
		listing: snapshot.NewListingWriter(&out), report: new(Report), used: make(map[snapshot.PackID]bool), heirs: make(map[string][]byte),
	}
	if err := c.run(); err != nil {
		t.Fatal(err)
	}
	entries := make(map[string]*snapshot.Entry)
	for in := snapshot.NewListingReader(&out); ; {
		e, err := in.Next()
		if errors.Is(err, io.EOF) {
			return entries, c.report
		}
		if err != nil {
			t.Fatal(err)
		}
		entries[string(e.Path)] = e
	}
}

func mustWrite(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// holds fails the test unless the entry is a file of that content.
func holds(t *testing.T, e *snapshot.Entry, content string) {
	t.Helper()
	if e == nil || e.Type != snapshot.TypeFile || len(e.Chunks) != 1 || e.Chunks[0].ID != snapshot.IDOf([]byte(content)) || e.Size != int64(len(content)) {
		t.Errorf("not a file that holds %q: %+v", content, e)
	}
}

func TestOtherNamesOfAFileAreKeptWhenTheFirstVanishes(t *testing.T) {
	for _, replaced := range []bool{false, true} {
		root := t.TempDir()
		at := func(name string) string { return filepath.Join(root, name) }
		mustWrite(t, at("a"), "shared")
		for _, name := range []string{"b", "c", "d"} {
			if err := os.Link(at("a"), at(name)); err != nil {
				t.Fatal(err)
			}
		}
		entries, r := listed(t, root, func() {
			if err := errors.Join(os.Remove(at("a")), os.Remove(at("b"))); err != nil {
				t.Fatal(err)
			}
			if replaced {
				mustWrite(t, at("a"), "another")
				mustWrite(t, at("b"), "a third")
			}
		})
		holds(t, entries["papers/c"], "shared")
		if d := entries["papers/d"]; d == nil || d.Type != snapshot.TypeHardlink || string(d.Target) != "papers/c" {
			t.Errorf("the last name is %+v", d)
		}
		if replaced {
			holds(t, entries["papers/a"], "another")
			holds(t, entries["papers/b"], "a third")
		}
		if want := uint64(2); replaced && r.ProblemCount != 0 || !replaced && r.ProblemCount != want {
			t.Errorf("replaced %v: problems %v", replaced, r.Problems)
		}
	}
}

func TestFileSavedAnewMeanwhileIsReadAsItIs(t *testing.T) {
	root := t.TempDir()
	for i := range 3 {
		mustWrite(t, filepath.Join(root, fmt.Sprint(i)), "old")
	}
	entries, r := listed(t, root, func() {
		temp := filepath.Join(t.TempDir(), "temp")
		mustWrite(t, temp, "newer")
		if err := errors.Join(os.Chmod(temp, 0o640), os.Rename(temp, filepath.Join(root, "0")),
			os.Remove(filepath.Join(root, "1")), os.Symlink("/etc/passwd", filepath.Join(root, "1"))); err != nil {
			t.Fatal(err)
		}
	})
	holds(t, entries["papers/0"], "newer")
	holds(t, entries["papers/2"], "old")
	if entries["papers/0"].Mode != 0o640 {
		t.Errorf("it has the mode %04o", entries["papers/0"].Mode)
	}
	if len(r.Problems) != 1 || r.Problems[0].Path != "papers/1" || !errors.Is(r.Problems[0], localfs.ErrChanged) || entries["papers/1"] != nil {
		t.Errorf("problems %v", r.Problems)
	}
}
