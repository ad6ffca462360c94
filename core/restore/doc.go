// Package restore is the read path: from a snapshot to files.
//
//	listing (in path order) → plan a window of files
//	  → fetch the packs they need, each once, a few at once
//	  → open and check every chunk → write it wherever it belongs,
//	    under a temporary name
//	  → metadata → sync → rename; folders' metadata at the very end
//
// Names from the listing are checked before they become paths, and every path
// is walked without following links, so a hostile listing cannot reach outside
// the restore target. No half file ever stands under a final name. What already
// stands there with the right content is not fetched again: whole files, and
// the pieces of those that a run before this one left unfinished under a
// temporary name.
//
// Compare holds a snapshot against the files on disk.
package restore
