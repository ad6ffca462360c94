// Package tahoeclient talks to one Tahoe-LAFS gateway over its UNIX socket.
//
// A [Cap] is a capability: parsed by a strict grammar, comparable, and always
// printed redacted. A [Client] stores immutable files (Put), reads them back
// (Get, ReadAll), keeps mutable directories (MakeDir, ReadDir, SetChildren,
// Link, Unlink), asks for health and leases (Check) and for the state of the
// grid (Grid).
//
// What every call promises:
//
//   - it ends: each request has a bound for waiting in total and for waiting
//     without a byte moving, because a gateway may stay silent for ever;
//   - its error holds no capability and no URL, and is one of the sentinels of
//     errors.go or an [*Error];
//   - requests that may be repeated are repeated on temporary errors, a bounded
//     number of times; a directory write whose outcome is unknown is read back
//     first;
//   - cancelling its context closes the connection, which makes the gateway stop.
//
// Not here: running the gateway, what is inside the stored files, and waiting
// for servers to come back.
package tahoeclient
