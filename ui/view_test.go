package ui

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gotk3/gotk3/glib"

	"hiddenbackup/core"
	"hiddenbackup/core/backup"
	"hiddenbackup/core/manifest"
	"hiddenbackup/core/progress"
	"hiddenbackup/core/snapshot"
	"hiddenbackup/core/tails"
)

// What a page says is decided without a window: these are the decisions.

func TestAFileNameCannotPretendToBeSomethingElse(t *testing.T) {
	for path, want := range map[string]string{
		"papers/Übersicht 1.txt":      "papers/Übersicht 1.txt",
		"a\x1b[2Jb":                   `"a\x1b[2Jb"`,
		"two\nlines":                  `"two\nlines"`,
		"not utf8 \xff":               `"not utf8 \xff"`,
		"right to left \u202etxt.exe": `"right to left \u202etxt.exe"`,
	} {
		if got := shown(path); got != want {
			t.Errorf("%q is shown as %s, want %s", path, got, want)
		}
	}
	if got := short(strings.Repeat("long/", 100)+"end.txt", 20); len([]rune(got)) != 20 || !strings.HasSuffix(got, "end.txt") {
		t.Errorf("a long path is shown as %q", got)
	}
}

func TestNumbersReadAsPeopleWriteThem(t *testing.T) {
	for n, want := range map[int64]string{0: "0 bytes", 1: "1 byte", 999: "999 bytes", 1000: "1.0 kB", 37_300_000: "37.3 MB", 999_960: "1.0 MB", 1 << 60: "1.2 EB"} {
		if got := size(n); got != want {
			t.Errorf("size(%d) = %s, want %s", n, got, want)
		}
	}
	for d, want := range map[time.Duration]string{0: "less than a second", time.Second: "1 second", 59 * time.Second: "59 seconds", 90 * time.Second: "2 minutes", 3 * time.Hour: "3 hours"} {
		if got := span(d); got != want {
			t.Errorf("span(%s) = %s, want %s", d, got, want)
		}
	}
	if got := count(1234567); got != "1\u202f234\u202f567" {
		t.Errorf("count = %q", got)
	}
}

func TestProgressPromisesNothingItDoesNotKnow(t *testing.T) {
	v := viewOf(progress.Status{Left: -1})
	if v.fraction != -1 || v.time != "" || v.rate != "" || v.amount != "" {
		t.Errorf("of nothing it shows %+v", v)
	}
	v = viewOf(progress.Status{Phase: progress.PhaseFiles, Entries: 5, EntriesTotal: 10, Files: 2, FilesTotal: 7, Bytes: 250, BytesTotal: 1000, Rate: 50, Left: 18 * time.Second, Elapsed: 5 * time.Second, Problems: 1})
	if v.fraction != 0.25 || v.time != "About 20 seconds left" || v.rate != "Now: 50 bytes/s" || v.phase != "Backing up" || v.problems == "" {
		t.Errorf("halfway it shows %+v", v)
	}
	// The page before and the page after count files, not folders.
	if v.amount != "2 of 7 files, 250 bytes of 1.0 kB" {
		t.Errorf("halfway it counts %q", v.amount)
	}
	if v := viewOf(progress.Status{Phase: progress.PhaseFiles, Bytes: 250, BytesTotal: 1000, Left: -1, Elapsed: time.Second}); v.time != "Estimating the time left…" || v.rate != "Now: waiting for the servers" {
		t.Errorf("while nobody can know it shows %+v", v)
	}
	// Read is not stored: on a slow line that is minutes apart.
	v = viewOf(progress.Status{Phase: progress.PhaseFiles, Files: 7, FilesTotal: 7, Bytes: 1000, BytesTotal: 1000, Sending: 800, Left: 10 * time.Minute, Elapsed: time.Minute})
	if v.fraction != 0.6 || v.time != "About 10 minutes left" || !strings.Contains(v.amount, "800 bytes are on their way") {
		t.Errorf("while it still sends it shows %+v", v)
	}
	// A folder may grow while it is backed up: the bar must not leave its place.
	if v := viewOf(progress.Status{Bytes: 2000, BytesTotal: 1000}); v.fraction != 1 {
		t.Errorf("beyond the end it shows %v", v.fraction)
	}
}

