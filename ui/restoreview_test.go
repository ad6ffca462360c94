package ui

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"hiddenbackup/core"
	"hiddenbackup/core/restore"
	"hiddenbackup/core/snapshot"
	"hiddenbackup/core/tails"
)

func TestThePinnedSnapshotStandsFirst(t *testing.T) {
	list := &core.Snapshots{Pinned: 2, Infos: []snapshot.Info{{Sequence: 4}, {Sequence: 3}, {Sequence: 2}, {Sequence: 1}}}
	var order []uint64
	for _, i := range snapshotOrder(list) {
		order = append(order, i.Sequence)
	}
	if len(order) != 4 || order[0] != 2 || order[1] != 4 || order[3] != 1 {
		t.Errorf("%v", order)
	}
	for sequence, want := range map[uint64]string{2: "A newer one was made later", 4: "The newest.", 1: ""} {
		text := snapshotText(snapshot.Info{Sequence: sequence}, 2, 4)
		if _, note, _ := strings.Cut(text, "\n"); !strings.Contains(note, want) || want == "" && note != "" {
			t.Errorf("snapshot %d: %q", sequence, text)
		}
	}
	if text := snapshotText(snapshot.Info{Sequence: 1, Skipped: 3}, 0, 1); !strings.Contains(text, "lacks 3 entries") {
		t.Errorf("what a snapshot lacks is not said: %q", text)
	}
}

// On Tails, what is restored beside the Persistent Storage is gone at shutdown.
// That must be said before, and only when it is so.
func TestAdviceOnTails(t *testing.T) {
	home := "/home/amnesia"
	t.Setenv("HOME", home)
	storage := func(unlocked tails.State, on tails.State) tails.Storage {
		return tails.Storage{Tails: true, Created: tails.On, Unlocked: unlocked, Features: []tails.Feature{
			{Key: "PersistentDirectory", Title: "Persistent Folder", Paths: []string{"~/Persistent"}, State: tails.On},
			{Key: "GnuPG", Title: "GnuPG", Paths: []string{"~/.gnupg"}, State: on},
			{Key: "Printers", Title: "Printers", ByHand: "Add your printers in Settings."},
		}}
	}
	both := map[string]string{"a": home + "/Persistent/a", "keys": home + "/.gnupg"}
	for name, c := range map[string]struct {
		storage tails.Storage
		places  map[string]string
		want    string // empty: no advice
	}{
		"another system": {tails.Storage{}, both, ""},
		"all on":         {storage(tails.On, tails.On), both, ""},
		"one off":        {storage(tails.On, tails.Off), both, "Switch on first in the Persistent Storage: GnuPG."},
		"not known":      {storage(tails.On, tails.Unknown), both, ""},
		"locked":         {storage(tails.Off, tails.Unknown), both, "not unlocked"},
		"outside":        {storage(tails.On, tails.On), map[string]string{"a": home + "/Documents"}, "Not in the Persistent Storage, so gone when Tails shuts down: Documents."},
		"nowhere yet":    {storage(tails.Off, tails.Off), nil, ""},
	} {
		got := adviceText(c.storage, c.places)
		if (c.want == "") != (got == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q", name, got)
		}
	}
	if text := placesText(both, storage(tails.On, tails.On)); !strings.Contains(text, "keys → /home/amnesia/.gnupg (GnuPG)") {
		t.Errorf("%q", text)
	}
	if text := byHandText(storage(tails.On, tails.On)); !strings.Contains(text, "Printers: Add your printers") {
		t.Errorf("what is to be set up by hand is not said: %q", text)
	}
	if text := byHandText(tails.Storage{}); text != "" {
		t.Errorf("%q", text)
	}
}

// The end page claims what was proven, and nothing else.
func TestWhatCameOfARestore(t *testing.T) {
	info := snapshot.Info{Sequence: 1, Time: time.Now(), Skipped: 2}
	all := &core.Contents{Folders: []*core.Content{{Path: "a", Choice: core.ChosenAll}}}
	some := &core.Contents{Folders: []*core.Content{{Path: "a", Choice: core.ChosenSome}}}
	different := restore.Problem{Path: "a/b", Err: restore.ErrDifferent}
	for name, c := range map[string]struct {
		contents *core.Contents
		report   restore.Report
		err      error
		good     bool
		title    string
		says     []string
		next     string
	}{
		"everything": {contents: all, report: restore.Report{Info: info, Files: 3, Bytes: 10}, good: true, title: "Everything Is Back",
			says: []string{"Restored 3 files, 10 bytes", "compared with its checksum", "lacks 2 entries"}},
		"some": {contents: some, report: restore.Report{Info: info, Present: 2}, good: true, title: "What You Chose Is Back",
			says: []string{"2 files were there already"}},
		"left alone": {contents: all, report: restore.Report{Info: info, Files: 1, Problems: []restore.Problem{different}, ProblemCount: 1},
			title: "Restored, but Not Everything", says: []string{"Not restored: a/b. A different file is already there.", "choose Replace"}},
		"stopped": {contents: all, report: restore.Report{Info: info, Files: 1}, err: context.Canceled, title: "Stopped.",
			says: []string{"fetches only what is missing"}, next: "_Continue Restoring"},
		"no servers": {contents: all, err: core.ErrTooFewServers, title: core.Explain(core.ErrTooFewServers).Title,
			says: []string{core.Explain(core.ErrTooFewServers).Safe}, next: "_Continue Restoring"},
	} {
		g := &guide{w: &window{app: &application{}}, contents: c.contents}
		o := g.outcome(c.report, tails.Storage{}, c.err)
		text := strings.Join(append(o.problems, o.proof, o.notes), "\n")
		if o.good != c.good || o.title != c.title || o.next != c.next {
			t.Errorf("%s: %+v", name, o)
		}
		for _, want := range c.says {
			if !strings.Contains(text, want) {
				t.Errorf("%s: %q is not said in %q", name, want, text)
			}
		}
		if c.err != nil && errors.Is(c.err, context.Canceled) && strings.Contains(text, "Run the same command") {
			t.Errorf("%s: a window has no commands: %q", name, text)
		}
	}
}
