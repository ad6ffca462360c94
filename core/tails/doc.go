// Package tails knows what a Tails system keeps in its Persistent Storage.
//
// Look says which features of the Persistent Storage there are, what each of
// them contains, whether it is switched on and whether we may read it. Nothing
// here changes a setting: only Tails' own tools may, and OpenTool opens them.
//
// The facts are read from the system: /etc/os-release, the properties that
// Tails offers on the system bus, the mounts where they do not answer, and the
// files themselves. A fact that is not to be had is Unknown, never guessed.
package tails
