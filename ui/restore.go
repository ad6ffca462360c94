package ui

import (
	"fmt"

	"hiddenbackup/core"
	"hiddenbackup/core/restore"
	"hiddenbackup/core/tails"
)

// guide is what the pages of the guided restore fill in, one after the other:
// unlock, connect, snapshot, what, where, ready. It belongs to the loop.
type guide struct {
	w    *window
	s    *session
	list *core.Snapshots

	// What is restored: set by the page that asks for it.
	chosen   *core.Chosen
	contents *core.Contents
	// Where to: the place of each folder of which something is chosen.
	places   map[string]string
	original bool   // to where the folders came from
	kept     string // what to know about places that do not last; empty: nothing
	storage  tails.Storage

	overwrite restore.Overwrite
}

const restoreSteps = 6

// step says where she is.
func step(n int) string { return fmt.Sprintf(T("Step %d of %d"), n, restoreSteps) }

// restoreGuide opens the guided restore.
func (w *window) restoreGuide() {
	purpose := step(1) + " · " + T("Your files come back from the manifest and its passphrase. Nothing is changed before the last step.")
	w.unlocked(purpose, func(s *session) {
		w.open(newRestoreConnect(&guide{w: w, s: s}).page)
	})
}

// tierNames are what the tiers are called, from 1.
func tierName(tier uint8) string {
	switch tier {
	case 1:
		return T("First Hour")
	case 2:
		return T("Work")
	}
	return T("Rest")
}

// parts are the bars of the progress: what is chosen, by tier.
func (g *guide) parts() (list []part) {
	for tier := uint8(1); tier <= 3; tier++ {
		if sum := g.contents.Of(tier); len(sum.Paths) > 0 {
			list = append(list, part{Name: tierName(tier), Bytes: sum.Bytes})
		}
	}
	return list
}

// whole reports whether everything in the snapshot is chosen.
func (g *guide) whole() bool {
	for _, f := range g.contents.Folders {
		if f.Choice != core.ChosenAll {
			return false
		}
	}
	return true
}

// options are what core is asked for.
func (g *guide) options() restore.Options {
	o := restore.Options{Places: g.places, Follow: g.original, Overwrite: g.overwrite}
	if !g.whole() {
		o.Select = g.contents.Chosen().Paths
	}
	return o
}
