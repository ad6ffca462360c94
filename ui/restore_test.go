package ui_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hiddenbackup/core"
	"hiddenbackup/core/manifest"
	"hiddenbackup/core/node/nodetest"
	"hiddenbackup/tahoeclient"
	"hiddenbackup/ui/uitest"
)

const passphrase = "walrus lantern mountain gravel pliable outfit sandbox"

// traveller is somebody who has backed up and wiped.
type traveller struct {
	t        *testing.T
	home     string
	files    map[string]string // below home, as they were
	m        *manifest.Manifest
	manifest string // its text form, sealed
}

// newTraveller backs up the files with core, each folder of home with its tier,
// and wipes them.
func newTraveller(t *testing.T, tiers map[string]int, files map[string]string) *traveller {
	t.Helper()
	needGrid(t)
	tr := &traveller{t: t, home: t.TempDir(), files: files}
	t.Setenv("HOME", tr.home)
	tr.write(files)
	grid, err := core.PracticeGrid(practice.dir)
	if err != nil {
		t.Fatal(err)
	}
	d := core.Draft{Name: "Journey", Grid: grid}
	for name, tier := range tiers {
		if err := os.MkdirAll(filepath.Join(tr.home, name), 0o700); err != nil {
			t.Fatal(err)
		}
		d.Folders = append(d.Folders, manifest.Folder{Name: name, Path: "~/" + name, Tier: tier})
	}
	config := core.Config{Directory: nodetest.Dir(t), AllowDisk: true}
	m, err := core.CreateManifest(t.Context(), config, d, nil)
	if err != nil {
		t.Fatal(err)
	}
	tr.m = tr.backup(config, m)
	tr.seal(tr.m)
	for name := range tiers {
		if err := os.RemoveAll(filepath.Join(tr.home, name)); err != nil {
			t.Fatal(err)
		}
	}
	return tr
}

// backup backs up what m says and returns it pinned.
func (tr *traveller) backup(config core.Config, m *manifest.Manifest) *manifest.Manifest {
	tr.t.Helper()
	access, err := core.NewAccess(&manifest.Opened{Power: manifest.PowerOwner, Owner: m,
		Reader: &manifest.Reader{Name: m.Name, Grid: m.Grid, Vault: m.Vault, RootSecret: m.RootSecret, Folders: m.Folders}})
	if err != nil {
		tr.t.Fatal(err)
	}
	g, err := core.Connect(tr.t.Context(), config, access, nil)
	if err != nil {
		tr.t.Fatal(err)
	}
	defer g.Close()
	r, err := g.Backup(tr.t.Context(), config, core.BackupPlan{}, nil)
	if err != nil || r.ProblemCount != 0 {
		tr.t.Fatalf("backing up: %v, %v", err, r.Problems)
	}
	pinned, err := g.Pin(r)
	if err != nil {
		tr.t.Fatal(err)
	}
	return pinned
}

func (tr *traveller) seal(m *manifest.Manifest) {
	tr.t.Helper()
	sealed, err := manifest.Seal(m, []byte(passphrase), nil)
	if err != nil {
		tr.t.Fatal(err)
	}
	text, err := manifest.Armour(sealed)
	if err != nil {
		tr.t.Fatal(err)
	}
	tr.manifest = string(text)
}

func (tr *traveller) write(files map[string]string) {
	tr.t.Helper()
	for name, text := range files {
		name = filepath.Join(tr.home, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			tr.t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			tr.t.Fatal(err)
		}
	}
}

// has compares what is below dir with the files, and their names with all that
// is there.
func (tr *traveller) has(dir string, files map[string]string) {
	tr.t.Helper()
	there := 0
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		there++
		return nil
	})
	if err != nil || there != len(files) {
		tr.t.Errorf("%d files came back, not %d; %v", there, len(files), err)
	}
	for name, text := range files {
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || string(got) != text {
			tr.t.Errorf("%s came back as %d bytes, not %d; %v", name, len(got), len(text), err)
		}
	}
}

