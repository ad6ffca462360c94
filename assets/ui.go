// Package assets holds the files that the programs carry with them. It imports
// nothing of ours.
package assets

import (
	"embed"
	"fmt"
)

//go:embed ui/*.ui ui/style.css
var uiFiles embed.FS

// UI returns the page, or the window, of that name as GtkBuilder reads it.
func UI(name string) (string, error) {
	b, err := uiFiles.ReadFile("ui/" + name + ".ui")
	if err != nil {
		return "", fmt.Errorf("finding the page: %w", err)
	}
	return string(b), nil
}

// Style is the style sheet of the window. It names no colour but the theme's.
func Style() string {
	b, err := uiFiles.ReadFile("ui/style.css")
	if err != nil {
		panic(err) // it is compiled in
	}
	return string(b)
}
