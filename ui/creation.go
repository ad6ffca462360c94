package ui

import (
	"fmt"

	"hiddenbackup/core"
	"hiddenbackup/core/manifest"
)

// creation is what the pages of a first backup fill in, one after another.
// A page knows its part of it and the page that follows.
type creation struct {
	practice   bool // it comes from the practice page, which has the grid
	grid       manifest.Grid
	folders    []manifest.Folder
	filters    core.Filters
	generated  []byte  // offered as the passphrase until she asks for another
	bits       float64 // that guessing it takes
	passphrase []byte  // wiped when the manifest is made
}

// The steps of a first backup. To make the manifest and to give it away are one:
// without the second the first is worth nothing.
const (
	stepGrid = 1 + iota
	stepFolders
	stepPassphrase
	stepManifest
	stepBackup
)

// step says where she is. From the practice page the first one is done.
func (c *creation) step(n int) string {
	done := 0
	if c.practice {
		done = stepGrid
	}
	return fmt.Sprintf(T("Step %d of %d"), n-done, stepBackup-done)
}

// chooseFolders opens the page of stepFolders, from which the others follow.
func (c *creation) chooseFolders(w *window) {
	w.open(newFolders(w, foldersUse{title: T("Back Up"), step: c.step(stepFolders), then: func(list []manifest.Folder, rules core.Filters) {
		c.folders, c.filters = list, rules
		w.open(newPassphrase(w, c).page)
	}}).page)
}

// wipe forgets the passphrase.
func (c *creation) wipe() {
	clear(c.passphrase)
	c.passphrase = nil
}
