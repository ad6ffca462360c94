// Package netcage runs a test in a network of its own, from which nothing
// gets out, and records every packet in it.
//
// Not here: which packets are allowed. The test says that.
//
//	Run      starts the test binary again in new namespaces, for that one test
//	Cage     says what was seen: packets on every interface, loopback too
//	Leaks    those that neither go to an allowed address nor come from one
//
// A packet that wants to leave must have a way, or there would be nothing to
// see: the cage has an interface with addresses and default routes for IPv4
// and IPv6, and a name server that never answers. What goes there ends there.
//
// Not seen: UNIX sockets with a path, which lead out of the cage. The usual one
// to a resolver is shut by naming the cage's own name server.
package netcage
