package ui_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"hiddenbackup/core/manifest"
	"hiddenbackup/ui/uitest"
)

// Who holds a manifest that names a snapshot is told that there is a newer one,
// and can give away a manifest that names that: it opens with her passphrase.
func TestAManifestIsSharedAnewAfterABackup(t *testing.T) {
	tr := newTraveller(t, map[string]int{"work": 2}, map[string]string{"work/a": "a"})
	tr.write(map[string]string{"work/a": "a", "work/b": "b"})
	w := start(t, uitest.Options{Home: tr.home})
	w.Press("Back Up Before a Journey")
	w.Press("Back Up Again")
	tr.open(w)
	w.Press("Back Up Now")
	w.See("Snapshot 2 is complete", "name an older snapshot")
	w.CheckPage()
	w.Shot("report")
	w.Press("Share the Manifest Anew")
	w.See("sealed once more")
	w.Type("Passphrase", passphrase)
	w.Press("Unlock")
	w.See("Give the Manifest to People You Trust")
	file := filepath.Join(t.TempDir(), "anew.manifest")
	w.Press("Save the File…")
	w.SaveFile(file, "Save")
	w.See("Saved: ")
	o := opened(t, file)
	if o.Owner == nil || o.Owner.Pin == nil || o.Owner.Pin.Sequence != 2 || o.Owner.Generation <= tr.m.Generation {
		t.Errorf("the manifest that was shared is %+v", o.Owner)
	}
}

// Who has another folder to take along needs no other backup for it, and nothing
// of the one there is is sent again.
func TestFoldersOfABackupAreChanged(t *testing.T) {
	tr := newTraveller(t, map[string]int{"work": 1}, map[string]string{"work/a": "a"})
	tr.write(map[string]string{"work/a": "a", "Documents/b": "b", "Documents/c": "c"})
	w := start(t, uitest.Options{Home: tr.home})
	w.Press("Back Up Before a Journey")
	w.Press("Back Up Again")
	tr.open(w)
	w.Press("Choose Folders…")
	w.See("~/work", "~/Documents", "1 file, 1 byte")
	w.CheckPage()
	w.Press("Use These Folders") // as they were: nothing is to be sealed
	w.Press("Choose Folders…")
	w.Check("Documents", true)
	w.See("3 files, 3 bytes")
	w.Shot("folders")
	w.Press("Use These Folders")
	w.See("with the folders that you chose")
	w.Type("Passphrase", passphrase)
	w.Press("Unlock")
	w.See("Give the Manifest to People You Trust", "First save the manifest")
	w.Press("Back")
	w.See("Go back once more to leave it.")
	file := filepath.Join(t.TempDir(), "anew.manifest")
	w.Press("Save the File…")
	w.SaveFile(file, "Save")
	w.See("Saved: ")
	w.CheckPage()
	w.Press("Next")
	w.Press("Back Up Now")
	w.See("Snapshot 2 is complete", "3 files", "2 new")
	w.Shot("report")
	o := opened(t, file)
	want := []manifest.Folder{{Name: "work", Path: "~/work", Tier: 1}, {Name: "Documents", Path: "~/Documents", Tier: 2}}
	if o.Owner == nil || !slices.Equal(o.Owner.Folders, want) || o.Owner.Generation <= tr.m.Generation {
		t.Errorf("the manifest that was shared is %+v", o.Owner)
	}
}

func opened(t *testing.T, file string) *manifest.Opened {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	o, err := manifest.Open(data, []byte(passphrase))
	if err != nil {
		t.Fatal(err)
	}
	return o
}
