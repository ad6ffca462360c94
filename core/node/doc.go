// Package node runs Tahoe nodes: the gateway a backup or restore speaks to,
// and the introducer and storage nodes of a practice grid on this machine.
//
// Not here: tor (core/tor), the web API's requests (tahoeclient), and where
// the grid's addresses come from (core/manifest).
//
//	StartGateway   writes a fresh node directory in memory, runs tahoe, waits until it answers
//	SpawnKeeper    the same in a process of its own, for several commands; FindGateway, StopGateway
//	StartPractice  a whole grid on this machine, kept on disk, on loopback or behind onion services
//	SpawnPractice  the same in a process of its own, on loopback
//	FindTahoe      which tahoe to run, and whether it is complete
//
// A node dies with its owner, however the owner dies: tahoe stops when its
// standard input closes, and the shell around it then removes the node
// directory. What even that leaves behind is swept by the next start, which
// tells it from the living by a lock.
package node
