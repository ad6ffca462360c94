// Package uitest lets a test use a real window as a person does: it sees only
// what is shown, presses what has a name, types and reads.
//
//	Start → an X server, a message bus and its accessibility bus of the test's own
//	      → the program, with a home directory of its own
//	Press, Type, Check, See … → the tree that a screen reader gets
//	Keys, Click              → real key presses and a real pointer
//
// Each call waits until what it needs is there, up to Window.Patience, and then
// fails the test with the tree as text and a picture. At the end of the test
// everything it started is stopped, and a warning of GTK on the program's
// standard error is a failure.
//
// A window that works here works with a screen reader, too: what has no name
// cannot be found.
package uitest
