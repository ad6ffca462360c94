// Package core is what a front end may ask for: connect to a grid with an
// opened manifest, back up, list, restore, compare, and have any error
// explained. Both front ends call it and nothing below it, except for plain
// values.
//
//	manifest → Connect (gateway, servers) → Grid → Backup, Restore, Compare
//
// It holds the decisions both front ends share; it prints nothing.
package core
