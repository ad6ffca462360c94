package ui

import (
	"hiddenbackup/core"
	"hiddenbackup/core/manifest"
)

// creation is what the pages of a first backup fill in, one after another.
// A page knows its part of it and the page that follows.
type creation struct {
	grid       manifest.Grid
	folders    []manifest.Folder
	filters    core.Filters
	sizes      []int64 // of the folders, as far as they were counted
	generated  []byte  // offered as the passphrase until she asks for another
	bits       float64 // that guessing it takes
	passphrase []byte  // wiped when the manifest is made
}

// wipe forgets the passphrase.
func (c *creation) wipe() {
	clear(c.passphrase)
	c.passphrase = nil
}
