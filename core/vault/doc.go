// Package vault is the place of one manifest on the grid: the mutable
// directory with its few children, and the way from a chunk's name to its
// bytes.
//
//	snapshot-N   a sealed snapshot, never changed once linked
//	config       the filters of its backups, and dated proofs, sealed
//	care         what a caretaker looks after, sealed under a key of its own
//	checkpoint   the packs an unfinished run has stored, sealed; or empty
//	writer       the mark of the run that writes now, sealed; or empty
//
// Backup, restore and check stand on it. It knows nothing of files on disk.
//
// Tahoe's mutable objects lose writes when two gateways write at once and
// report success when too few servers have the new version, so every change
// here counts usable servers first, is made by the one writer that holds the
// mark, and is read back.
package vault
