// Package rundir finds and guards the directories of a run: memory-backed,
// ours alone, and swept when those who made them are dead.
//
// Not here: what is in such a directory, and whose processes work in it.
//
//	Dir         the directory for everything that lives as long as a run
//	NewScratch  one fresh directory there, with a lock that says whether it is in use
//	TryLock     a lock on a file that ends with its holder
package rundir
