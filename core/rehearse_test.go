package core

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"hiddenbackup/core/internal/treetest"
	"hiddenbackup/core/manifest"
	"hiddenbackup/core/node"
	"hiddenbackup/core/node/nodetest"
	"hiddenbackup/core/progress"
	"hiddenbackup/core/restore"
	"hiddenbackup/core/snapshot"
	"hiddenbackup/tahoeclient"
)

// TestMain makes this binary answer the hidden command of rehearsals.
func TestMain(m *testing.M) {
	if slices.Contains(os.Args[1:], RehearsalCommand) {
		manifest.SetTestProfile(nil)
		if RunRehearsal(context.Background()) != nil {
			os.Exit(ExitFailed)
		}
		return
	}
	code := m.Run()
	closeShared()
	os.Exit(code)
}

var rehearsalPass = []byte("walrus lantern mountain gravel pliable outfit sandbox")

// rehearsed is a person with a backed-up home who rehearses.
type rehearsed struct {
	*realGrid
	grid               *Grid // connected all the time
	home, papers, keys string
	sealed             []byte
}

func newRehearsed(t *testing.T) *rehearsed {
	h := &rehearsed{realGrid: newRealGrid(t), home: t.TempDir()}
	t.Setenv("HOME", h.home)
	h.papers, h.keys = filepath.Join(h.home, "papers"), filepath.Join(h.home, "keys")
	treetest.Nasty(t, h.papers)
	treetest.Write(t, h.papers, "cache/left out", []byte("x"))
	treetest.Write(t, h.keys, "key", []byte("secret"))
	h.manifest.Folders = []manifest.Folder{{Name: "papers", Path: "~/papers", Tier: 2}, {Name: "keys", Path: "~/keys", Tier: 1}}
	h.seal()
	h.grid = h.connect()
	h.config.Directory = nodetest.Dir(t) // where rehearsals leave nothing
	r, err := h.grid.Backup(t.Context(), h.config, BackupPlan{Filters: &Filters{Rules: []string{"- cache/", "- *.iso"}}, Remember: true}, nil)
	if err != nil || r.ProblemCount > 0 {
		t.Fatalf("%v, %v", err, r.Problems)
	}
	return h
}

func (h *rehearsed) seal() {
	h.t.Helper()
	var err error
	if h.sealed, err = manifest.Seal(h.manifest, rehearsalPass, nil); err != nil {
		h.t.Fatal(err)
	}
}

func (h *rehearsed) rehearse(p RehearsalPlan) (RehearsalReport, error) {
	h.t.Helper()
	if p.Manifest == nil {
		p.Manifest = h.sealed
	}
	if p.Passphrase == nil {
		p.Passphrase = slices.Clone(rehearsalPass)
	}
	r, err := Rehearse(h.t.Context(), h.config, p, new(progress.Tracker))
	if left, _ := filepath.Glob(filepath.Join(h.config.Directory, "*")); len(left) > 0 {
		h.t.Errorf("left behind: %v", left)
	}
	return r, err
}

// mustPass rehearses and expects everything to be well.
func (h *rehearsed) mustPass(p RehearsalPlan) RehearsalReport {
	h.t.Helper()
	r, err := h.rehearse(p)
	if err != nil || !r.Passed {
		h.t.Fatalf("%v, not restored %v, copy %v, unexplained %v, missing %v", err, r.Problems, r.Copy.Differences, r.Live.Unexplained, r.Missing)
	}
	return r
}

