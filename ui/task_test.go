package ui_test

import (
	"context"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sync/errgroup"

	"hiddenbackup/core"
	"hiddenbackup/core/manifest"
	"hiddenbackup/core/node/nodetest"
	"hiddenbackup/ui/uitest"
)

// newOwner is somebody who has a manifest for her folder “papers”, and has not
// backed it up yet.
func newOwner(t *testing.T, files map[string]string) *traveller {
	t.Helper()
	needGrid(t)
	tr := &traveller{t: t, home: t.TempDir(), files: files}
	tr.write(files)
	grid, err := core.PracticeGrid(practice.dir)
	if err != nil {
		t.Fatal(err)
	}
	config := core.Config{Directory: nodetest.Dir(t), AllowDisk: true}
	tr.m, err = core.CreateManifest(t.Context(), config, core.Draft{Name: "Journey", Grid: grid,
		Folders: []manifest.Folder{{Name: "papers", Path: "~/papers", Tier: 1}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	tr.seal(tr.m)
	return tr
}

// open opens the manifest where the window asks for it.
func (tr *traveller) open(w *uitest.Window) {
	tr.t.Helper()
	w.See("Unlock the Manifest")
	w.Check("Paste Text", true)
	w.Type("Text of the Manifest", tr.manifest)
	w.See("Its four words")
	w.Type("Passphrase", passphrase)
	w.Press("Unlock")
}

// backUpAgain goes from home to a backup.
func (tr *traveller) backUpAgain(w *uitest.Window) {
	tr.t.Helper()
	w.Press("Back Up Before a Journey")
	w.Press("Back Up Again")
	tr.open(w)
	w.Press("Back Up Now")
	w.See("What is done is kept.")
}

// noise is content that no compression makes smaller.
func noise(megabytes int) string {
	text := make([]byte, megabytes<<20)
	rand.NewChaCha8([32]byte{byte(megabytes)}).Read(text)
	return string(text)
}

// packs are those that lie on the practice grid, or are on their way to it. What
// else is stored is small.
func packs() map[string]bool {
	found := make(map[string]bool)
	filepath.WalkDir(practice.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.Contains(path, "/shares/") || d.IsDir() {
			return nil // nodes move their files about
		}
		if info, err := d.Info(); err == nil && info.Size() > 100_000 {
			found[filepath.Base(filepath.Dir(path))] = true
		}
		return nil
	})
	return found
}

// waitForPacks waits until so many more packs are stored than there were, or on
// their way.
func waitForPacks(w *uitest.Window, before map[string]bool, n int) {
	w.Until("packs are on the grid", func() bool { return len(packs()) >= len(before)+n })
}

// hang makes all storage nodes hang, so that nothing gets further, until the
// function is called that it returns.
func hang(t *testing.T) (goOn func()) {
	t.Helper()
	for i := range practice.grid.Grid().Servers {
		if err := practice.grid.Suspend(i); err != nil {
			t.Fatal(err)
		}
	}
	goOn = func() {
		for i := range practice.grid.Grid().Servers {
			practice.grid.Resume(i)
		}
	}
	t.Cleanup(goOn)
	return goOn
}

var sent = regexp.MustCompile(`Sent: ([0-9.]+)\s*MB`)

// sentMegabytes is what the report says that a backup sent.
func sentMegabytes(t *testing.T, w *uitest.Window) float64 {
	t.Helper()
	m := sent.FindStringSubmatch(w.Text())
	if m == nil {
		t.Fatal("the report does not say how much was sent")
	}
	n, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// She stops a backup, closes the manifest, and takes it up again later: what was
// stored is not sent a second time.
func TestAStoppedBackupGoesOn(t *testing.T) {
	const megabytes = 52 // three packs and something
	tr := newOwner(t, map[string]string{"papers/film": noise(megabytes)})
	w := start(t, uitest.Options{Home: tr.home})
	before := packs()
	tr.backUpAgain(w)
	// Two are sent at a time, so the first is stored by then.
	waitForPacks(w, before, 3)
	goOn := hang(t)
	w.Press("Stop")
	w.See("Stopping…")
	w.Press("Back")
	w.See("Going on: Backing Up.")
	goOn()
	w.See("The Backup Has Ended")
	w.Press("Lock")
	w.Press("Show")
	w.See("Stopped", "the next backup goes on from there", "No snapshot was made of it.")
	w.CheckPage()
	w.Press("Try Again")
	tr.open(w)
	w.Press("Back Up Now")
	w.See("Snapshot 1 is complete", "It went on from where an earlier backup was cut off.")
	if n := sentMegabytes(t, w); n*1e6 > (megabytes-14)<<20 {
		t.Errorf("of %d MiB it sent %v MB after a pack was stored", megabytes, n)
	}
}

// Servers vanish while a backup is sent: the page says so, instead of a time that
// nobody knows, and it ends well when they are back. A grid that was away for
// longer than a minute is an end with a sentence and another try.
func TestServersVanishDuringABackup(t *testing.T) {
	tr := newOwner(t, map[string]string{"papers/film": noise(20)})
	w := start(t, uitest.Options{Home: tr.home})
	before := packs()
	tr.backUpAgain(w)
	waitForPacks(w, before, 1)
	gone := []int{0, 1}
	for _, i := range gone {
		if err := practice.grid.KillNode(i); err != nil {
			t.Fatal(err)
		}
	}
	back := sync.OnceFunc(func() {
		var all errgroup.Group
		for _, i := range gone {
			all.Go(func() error { return practice.grid.StartNode(context.Background(), i) })
		}
		if err := all.Wait(); err != nil {
			t.Error(err)
		}
	})
	defer back()
	w.See("4 of 6 servers answer. Restoring needs 3, backing up 5.", "1 more server has to answer.", "What is done is kept.")
	w.CheckPage()
	w.Shot("waiting")
	back()
	if w.SeeOne("Snapshot 1 is complete", "Try Again") == "Try Again" {
		w.See("Your files are unchanged; what is stored stays stored, and a backup continues from there.")
		w.Press("Try Again")
		w.Press("Back Up Now")
	}
	w.See("Snapshot 1 is complete", "1 file, 21.0 MB")
}

// The battery is taken out of a computer that goes on: what is killed in the
// middle of a backup takes everything with it, leaves nothing to read, and does
// not stand in the way of the next backup.
func TestKilledDuringABackup(t *testing.T) {
	const marker = "the name of the source"
	tr := newOwner(t, map[string]string{"papers/film": noise(20), "papers/notes": marker})
	w := start(t, uitest.Options{Home: tr.home})
	before := packs()
	tr.backUpAgain(w)
	waitForPacks(w, before, 1)
	processes := w.Processes()
	if len(processes) < 2 || len(w.Traces()) == 0 {
		t.Fatalf("%d processes and %v in memory: there is no gateway", len(processes), w.Traces())
	}
	w.Kill()
	w.WaitGone(processes)
	holdsNothing(t, w.Runtime, marker)
	if err := os.Rename(filepath.Join(tr.home, "papers"), filepath.Join(t.TempDir(), "papers")); err != nil {
		t.Fatal(err)
	}
	holdsNothing(t, tr.home, marker)
	tr.write(tr.files)

	w = start(t, uitest.Options{Home: tr.home, Runtime: w.Runtime})
	tr.backUpAgain(w)
	w.See("Snapshot 1 is complete", "2 files")
	w.Press("Home")
	w.Press("Lock")
	w.Until("the gateway is gone, and the dead one's traces", func() bool { return len(w.Traces()) == 0 })
	holdsNothing(t, w.Runtime, marker)
}

// holdsNothing fails if a file below dir has something in it that is nobody's
// business.
func holdsNothing(t *testing.T, dir string, more ...string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return nil // what is on its way out may be gone
		}
		text, _ := os.ReadFile(path)
		for _, secret := range append([]string{passphrase, "URI:", "pb://"}, more...) {
			if strings.Contains(string(text), secret) {
				t.Errorf("%s holds %q", path, secret)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// She closes the window and goes to pack. The desktop tells her that the backup
// goes on and how it ended, and nothing else; whoever opens the window then sees
// the end and finds the manifest locked. Where no desktop tells anything, the end
// waits for her as well.
func TestClosingTheWindowDuringATask(t *testing.T) {
	tr := newOwner(t, map[string]string{"papers/film": noise(20), "papers/who told me": "Anna"})
	w := start(t, uitest.Options{Home: tr.home})
	told := w.Notifications()
	before := packs()
	tr.backUpAgain(w)
	waitForPacks(w, before, 1)
	goOn := hang(t)
	w.Close()
	w.Until("she is told that it goes on", func() bool { return len(told.All()) == 1 })
	w.Open()
	w.See("Backing up", "What is done is kept.")
	w.Close()
	goOn()
	w.Until("she is told the end", func() bool { return len(told.All()) == 3 })
	goesOn := uitest.Notification{Title: "Backing Up", Text: "It goes on in the background. Open Hidden Backup again to see it."}
	want := []uitest.Notification{goesOn, goesOn, {Title: "The Backup Has Ended", Text: "Snapshot 1 is complete"}}
	if all := told.All(); !slices.Equal(all, want) {
		t.Errorf("the desktop was asked to show %q", all)
	}
	w.Until("the manifest is locked", func() bool { return len(w.Traces()) == 0 })
	w.Open()
	w.See("Snapshot 1 is complete", "2 files")
	w.CheckPage()
	if w.Shows("Lock", uitest.Button) {
		t.Error("the manifest is not locked")
	}
	w.Press("Ready to Wipe?")
	tr.open(w)
	w.See("Looking for proof…")
	w.See("The newest snapshot was not rehearsed.")
	w.Type("When are you back?", "24.12.1999")
	w.Press("Look Again")
	w.See("That date cannot be right.", "The newest snapshot was not rehearsed.")

	told.Close()
	w.Press("Back")
	w.Press("Home")
	w.Press("Check My Backup")
	w.Press("Next")
	w.Find("Check Now", uitest.Button)
	w.See("6 of 6 servers answer.")
	goOn = hang(t)
	w.Press("Check Now")
	w.See("What is done is kept.")
	w.Close()
	goOn()
	w.Until("the manifest is locked", func() bool { return len(w.Traces()) == 0 })
	w.Open()
	w.See("Everything Is Whole")
	w.Press("Home")
	w.See("Back Up Before a Journey")
	if w.Shows("Lock", uitest.Button) {
		t.Error("the manifest is not locked")
	}
}

// Files of the same name stand where hers shall go. Left alone, they stay as they
// are and she is told which; replaced, the backup's take their place; and what
// the backup does not know stays in any case.
func TestRestoreLeavesOrReplacesFiles(t *testing.T) {
	tr := newTraveller(t, map[string]int{"contacts": 1}, map[string]string{
		"contacts/anna.vcf": "Anna", "contacts/ben.vcf": "Ben", "contacts/list": "all", "contacts/same.vcf": "same",
	})
	hers := map[string]string{"anna.vcf": "somebody else", "list/of hers": "a folder in the way", "new.vcf": "Cleo", "same.vcf": "same"}
	for name, text := range hers {
		tr.write(map[string]string{"contacts/" + name: text})
	}
	w := start(t, uitest.Options{Home: tr.home})
	ready := func() {
		w.See("Step 3 of 6")
		w.Press("Next")
		w.See("Chosen: 4 files")
		w.Press("Next")
		w.See("Step 5 of 6")
		w.Press("Next")
		w.See("There are files already:", filepath.Join(tr.home, "contacts"))
	}
	tr.unlock(w)
	ready()
	w.Press("Restore")
	w.See("Restored, but Not Everything", "To replace them, restore again and choose Replace.",
		"Not restored: contacts/anna.vcf. A different file is already there.", "Not restored: contacts/list.")
	contacts := filepath.Join(tr.home, "contacts")
	left := maps.Clone(hers)
	left["ben.vcf"] = "Ben"
	tr.has(contacts, left)

	w.Press("Home")
	w.Press("Restore After a Journey")
	ready()
	w.Check("Replace files that differ", true)
	w.Press("Restore")
	w.See("Restored, but Not Everything", "Not restored: contacts/list.")
	w.Gone("Not restored: contacts/anna.vcf.")
	left["anna.vcf"] = "Anna"
	tr.has(contacts, left)
}

// A restore ends badly behind a closed window: who opens it again sees why, and
// continuing asks for the manifest first.
func TestContinuingARestoreThatEndedUnseen(t *testing.T) {
	tr := newTraveller(t, map[string]int{"contacts": 1}, map[string]string{"contacts/anna.vcf": "Anna"})
	system := t.TempDir()
	release := filepath.Join(system, "etc", "os-release")
	if err := os.Mkdir(filepath.Dir(release), 0o700); err != nil {
		t.Fatal(err)
	}
	w := start(t, uitest.Options{Home: tr.home, Env: []string{"TAILS_ROOT=" + system}})
	tr.unlock(w)
	w.Press("Next")
	w.See("Chosen: 1 file")
	w.Press("Next")
	w.See("Step 5 of 6")
	w.Press("Next")
	w.See("Nothing is there yet")
	// The restore looks first whether this is Tails: it gets an answer when the
	// window is closed.
	if err := syscall.Mkfifo(release, 0o600); err != nil {
		t.Fatal(err)
	}
	w.Press("Restore")
	var answer *os.File
	w.Until("the restore has begun", func() bool {
		var err error
		answer, err = os.OpenFile(release, os.O_WRONLY|syscall.O_NONBLOCK, 0)
		return err == nil
	})
	w.Close()
	another := restoring(t, tr.home)
	answer.Close()
	w.Until("the manifest is locked", func() bool { return len(w.Traces()) == 0 })
	w.Open()
	w.See("Another restore is writing to the same place", "What stands is complete.")
	w.CheckPage()
	another.Close()
	w.Press("Continue Restoring")
	tr.open(w)
	w.See("Step 3 of 6")
}

// restoring makes that place look as if another restore were writing to it, until
// the file is closed.
func restoring(t *testing.T, dir string) *os.File {
	t.Helper()
	mark, err := os.Create(filepath.Join(dir, ".hidden-backup-unfinished"))
	if err == nil {
		err = syscall.Flock(int(mark.Fd()), syscall.LOCK_EX)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { mark.Close() })
	return mark
}

// Without a mouse, and with eyes on the screen: from home to a backup and back
// home with the keyboard alone.
func TestWithTheKeyboardAlone(t *testing.T) {
	tr := newOwner(t, map[string]string{"papers/notes": "notes"})
	holder := filepath.Join(t.TempDir(), "my.manifest")
	if err := os.WriteFile(holder, []byte(tr.manifest), 0o600); err != nil {
		t.Fatal(err)
	}
	w := start(t, uitest.Options{Home: tr.home})
	on := func(name string) {
		t.Helper()
		if x := w.CheckFocus(); x.Name != name {
			t.Errorf("the keyboard is on %q, not on %q", x.Name, name)
		}
	}
	on("Back Up Before a Journey")
	w.Keys("Return")
	w.See("Back Up Again")
	on("Back Up Again")
	w.Keys("space")
	w.See("Unlock the Manifest")
	on("Choose the Manifest File")
	w.Keys("alt+f")
	w.Until("a file is asked for", func() bool { return w.Shows("Open", uitest.Button) })
	w.Keys("Escape")
	w.Until("nothing is asked for", func() bool { return !w.Shows("Open", uitest.Button) })
	w.Keys("alt+f")
	w.Until("a file is asked for", func() bool { return w.Shows("Open", uitest.Button) })
	w.Keys("slash")
	w.TypePath(holder)
	w.Keys("Return")
	w.See("Its four words")
	on("Passphrase")
	w.Write(passphrase)
	w.Keys("Return")
	w.See("6 of 6 servers answer.")
	on("Back Up Now")
	goOn := hang(t)
	w.Keys("Return")
	w.See("What is done is kept.")
	w.Keys("alt+Left")
	w.See("Going on: Backing Up.")
	w.Until("the keyboard is where something can be done", func() bool { x := w.Focused(); return x != nil && x.Name == "Show" })
	w.Keys("Return")
	w.See("What is done is kept.")
	on("Stop")
	goOn()
	w.See("Snapshot 1 is complete")
	on("Ready to Wipe?")
	w.Keys("alt+h")
	w.See("Back Up Before a Journey")
	on("Back Up Before a Journey")
}