func TestBarsFillOneAfterAnother(t *testing.T) {
	parts := []part{{"a", 100}, {"b", 200}, {"a", 100}, {"empty", 0}}
	for done, want := range map[int64][]bar{
		0:   {{"a", 0}, {"b", 0}, {"empty", 0}},
		50:  {{"a", 0.25}, {"b", 0}, {"empty", 0}},
		200: {{"a", 0.5}, {"b", 0.5}, {"empty", 0}},
		400: {{"a", 1}, {"b", 1}, {"empty", 1}},
		900: {{"a", 1}, {"b", 1}, {"empty", 1}},
	} {
		if got := barsOf(done, parts); !slices.Equal(got, want) {
			t.Errorf("with %d done the bars show %v, want %v", done, got, want)
		}
	}
}

// Before everything is counted nothing is known, and nothing is done.
func TestBarsAreEmptyUntilTheFoldersAreCounted(t *testing.T) {
	if got, want := barsOf(0, []part{{"a", 0}, {"b", 0}}), []bar{{"a", 0}, {"b", 0}}; !slices.Equal(got, want) {
		t.Errorf("they show %v, want %v", got, want)
	}
}

func TestATimeLeftIsRounded(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "10 seconds", 14 * time.Second: "10 seconds", 57 * time.Second: "1 minute", 89 * time.Second: "1 minute",
		13*time.Minute + 29*time.Second: "13 minutes", 23 * time.Minute: "25 minutes", 3*time.Hour + 20*time.Minute: "3 hours",
	} {
		if got := span(roughly(d)); got != want {
			t.Errorf("%s is shown as %s, want %s", d, got, want)
		}
	}
}

// A date as people write it, and never one that could mean another day.
func TestTheDayOfAReturnIsUnderstoodOrRefused(t *testing.T) {
	now := time.Date(2026, 12, 1, 10, 0, 0, 0, time.Local)
	for text, want := range map[string]string{
		"2026-12-31": "2026-12-31", "31.12.2026": "2026-12-31", "1.2.2027": "2027-02-01", "2026-12-01": "2026-12-01",
		"2026-11-29": "", "01/02/2027": "", "31.12.26": "", "2027-02-30": "", "soon": "",
	} {
		day, err := returnOn(text, now)
		if got := day.Format(time.DateOnly); want == "" && !errors.Is(err, core.ErrDate) || want != "" && (err != nil || got != want) {
			t.Errorf("%q is %s, %v", text, got, err)
		}
	}
}

func TestThePictureOfTheRateKeepsAMinute(t *testing.T) {
	job := &task{}
	for i := range 1000 {
		job.note(progress.Status{Rate: float64(i)})
	}
	if got := highestText(job.rates); !strings.Contains(got, "999 bytes/s") {
		t.Errorf("its top is called %q", got)
	}
	if len(job.rates) != mostRates || job.rates[mostRates-1] != 999 {
		t.Errorf("%d rates are kept, the last is %v", len(job.rates), job.rates[len(job.rates)-1])
	}
}

// She sees the cause, not what follows from it, and cannot begin before enough
// servers answer.
func TestTheGridSaysTheCause(t *testing.T) {
	servers := make([]core.ServerStatus, 6)
	with := func(usable int) core.Status {
		return core.Status{Servers: servers, Usable: usable, Needed: 3, Happy: 5, Total: 6, ToWrite: 5}
	}
	for _, c := range []struct {
		name   string
		state  gridState
		enough bool
		failed bool
		says   string
	}{
		{"no gateway yet", gridState{phase: progress.PhaseConnect}, false, false, "Waiting for the connection."},
		{"the gateway did not start", gridState{startFailed: core.ErrRunning, status: with(6), up: true}, false, true, "Another backup"},
		{"no answer of the gateway", gridState{up: true, askFailed: errors.New("gone"), status: with(6)}, false, false, "Waiting for the gateway."},
		{"no tor", gridState{up: true, status: core.Status{TorAway: core.ErrTooFewServers, Servers: servers, Usable: 6}}, false, false, "Waiting for Tor."},
		{"no server", gridState{up: true}, false, false, "No server has answered yet."},
		{"too few to back up", gridState{up: true, writes: true, status: with(4)}, false, false, "1 more server"},
		{"enough to restore", gridState{up: true, status: with(4)}, true, false, ""},
		{"enough to back up", gridState{up: true, writes: true, status: with(5)}, true, false, ""},
	} {
		v := viewOfGrid(c.state)
		if v.enough != c.enough || v.failed != c.failed || !strings.Contains(v.reason, c.says) || (v.reason == "") != c.enough {
			t.Errorf("%s: %+v", c.name, v)
		}
	}
}

