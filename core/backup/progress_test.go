package backup_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"hiddenbackup/core/backup"
	"hiddenbackup/core/progress"
	"hiddenbackup/core/snapshot"
)

// What the bars and the numbers show of a run fits what the report says at its
// end, for a first backup and for one in which little is new.
func TestTheProgressOfARunEndsAtItsReport(t *testing.T) {
	v, _ := newVault(t)
	root := t.TempDir()
	write(t, filepath.Join(root, "b/one"), make([]byte, 3<<20))
	write(t, filepath.Join(root, "b/sub/two"), []byte("two"))
	write(t, filepath.Join(root, "a/three"), []byte("three"))
	if err := os.Link(filepath.Join(root, "a/three"), filepath.Join(root, "a/other name")); err != nil {
		t.Fatal(err)
	}
	o := backup.Options{}
	for _, name := range []string{"b", "a"} {
		o.Folders = append(o.Folders, backup.Folder{Folder: snapshot.Folder{Name: name, Path: "~/" + name}, Root: filepath.Join(root, name)})
	}
	for range 2 {
		tracker := new(progress.Tracker)
		r, err := backup.Run(t.Context(), v, o, tracker)
		if err != nil {
			t.Fatal(err)
		}
		s := tracker.Status()
		if s.Files != int64(r.Info.Totals.Files) || s.FilesTotal != s.Files || s.Bytes != int64(r.Info.Totals.Bytes) || s.BytesTotal != s.Bytes {
			t.Errorf("it ends at %+v, and the report says %+v", s, r.Info.Totals)
		}
		if s.Sending != 0 {
			t.Errorf("%d bytes are still on their way", s.Sending)
		}
		if want := []int64{5, 3<<20 + 3}; !slices.Equal(s.Folders, want) {
			t.Errorf("the folders are %v, want %v: by name", s.Folders, want)
		}
		write(t, filepath.Join(root, "b/one"), append(make([]byte, 3<<20-1), 1))
	}
}
