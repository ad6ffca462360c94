// Package upkeep keeps a vault alive: it asks the servers for the shares of every
// object, renews their leases, has missing shares made again, and says how many
// servers may vanish before something is lost. Owner and caretaker share it;
// only the owner can do something about what Tahoe does not mend.
package upkeep
