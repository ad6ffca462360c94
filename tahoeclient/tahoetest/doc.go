// Package tahoetest is the test kit for everything that talks to a Tahoe
// gateway.
//
// A [Gateway] serves the gateway's web API from memory, on a UNIX socket, and
// can be told to misbehave the way real ones do: to lose shares, to be without
// servers, to cut a body short, to fail, to hang, to go away.
//
// [Conformance] is one suite of what a client may rely on. It is run against
// the Gateway here and against a real grid, which keeps the Gateway honest.
package tahoetest