func TestServersSayHowTheyAre(t *testing.T) {
	for want, s := range map[string]core.ServerStatus{
		"does not answer":                    {AvailableSpace: -1},
		"connected, takes nothing more":      {Connected: true},
		"connected, 2.0 GB free":             {Connected: true, AvailableSpace: 2e9},
		"connected":                          {Connected: true, AvailableSpace: -1},
		"connected, but silent for 1 minute": {Connected: true, Silent: true, LastHeard: time.Now().Add(-time.Minute)},
	} {
		if got := serverText(s); got != want {
			t.Errorf("%+v is %q, want %q", s, got, want)
		}
	}
}

// The list has the order of the picture above it.
func TestSinceWhenAServerIsConnected(t *testing.T) {
	since, start := connectedSince{}, time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	a, b := core.ServerStatus{Name: "a", Connected: true}, core.ServerStatus{Name: "b"}
	since.note([]core.ServerStatus{a, b}, start)
	since.note([]core.ServerStatus{a, b}, start.Add(time.Minute))
	if !since["a"].Equal(start) || !since["b"].IsZero() {
		t.Errorf("connected since %v", since)
	}
	a.Connected = false // and it comes back
	since.note([]core.ServerStatus{a}, start.Add(2*time.Minute))
	a.Connected = true
	since.note([]core.ServerStatus{a}, start.Add(3*time.Minute))
	if !since["a"].Equal(start.Add(3 * time.Minute)) {
		t.Errorf("connected since %v", since)
	}
}

func TestServersThatAnswerStandFirst(t *testing.T) {
	list := []core.ServerStatus{{Name: "a"}, {Name: "d", Connected: true}, {Name: "c", Connected: true, Silent: true}, {Name: "b", Connected: true}}
	var names string
	for _, s := range ordered(list) {
		names += s.Name
	}
	if names != "bdca" || list[0].Name != "a" {
		t.Errorf("they stand as %q", names)
	}
}

// The last step is the backup, whatever way leads to it.
func TestEachWayToABackupCountsItsOwnSteps(t *testing.T) {
	for _, c := range []struct {
		from  creation
		steps []string
	}{
		{creation{}, []string{"Step 1 of 5", "Step 2 of 5", "Step 3 of 5", "Step 4 of 5", "Step 5 of 5"}},
		{creation{practice: true}, []string{"", "Step 1 of 4", "Step 2 of 4", "Step 3 of 4", "Step 4 of 4"}},
	} {
		for i, want := range c.steps {
			if got := c.from.step(stepGrid + i); want != "" && got != want {
				t.Errorf("with practice %v step %d is %q, want %q", c.from.practice, i, got, want)
			}
		}
	}
}

func TestABackupClaimsOnlyWhatWasProven(t *testing.T) {
	done := backup.Report{Info: snapshot.Info{Sequence: 4}}
	if o := backupOutcome(done, nil); !o.good || !strings.Contains(o.proof, "read back") {
		t.Errorf("a good one says %+v", o)
	}
	skipped := done
	skipped.ProblemCount, skipped.Problems = 1, []backup.Problem{{Path: "a\nb", Err: backup.ErrChanging}}
	if o := backupOutcome(skipped, nil); o.good || len(o.problems) != 1 || !strings.Contains(o.problems[0], `"a\nb"`) {
		t.Errorf("with a file that was skipped it says %+v", o)
	}
	for _, err := range []error{context.Canceled, core.ErrTooFewServers, errors.New("unknown")} {
		if o := backupOutcome(done, err); o.good || strings.Contains(o.proof, "read back") || o.title == "" {
			t.Errorf("after %v it says %+v", err, o)
		}
	}
}

func TestAFailedRehearsalIsNotGood(t *testing.T) {
	if o := rehearsalOutcome(core.RehearsalReport{}, nil); o.good || !strings.Contains(o.title, "Failed") {
		t.Errorf("it says %+v", o)
	}
	if o := rehearsalOutcome(core.RehearsalReport{Passed: true}, core.ErrNoRoom); o.good {
		t.Errorf("one that did not come to its end says %+v", o)
	}
	if o := rehearsalOutcome(core.RehearsalReport{Passed: true, Full: true}, nil); !o.good {
		t.Errorf("one that passed says %+v", o)
	}
}