func (h *rehearsed) proofs() Proofs {
	h.t.Helper()
	p, err := h.grid.Proofs(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	return p
}

func TestRehearsals(t *testing.T) {
	h := newRehearsed(t)
	for _, step := range []struct {
		name string
		test func(*rehearsed, *testing.T)
	}{
		{"full", (*rehearsed).full},
		{"kept on a disk, with a reader's manifest", (*rehearsed).kept},
		{"quick, of a folder that went on", (*rehearsed).quick},
		{"refused", (*rehearsed).refused},
		{"of a grid that lost a pack", (*rehearsed).lostPack},
	} {
		if !t.Run(step.name, func(t *testing.T) { step.test(h, t) }) {
			return
		}
	}
}

func (h *rehearsed) full(t *testing.T) {
	r := h.mustPass(RehearsalPlan{Full: true, Typed: true})
	if !slices.Equal(r.First, []string{"keys"}) || r.FirstAfter <= 0 || r.AllAfter < r.FirstAfter || r.Files < 10 || r.Fetched == 0 || r.Kept != "" {
		t.Errorf("%+v", r)
	}
	if l := r.Live; l.Changes() != 0 || l.LeftOut != 1 || l.Bytes < 400<<20 || len(l.Absent) != 0 {
		t.Errorf("%+v", l)
	}
	p := h.proofs().Rehearsed
	form, err := h.grid.form(t.Context(), 1)
	if err != nil || p.Form != form || form == [32]byte{} {
		t.Errorf("noted the form %x, it is %x, %v", p.Form, form, err)
	}
	if !p.Passed || !p.Full || p.Snapshot != 1 || p.Files != r.Files || p.Elapsed <= 0 || time.Since(p.Time) > time.Minute {
		t.Errorf("noted: %+v", p)
	}
	if h.proofs().Recalled.IsZero() || !r.Recorded {
		t.Error("the typed passphrase was not noted")
	}
}

func (h *rehearsed) kept(t *testing.T) {
	before := h.proofs().Rehearsed
	reader, err := h.manifest.Reader()
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := manifest.Seal(reader, rehearsalPass, nil)
	if err != nil {
		t.Fatal(err)
	}
	disk := t.TempDir()
	r := h.mustPass(RehearsalPlan{Keep: true, Target: disk, Manifest: sealed})
	if r.Recorded || r.Unrecorded != nil || h.proofs().Rehearsed != before {
		t.Errorf("it was noted in the vault: %v", r.Unrecorded)
	}
	treetest.Same(t, h.keys, filepath.Join(r.Kept, "keys"))
	if left, _ := filepath.Glob(filepath.Join(disk, "*")); len(left) != 1 || left[0] != r.Kept {
		t.Errorf("on the disk: %v, kept %q", left, r.Kept)
	}
	os.Chmod(filepath.Join(r.Kept, "papers", "closed"), 0o700) // for whoever cleans up
}

func (h *rehearsed) quick(t *testing.T) {
	treetest.Write(t, h.papers, "text", []byte("changed"))
	treetest.Write(t, h.papers, "film.iso", []byte("left out"))
	if err := os.Remove(filepath.Join(h.papers, "a-b")); err != nil {
		t.Fatal(err)
	}
	// A folder that moves here brings files with times of long ago.
	elsewhere := t.TempDir()
	treetest.Write(t, elsewhere, "moved/old", []byte("old"))
	time.Sleep(10 * time.Millisecond)
	if err := os.Rename(filepath.Join(elsewhere, "moved"), filepath.Join(h.papers, "moved")); err != nil {
		t.Fatal(err)
	}
	r := h.mustPass(RehearsalPlan{})
	if r.Proof.Sampled != r.Proof.Of || r.Proof.Of < 10 || r.Files != uint64(r.Proof.Of)+1 {
		t.Errorf("%+v, %d files", r.Proof, r.Files)
	}
	l := r.Live
	if !slices.Equal(l.Changed.Paths, []string{"papers/a/hard"}) /* of the three names the first */ || !slices.Equal(l.Removed.Paths, []string{"papers/a-b"}) ||
		!slices.Equal(l.New.Paths, []string{"papers/moved", "papers/moved/old"}) || l.LeftOut != 2 {
		t.Errorf("%+v", l)
	}
	if p := h.proofs().Rehearsed; !p.Passed || p.Full {
		t.Errorf("noted: %+v", p)
	}
}

func (h *rehearsed) refused(t *testing.T) {
	_, err := h.rehearse(RehearsalPlan{Passphrase: []byte("walrus lantern")})
	wantSentence(t, err, manifest.ErrPassphrase, ExitManifest)
	for _, inside := range []string{h.papers, filepath.Join(h.papers, "a")} {
		_, err = h.rehearse(RehearsalPlan{Target: inside})
		wantSentence(t, err, restore.ErrInsideSource, ExitUsage)
	}
	_, err = h.rehearse(RehearsalPlan{Target: filepath.Join(h.home, "nowhere")})
	wantSentence(t, err, restore.ErrNoPlace, ExitUsage)
	// A folder that only the snapshot knows is no place either.
	h.manifest.Folders = h.manifest.Folders[1:]
	h.seal()
	_, err = h.rehearse(RehearsalPlan{Target: h.papers})
	wantSentence(t, err, restore.ErrInsideSource, ExitUsage)

	if os.Geteuid() != 0 {
		return
	}
	small := t.TempDir()
	if err := syscall.Mount("tmpfs", small, "tmpfs", 0, "size=4m"); err != nil {
		t.Skipf("mounting is not possible here: %v", err)
	}
	defer syscall.Unmount(small, syscall.MNT_DETACH)
	_, err = h.rehearse(RehearsalPlan{Target: small, Full: true})
	wantSentence(t, err, ErrNoRoom, ExitFailed)
	if left, _ := os.ReadDir(small); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func (h *rehearsed) lostPack(t *testing.T) {
	for i := range 4 { // of six; three are needed
		shares := filepath.Join(h.practice.Dir(), fmt.Sprintf("node-%d", i+1), "storage", "shares")
		if err := filepath.WalkDir(shares, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			if info, err := d.Info(); err != nil || info.Size() < 1<<20 {
				return err
			}
			return os.Remove(path)
		}); err != nil {
			t.Fatal(err)
		}
	}
	r, err := h.rehearse(RehearsalPlan{Full: true})
	if err != nil || r.Passed || r.ProblemCount == 0 || r.Copy.Count != 0 {
		t.Fatalf("%v, passed %v, %d problems, copy %v", err, r.Passed, r.ProblemCount, r.Copy.Differences)
	}
	if p := r.Problems[0]; !strings.Contains(p.Err.Error(), "not to be had") {
		t.Errorf("%v", p)
	}
	if p := h.proofs().Rehearsed; p.Passed || !p.Full {
		t.Errorf("noted: %+v", p)
	}
}

// What is not in the snapshot although it was there, and what is there with
// another content, must not pass as a change.
func TestUnexplainedDifferencesAreFound(t *testing.T) {
	m := newMemoryGrid(t, 200)
	treetest.Nasty(t, m.source)
	treetest.Write(t, m.source, "cache/x", []byte("x"))
	if _, err := m.Backup(t.Context(), Config{}, BackupPlan{
		Folders: []manifest.Folder{{Name: "papers", Path: m.source}}, Filters: &Filters{Rules: []string{"- cache/"}}, Remember: true,
	}, nil); err != nil {
		t.Fatal(err)
	}
	chosen, err := m.Choose(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	s := chosen.Snapshot
	since := func(full bool) Since {
		t.Helper()
		r := &rehearsal{p: RehearsalPlan{Full: full}, home: "/nonexistent"}
		got, err := r.since(t.Context(), m.Grid, s)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if got := since(true); got.Changes() != 0 || got.Unexplained.Count != 0 || got.LeftOut != 1 {
		t.Fatalf("%+v", got)
	}
	// Same length and time of modification: only reading finds it.
	path := filepath.Join(m.source, "a/b/c/d/deep")
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	treetest.Write(t, m.source, "a/b/c/d/deep", []byte("DEEP"))
	if err := os.Chtimes(path, time.Time{}, info.ModTime()); err != nil {
		t.Fatal(err)
	}
	treetest.Write(t, m.source, "new", nil)
	if got := since(true); got.Changed.Count != 1 || got.New.Count != 1 || got.Unexplained.Count != 0 {
		t.Errorf("after a change: %+v", got)
	}
	if got := since(false); got.Changes() != 1 || got.Bytes != 0 {
		t.Errorf("by name, size and time: %+v", got)
	}

	s.Time = time.Now().Add(time.Hour) // as if all that had been before the snapshot
	got := since(true)
	var found []string
	for _, d := range got.Unexplained.Differences {
		found = append(found, fmt.Sprint(d.How, " ", d.Path))
	}
	for _, want := range []string{"content papers/a/b/c/d/deep", "new papers/new"} {
		if !slices.Contains(found, want) || got.Changes() != 0 {
			t.Errorf("%q is not among %q", want, found)
		}
	}
	s.Skipped = 1
	if got := since(true); !slices.Equal(got.Skipped.Paths, []string{"papers/new"}) {
		t.Errorf("skipped: %+v", got)
	}
	if err := os.Rename(m.source, m.source+".away"); err != nil {
		t.Fatal(err)
	}
	if got := since(true); !slices.Equal(got.Absent, []string{"papers"}) || got.Unexplained.Count != 0 {
		t.Errorf("without the folder: %+v", got)
	}
}

func TestASampleIsRandomAndBounded(t *testing.T) {
	const files, rounds = 1000, 300
	var drawn [files]int
	for range rounds {
		v := newSurvey(&snapshot.Snapshot{})
		for i := range files {
			v.offer(fmt.Sprint(i), 1000)
		}
		v.cut()
		if len(v.drawn) != sampleFiles || v.of != files {
			t.Fatalf("%d of %d", len(v.drawn), v.of)
		}
		for _, d := range v.drawn {
			var i int
			fmt.Sscan(d.path, &i)
			drawn[i]++
		}
	}
	for i, n := range drawn { // 60 expected, six standard deviations
		if n < 60-42 || n > 60+42 {
			t.Errorf("file %d was drawn %d times in %d rounds", i, n, rounds)
		}
	}
	v := newSurvey(&snapshot.Snapshot{})
	for i := range 100 {
		v.offer(fmt.Sprint(i), 20e6)
	}
	v.offer("film", sampleBytes+1)
	if v.cut(); len(v.drawn) != 4 || v.tooLarge != 1 || v.of != 100 {
		t.Errorf("%d files of 20 MB of %d, %d too large", len(v.drawn), v.of, v.tooLarge)
	}
}

// blankOf is a quick rehearsal's restore of the snapshot of a folder.
func blankOf(t *testing.T, m *memoryGrid, n uint64) *blankResult {
	t.Helper()
	b := &blank{q: blankRequest{Target: t.TempDir(), Snapshot: n}, tracker: new(progress.Tracker)}
	if err := b.restore(t.Context(), m.Grid); err != nil {
		t.Fatal(err)
	}
	return &b.result
}

func TestQuickRehearsalOfLargeFilesOnlyRestoresOne(t *testing.T) {
	m := newMemoryGrid(t, 201)
	treetest.Write(t, m.source, "film", treetest.Random(1, sampleBytes+2))
	treetest.Write(t, m.source, "series", treetest.Random(2, sampleBytes+1))
	if err := m.backup(t.Context()); err != nil {
		t.Fatal(err)
	}
	r := blankOf(t, m, 0)
	if len(r.Sample) != 1 || string(r.Sample[0]) != "papers/series" || r.Files != 1 || r.TooLarge != 1 || r.SampleOf != 0 {
		t.Errorf("drew %q, restored %d files, left out %d", r.Sample, r.Files, r.TooLarge)
	}
}

func TestLargeFileBesideAFirstTierIsDrawnIfItFits(t *testing.T) {
	for _, c := range []struct {
		firstFiles int
		room       int64
		drawn      int
	}{{1, 1 << 40, 1}, {1, sampleBytes, 0}, {0, sampleBytes, 1}} { // the last one: ErrNoRoom
		v := newSurvey(&snapshot.Snapshot{})
		v.firstFiles = c.firstFiles
		v.offer("film", sampleBytes+1)
		v.cut()
		if v.orLarge(c.room); len(v.drawn) != c.drawn || v.tooLarge != 1-c.drawn {
			t.Errorf("%+v: drew %d, %d too large", c, len(v.drawn), v.tooLarge)
		}
	}
}

func TestRehearsalThatRestoredNothingFails(t *testing.T) {
	var r RehearsalReport
	if r.passes(snapshot.Totals{Files: 3}) {
		t.Error("no file of three came back, and it passed")
	}
	if !r.passes(snapshot.Totals{Entries: 1}) {
		t.Error("there was no file to restore, and it failed")
	}
}

func TestRehearsalOfASnapshotByItsNumberNamesFoldersItLacks(t *testing.T) {
	m := newMemoryGrid(t, 202)
	treetest.Write(t, m.source, "note", []byte("text"))
	if err := m.backup(t.Context()); err != nil {
		t.Fatal(err)
	}
	m.access.reader.Folders = []manifest.Folder{{Name: "papers", Path: m.source}, {Name: "keys", Path: "~/keys"}}
	r := rehearsal{}
	r.take(blankOf(t, m, 1))
	if !slices.Equal(r.report.Missing, []string{"keys"}) || r.report.passes(snapshot.Totals{Files: 1}) {
		t.Errorf("missing: %v", r.report.Missing)
	}
}

func TestOnlyNamedEntriesAreExcused(t *testing.T) {
	l := newLacking(&RehearsalReport{
		Incomplete: []restore.Problem{{Path: "a"}}, IncompleteCount: 100,
		Problems: []restore.Problem{{Path: "b"}}, ProblemCount: 100,
	})
	for d, want := range map[restore.Differing]bool{
		{Path: "a", How: restore.DifferenceMetadata}: true, {Path: "a", How: restore.DifferenceContent}: false,
		{Path: "b", How: restore.DifferenceMissing}: true, {Path: "c", How: restore.DifferenceMetadata}: false,
	} {
		if got := l.explains(d, nil); got != want {
			t.Errorf("%s of %q: %v", d.How, d.Path, got)
		}
	}
}

func TestAnErrorKeepsItsExplanationOnTheWay(t *testing.T) {
	for _, err := range []error{
		fmt.Errorf("reading pack 7: %w", errors.Join(tahoeclient.ErrGone, tahoeclient.ErrDamaged)),
		fmt.Errorf("somewhere: %w", ErrTooFewServers), context.Canceled, errors.New("never seen"),
	} {
		told := tellFailure(err).told()
		if told.Error() != err.Error() || Explain(told) != Explain(err) {
			t.Errorf("%v: %+v", err, Explain(told))
		}
	}
}

func TestDeadRehearsalsAreSwept(t *testing.T) {
	parent := nodetest.Dir(t)
	// A person's own folder of such a name, which has no lock in it.
	own := filepath.Join(parent, node.ScratchPrefixForeign+"01234567")
	treetest.Write(t, own, "mine", nil)
	dead, err := node.NewScratch(parent, node.ScratchPrefixForeign)
	if err != nil {
		t.Fatal(err)
	}
	treetest.Write(t, dead.Path, "files/closed/secret", []byte("s"))
	os.Chmod(filepath.Join(dead.Path, "files/closed"), 0o500)
	alive, err := node.NewScratch(parent, node.ScratchPrefixForeign)
	if err != nil {
		t.Fatal(err)
	}
	defer alive.Close()
	if _, err := os.Stat(dead.Path); err != nil {
		t.Errorf("one that is alive was swept: %v", err)
	}
	dead.Lock.Close()
	third, err := node.NewScratch(parent, node.ScratchPrefixForeign)
	if err != nil {
		t.Fatal(err)
	}
	defer third.Close()
	if _, err := os.Stat(dead.Path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a dead one is left: %v", err)
	}
	for _, path := range []string{own, alive.Path} {
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	}
	if err := node.RemoveScratch(own); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(own); err != nil {
		t.Error("a person's own folder was removed")
	}
}
