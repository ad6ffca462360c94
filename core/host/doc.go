// Package host lends this machine to others: as a storage node or as an
// introducer of a grid, behind an onion service.
//
// Both are descriptions (assets/services) of one mechanism. Its state is one
// directory: on disk, or in memory where nothing shall survive.
//
//	options.toml   what the operator set
//	state.json     the onion service's key, and the people who are invited
//	node/          Tahoe's own directory: its keys, and what others store
//	guards/        what tor remembers of its entries to the network
//
// One process, started by Enable or by systemd, runs tor and the node and
// starts both again when one of them ends. It looks at the state, makes the
// onion services fit it, and notes in memory how it is doing:
//
//	Open → Enable → Run: tor → onion services → node → look, compare, note
//	Invite, Revoke, Set write the state; Status reads the note
//
// People who have a key share one onion service, which is closed to everybody
// else. Who has none gets a service of their own, whose address is the secret.
// So each can be shut out. On Tails, where the system's tor serves us, everybody
// has a service of their own: we cannot close circuits there.
//
// The other end is here as well: an Invite is what is handed to a person, and
// Grid makes a grid of several.
//
// Not here: tor (core/tor), how a node is configured (core/node), and words
// on a screen.
package host