// A backup goes through the folders by their names; the bars stand by tiers.
func TestBarsAreInTheOrderOfTheBackup(t *testing.T) {
	parts := sized(folderParts([]manifest.Folder{{Name: "work", Tier: 1}, {Name: "Documents"}}), []int64{2, 1})
	if want := []part{{tierName(1), 0}, {tierName(2), 0}, {tierName(2), 2}, {tierName(1), 1}}; !slices.Equal(parts, want) {
		t.Errorf("they are %v, want %v", parts, want)
	}
}

// Every item of the list has a sentence for both of its states, and a page.
func TestReadyHasASentenceForEverything(t *testing.T) {
	for _, item := range core.Items {
		for name, r := range map[string]*core.Readiness{"nothing": {Wanted: 2}, "a snapshot": {Newest: snapshot.Info{Sequence: 1}, Wanted: 2, Practice: true}} {
			if r.Green(item) {
				t.Errorf("%s is green with %s", item, name)
			}
			if readyText(r, item) == "" {
				t.Errorf("%s says nothing with %s", item, name)
			}
		}
	}
}

// On another system than Tails the desktop's folders are offered; on Tails what
// its Persistent Storage keeps, and what nobody can back up is said.
func TestTheOfferOfFolders(t *testing.T) {
	root := t.TempDir()
	tails.SetTestSystem(t, root, "/home/amnesia")
	desktop := []preset{{title: "Documents", path: "/home/x/Documents"}}
	if o := offerOf(context.Background(), desktop); len(o.presets) != 1 || o.leftOut != "" {
		t.Errorf("elsewhere it offers %+v", o)
	}
	makeTails(t, root)
	o := offerOf(context.Background(), desktop)
	if len(o.presets) != 1 || o.presets[0].path != "~/Persistent" || !o.presets[0].chosen {
		t.Errorf("on Tails it offers %+v", o.presets)
	}
	if !strings.Contains(o.leftOut, "Network Connections") {
		t.Errorf("it does not say that Wi-Fi passwords are left out: %q", o.leftOut)
	}
}

// Some desktops never say where their folders are: those of the usual names are
// offered, if they are there.
func TestFoldersAreOfferedWhereNoFileNamesThem(t *testing.T) {
	home := t.TempDir()
	for _, name := range []string{"Documents", "Pictures", "Bilder"} {
		if err := os.Mkdir(filepath.Join(home, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	paths := func(list []preset) (names []string) {
		for _, p := range list {
			names = append(names, p.title)
		}
		return names
	}
	list := presetsIn(home, nil)
	if got := paths(list); !slices.Equal(got, []string{"Documents", "Pictures"}) || !list[0].chosen || list[1].chosen {
		t.Errorf("nothing is said, and it offers %+v", list)
	}
	said := map[glib.UserDirectory]string{
		glib.USER_DIRECTORY_PICTURES: filepath.Join(home, "Bilder"), glib.USER_DIRECTORY_DOCUMENTS: home, glib.USER_DIRECTORY_MUSIC: "/nonexistent",
	}
	if got := paths(presetsIn(home, said)); !slices.Equal(got, []string{"Bilder"}) {
		t.Errorf("what is said is not followed: it offers %v", got)
	}
}

// What another program drops is its own word.
func TestOnlyAFileOnThisComputerCanBeDropped(t *testing.T) {
	for list, want := range map[string]string{
		"file:///home/x/my.manifest\r\n":            "/home/x/my.manifest",
		"# a comment\r\nfile:///a%20b\r\nfile:///c": "/a b",
		"file://localhost/a":                        "/a",
		"file://server/a":                           "",
		"https://example.org/my.manifest":           "",
		"":                                          "",
		"\x00\xff%":                                 "",
	} {
		if got := droppedFile(list); got != want {
			t.Errorf("%q is the file %q, want %q", list, got, want)
		}
	}
}

// makeTails makes the file tree of a Tails whose Persistent Storage is unlocked
// and keeps the Persistent folder.
func makeTails(t *testing.T, root string) {
	t.Helper()
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path="+filepath.Join(root, "no-bus"))
	mounts := "1 1 0:1 / /live/persistence/TailsData_unlocked rw - ext4 x rw\n2 1 0:1 / /home/amnesia/Persistent rw - ext4 x rw\n"
	for name, text := range map[string]string{"etc/os-release": "ID=tails\n", "proc/self/mountinfo": mounts, "home/amnesia/Persistent/a": ""} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
