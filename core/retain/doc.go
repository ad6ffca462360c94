// Package retain holds the keep rules: which snapshots stay when old ones are
// forgotten, and why. It knows numbers, dates and folders and nothing of a grid.
package retain
