// Package localfs is the local file system as snapshot entries: read one,
// write one. Nothing here knows chunks, packs or the grid.
//
//	Walk:  root → every entry in listing order, metadata filled, files openable
//	Rules: which of them are left out, in the manner of rsync
//	Tree:  Stage or Resume → WriteAt → Finish → Sync → Commit; directories'
//	       metadata last
//
// Everything below a root is reached through the descriptor of its parent
// directory and never through a symbolic link: a link swapped in by someone
// leads nowhere, and no path is too long for the system.
package localfs