// unlock goes from home to the snapshots.
func (tr *traveller) unlock(w *uitest.Window) {
	tr.t.Helper()
	w.Press("Restore After a Journey")
	w.See("Step 1 of 6")
	w.Check("Paste Text", true)
	w.Type("Text of the Manifest", tr.manifest)
	w.See("Its four words")
	w.Type("Passphrase", passphrase)
	w.Press("Unlock")
	w.See("Step 3 of 6")
}

var journey = map[string]string{
	"contacts/anna.vcf":       "BEGIN:VCARD\nFN:Anna\nEND:VCARD\n",
	"contacts/b/ben.vcf":      "BEGIN:VCARD\nFN:Ben\nEND:VCARD\n",
	"archive/2025/report.txt": strings.Repeat("A long report. ", 20_000),
	"archive/notes.txt":       "notes",
}

var journeyTiers = map[string]int{"contacts": 1, "archive": 3}

// The whole way as a person goes it: a wrong passphrase first, each page looked
// at, and every byte compared at the end.
func TestRestoreEverythingThroughTheWindow(t *testing.T) {
	tr := newTraveller(t, journeyTiers, journey)
	w := start(t, uitest.Options{Home: tr.home})
	page := func(name string) {
		w.CheckPage()
		w.Shot(name)
	}
	page("home")
	w.Press("Restore After a Journey")
	w.See("Step 1 of 6")
	page("unlock")
	w.Check("Paste Text", true)
	w.Type("Text of the Manifest", tr.manifest)
	w.See("Its four words")
	w.Type("Passphrase", "walrus lantern mountain gravel pliable outfit castle")
	w.Press("Unlock")
	w.See("the passphrase is wrong, or the file is damaged")
	page("wrong")
	w.Press("Close This Message")
	w.Type("Passphrase", passphrase)
	w.Press("Unlock")
	w.See("Step 3 of 6", "The newest, and the one your manifest names.")
	page("snapshot")
	w.Press("Next")
	w.See("Step 4 of 6", "Chosen: 4 files")
	page("what")
	w.Press("Next")
	w.See("Step 5 of 6", filepath.Join(tr.home, "contacts"))
	page("where")
	w.Press("Next")
	w.See("Step 6 of 6", "Nothing is there yet")
	page("ready")
	w.Press("Restore")
	w.See("Everything Is Back", "Restored 4 files", "compared with its checksum")
	page("report")
	got := t.TempDir()
	for name := range journeyTiers {
		if err := os.Rename(filepath.Join(tr.home, name), filepath.Join(got, name)); err != nil {
			t.Fatal(err)
		}
	}
	tr.has(got, journey)
	w.Press("Home")
	w.See("Back Up Before a Journey")
}

