// Package backup is the write path: it turns folders into a snapshot.
//
//	walk (in path order, merged with the parent's listing)
//	  → read and cut → hash → known? → compress, seal    (workers)
//	  → place in a pack, write the listing               (one collector, in order)
//	  → upload packs                                      (a few at once)
//	  → listing packs → snapshot → link it → read it back
//
// Every arrow is bounded, so memory does not grow with the data. The link is
// the commit: before it there is no snapshot, after it a whole one. Finished
// packs are noted in the vault's checkpoint on the way, so that a run that was
// cut off is not paid for twice.
//
// An entry that cannot be read is a Problem in the Report and the run goes on;
// a failure of the grid ends it.
package backup
