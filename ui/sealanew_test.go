package ui_test

import (
	"os"
	"path/filepath"
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
	w.Check("Paste Text", true)
	w.Type("Text of the Manifest", tr.manifest)
	w.See("Its four words")
	w.Type("Passphrase", passphrase)
	w.Press("Unlock")
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
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	o, err := manifest.Open(data, []byte(passphrase))
	if err != nil {
		t.Fatal(err)
	}
	if o.Owner == nil || o.Owner.Pin == nil || o.Owner.Pin.Sequence != 2 || o.Owner.Generation <= tr.m.Generation {
		t.Errorf("the manifest that was shared is %+v", o.Owner)
	}
}