// madeUpTails is a Tails with an unlocked Persistent Storage in which nothing is
// switched on, and a tool to change that.
func madeUpTails(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range map[string]string{
		"etc/os-release":      "ID=\"tails\"\n",
		"proc/self/mountinfo": "2 1 0:2 / /live/persistence/TailsData_unlocked rw - ext4 /dev/dm-0 rw\n",
		"usr/share/applications/org.boum.tails.PersistentStorage.desktop": "[Desktop Entry]\nType=Application\nName=Persistent Storage\nExec=touch " + filepath.Join(root, "opened") + "\n",
	} {
		name = filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// On Tails, with large letters on a dark screen, from right to left: some files
// only, into a folder of her choice, in which some stand already.
func TestRestoreSomeFilesWhereOthersStand(t *testing.T) {
	tr := newTraveller(t, journeyTiers, journey)
	tails := madeUpTails(t)
	w := start(t, uitest.Options{Home: tr.home, TextScale: 1.5, Dark: true, Locale: "ar_EG", Env: []string{"TAILS_ROOT=" + tails}})
	page := func(name string) {
		w.CheckPage()
		w.Shot(name)
	}
	tr.unlock(w)
	page("snapshot")
	w.Press("Next")
	w.See("Chosen: 4 files")
	w.Toggle("contacts/")
	w.See("Chosen: 2 files")
	page("what")
	w.Check("First Hour: 2 files, 59 bytes", true)
	w.See("Chosen: 4 files")
	w.Check("Rest: 2 files, 300.0 kB", false)
	w.See("Chosen: 2 files, 59 bytes")
	w.Press("Next")
	w.See("Step 5 of 6")
	w.Check("Into one folder, where I choose", true)
	target := filepath.Join(tr.home, "here")
	tr.write(map[string]string{"here/contacts/anna.vcf": "mine"})
	w.Press("Choose the Folder…")
	w.ChooseFile(target, "Choose")
	w.See(filepath.Join(target, "contacts"))
	w.See("Not in the Persistent Storage, so gone when Tails shuts down: contacts.")
	page("where")
	w.Press("Open Persistent Storage")
	w.Until("Tails' own tool was opened", func() bool { _, err := os.Stat(filepath.Join(tails, "opened")); return err == nil })
	w.Press("Next")
	w.See("There are files already:", filepath.Join(target, "contacts"))
	page("ready")
	w.Press("Restore")
	w.See("Restored, but Not Everything", "Printers: Add your printers in Settings.")
	page("report")
	w.ScrollDown()
	w.See("Not restored: contacts/anna.vcf. A different file is already there.")
	tr.has(target, map[string]string{"contacts/anna.vcf": "mine", "contacts/b/ben.vcf": journey["contacts/b/ben.vcf"]})
}

// nowhere is a directory that no server has heard of.
func nowhere(t *testing.T, c tahoeclient.Cap) tahoeclient.Cap {
	t.Helper()
	key := []byte(c.Secret())
	at := len("URI:DIR2:")
	if key[at]++; key[at] > 'z' || key[at] < 'a' {
		key[at] = 'a'
	}
	other, err := tahoeclient.ParseCap(string(key))
	if err != nil {
		t.Fatal("the capability cannot be changed")
	}
	return other
}

// The grid is older than the manifest's own snapshot, or somebody hides the newer
// state: that snapshot is enough, and she is told.
func TestRestoreFromAGridThatHidesTheSnapshot(t *testing.T) {
	tr := newTraveller(t, journeyTiers, journey)
	m := *tr.m
	m.Vault = nowhere(t, m.Vault)
	tr.seal(&m)
	w := start(t, uitest.Options{Home: tr.home})
	tr.unlock(w)
	w.See("The grid shows an older state than your manifest names.", "The newest, and the one your manifest names.")
	w.CheckPage()
	w.Shot("older")
	w.Press("Next")
	w.Press("Next")
	w.See("Step 5 of 6")
	w.Press("Next")
	w.Press("Restore")
	w.See("Everything Is Back")
}

// Too few servers: the page says how many answer, waits, and goes on by itself
// when they are back.
func TestRestoreWaitsForServers(t *testing.T) {
	tr := newTraveller(t, map[string]int{"contacts": 1}, map[string]string{"contacts/anna.vcf": "Anna"})
	for i := range 4 {
		if err := practice.grid.KillNode(i); err != nil {
			t.Fatal(err)
		}
	}
	dead := 4
	defer func() {
		for ; dead > 0; dead-- {
			if err := practice.grid.StartNode(context.Background(), dead-1); err != nil {
				t.Error(err)
			}
		}
	}()
	w := start(t, uitest.Options{Home: tr.home})
	w.Press("Restore After a Journey")
	w.Check("Paste Text", true)
	w.Type("Text of the Manifest", tr.manifest)
	w.See("Its four words")
	w.Type("Passphrase", passphrase)
	w.Press("Unlock")
	w.See("Step 2 of 6", "2 of 6 storage servers answer; 3 are enough.")
	w.CheckPage()
	w.Shot("waiting")
	dead--
	if err := practice.grid.StartNode(t.Context(), dead); err != nil {
		t.Fatal(err)
	}
	w.See("Step 3 of 6")
}
