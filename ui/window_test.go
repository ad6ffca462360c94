package ui_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hiddenbackup/core"
	"hiddenbackup/core/manifest"
	"hiddenbackup/tahoeclient"
	"hiddenbackup/ui/uitest"
)

// description is what somebody who runs the practice grid would hand out.
func description(t *testing.T) string {
	t.Helper()
	grid, err := core.PracticeGrid(practice.dir)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := manifest.NewSecret(nil)
	if err != nil {
		t.Fatal(err)
	}
	vault, err := tahoeclient.ParseCap("URI:DIR2-RO:" + strings.Repeat("a", 26) + ":" + strings.Repeat("a", 52))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := manifest.EncodePlain(&manifest.Reader{Name: "any", Generation: 1, Created: time.Now().UTC().Truncate(time.Second), Grid: grid, Vault: vault, RootSecret: secret})
	if err != nil {
		t.Fatal(err)
	}
	var document struct {
		Grid json.RawMessage `json:"grid"`
	}
	if err := json.Unmarshal(plain, &document); err != nil || len(document.Grid) == 0 {
		t.Fatalf("no grid in %q: %v", plain, err)
	}
	return string(document.Grid)
}

// The promise as a whole, with nothing but the window: create, back up, wipe
// everything, and restore on a blank computer from the manifest's file and what
// is in her head.
func TestAJourneyThroughTheWindow(t *testing.T) {
	needGrid(t)
	files := map[string]string{
		"Documents/contacts.vcf":     "BEGIN:VCARD\nFN:Anna\nEND:VCARD\n",
		"Documents/story/chapter 1":  strings.Repeat("It was a dark night. ", 10_000),
		"Documents/.hidden/settings": "all",
		"Documents/story/empty":      "",
		"Documents/Ünïcødé/日本語.txt":  "names",
	}
	before := &traveller{t: t, home: t.TempDir(), files: files}
	before.write(files)
	// As a desktop has it.
	before.write(map[string]string{".config/user-dirs.dirs": "XDG_DOCUMENTS_DIR=\"$HOME/Documents\"\n"})
	w := start(t, uitest.Options{Home: before.home})
	page := func(name string) {
		w.CheckPage()
		w.Shot(name)
	}
	page("home")
	w.Press("Back Up Before a Journey")
	page("start")
	w.Press("Make a New Backup")
	w.See("Step 1 of 5")
	w.Type("Invites, Description or Addresses of the Grid", description(t))
	page("grid")
	w.Press("Next")
	w.See("Step 2 of 5", "5 files, ")
	page("folders")
	w.Press("Next")
	w.See("Step 3 of 5", "bits: beyond any guessing")
	page("passphrase")
	words := generated(t, w)
	w.Press("I Know It")
	w.Type("Passphrase, From Memory", "walrus lantern")
	w.Press("Make the Manifest")
	w.See("That was not it.")
	w.Type("Passphrase, From Memory", words)
	page("typeback")
	w.Press("Make the Manifest")
	w.See("Step 4 of 5", "First save the manifest, copy it or show it")
	page("share")
	holder := filepath.Join(t.TempDir(), "from-anna.manifest")
	w.Press("Save the File…")
	w.SaveFile(holder, "Save")
	w.See("Saved: ", "delete it here")
	w.Press("Next")
	w.See("6 servers", "Step 5 of 5")
	page("servers")
	w.Press("Back Up Now")
	w.See("Snapshot 1 is complete", "5 files, ")
	page("report")
	w.Kill()

	after := &traveller{t: t, home: t.TempDir(), files: files}
	w = start(t, uitest.Options{Home: after.home})
	w.Press("Restore After a Journey")
	w.Press("Choose the Manifest File")
	w.ChooseFile(holder, "Open")
	w.See("Its four words")
	w.Type("Passphrase", words)
	w.Press("Unlock")
	w.See("Step 3 of 6")
	w.Press("Next")
	w.See("Chosen: 5 files")
	w.Press("Next")
	w.See("Step 5 of 6")
	w.Press("Next")
	w.See("Nothing is there yet")
	w.Press("Restore")
	w.See("Everything Is Back", "Restored 5 files")
	got := t.TempDir()
	if err := os.Rename(filepath.Join(after.home, "Documents"), filepath.Join(got, "Documents")); err != nil {
		t.Fatal(err)
	}
	after.has(got, files)
}

// generated reads the seven words off the page, as she does.
func generated(t *testing.T, w *uitest.Window) string {
	t.Helper()
	for _, x := range w.Shown() {
		if words := strings.Fields(x.Name); x.Role == uitest.Label && len(words) == 7 && strings.ToLower(x.Name) == x.Name {
			return x.Name
		}
	}
	t.Fatal("no passphrase is shown")
	return ""
}
