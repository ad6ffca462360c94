// Package ui is the window: pages that ask, start work of package core, and
// show what came of it. It knows no format, no network and no key, and it is
// the only package that imports gotk3.
//
//	Main → application (what lives as long as the program: session, task)
//	        → window (header bar, sentence, stack) → pages, one at a time
//
// A page is one file here and one of the same name in assets/ui. It is made
// when it is shown and destroyed when Back leaves it; its ctx ends then. Work
// off the main loop goes through mainloop.go and nowhere else. What shall go on
// while the window is closed is a task (task.go).
package ui
