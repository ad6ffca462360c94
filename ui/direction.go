package ui

import "github.com/gotk3/gotk3/gtk"

// Marks of Unicode's rules for text of both directions. They are not seen.
const (
	isolate      = "\u2068" // what follows is on its own, whatever its direction
	isolateEnded = "\u2069"
)

// apart keeps a name, a path or a date whole in a sentence that is written from
// right to left: its slashes and points would go to the other end otherwise.
func apart(text string) string {
	if gtk.GetLocaleDirection() != gtk.TEXT_DIR_RTL {
		return text
	}
	return isolate + text + isolateEnded
}
