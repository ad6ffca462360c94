// Package process runs one child process so that it cannot outlive us and
// cannot surprise us: a Tahoe node, or a tor of our own.
//
// Not here: what the child is, what its files say, and what "ready" means.
// The caller says that in a Config and a Spec.
//
//	Start      one run of one child: group, standard input, last words
//	Supervise  Start again when it dies, with backoff, until it dies too often
//	Identity   a process named by number, start time and boot: ours or a stranger
//
// The child gets its own process group, which is signalled as a whole, and a
// pipe as standard input that only we hold: programs that stop when their
// standard input closes stop even when we are killed.
package process
