// Package tor reaches tor: the one that runs on this machine already, or one
// of our own. It gives the SOCKS address that Tahoe needs, says how far tor
// is, and hosts onion services.
//
// Not here: which onion services make up a grid (core/manifest) and the nodes
// that speak to them (core/node).
//
//	Start            attaches to a running tor, or starts one without network
//	Enable           lets our own tor use the network
//	WaitBootstrapped returns when tor is connected; Status samples it meanwhile
//	DialOnion        one connection, with the reason if there is none
//	AddOnion         an onion service; AddClientAuth opens one that is locked
//
// A running tor is asked through SOCKS and, where its control port lets us, for
// onion services; none of its settings is touched. Our own is spoken to over
// UNIX sockets in a directory in memory that only we may enter. It ends when we
// end, however we end, and its directory is removed then.
package tor
