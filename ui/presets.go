package ui

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gotk3/gotk3/glib"

	"hiddenbackup/core"
	"hiddenbackup/core/tails"
)

// preset is a folder that is offered.
type preset struct {
	title, about string
	path         string // absolute or "~/…"
	tier         int
	chosen       bool
}

// shown is the path as people write it.
func (p preset) shown() string {
	if f, err := core.NewFolder(p.path, p.tier, nil); err == nil {
		return f.Path
	}
	return p.path
}

// offer is what a system keeps for a person.
type offer struct {
	presets []preset
	// leftOut says what no backup can hold; empty: there is nothing to say.
	leftOut string
}

// offerOf asks Tails what its Persistent Storage keeps. On another system it
// offers the folders of the desktop, which only the loop can ask for.
func offerOf(ctx context.Context, desktop []preset) offer {
	s := tails.Look(ctx)
	if !s.Tails {
		return offer{presets: desktop}
	}
	var o offer
	var unreadable []string
	for _, f := range s.Features {
		switch {
		case f.State != tails.On || len(f.Paths) == 0:
		case !f.Readable:
			unreadable = append(unreadable, T(f.Title))
		default:
			about := T(f.Contains)
			if f.Program != "" {
				about += " " + fmt.Sprintf(T("Close %s first."), f.Program)
			}
			for _, path := range f.Paths {
				o.presets = append(o.presets, preset{title: T(f.Title), about: about, path: path, tier: tailsTier(f.Key), chosen: true})
			}
		}
	}
	for _, f := range s.ByHand() {
		unreadable = append(unreadable, T(f.Title))
	}
	switch {
	case s.Created == tails.Off:
		o.leftOut = T("This Tails has no Persistent Storage. What is not in a folder that you add here is gone when Tails shuts down.")
	case s.Unlocked == tails.Off:
		o.leftOut = T("The Persistent Storage is locked. To back it up, restart Tails and unlock it on the Welcome Screen.")
	case len(unreadable) > 0:
		o.leftOut = fmt.Sprintf(T("Not in any backup, because only the administrator may read it: %s. Write down what you need of it."), strings.Join(unreadable, ", "))
	}
	return o
}

// tailsTier: keys and mail are small, and little works without them.
func tailsTier(key string) int {
	if slices.Contains([]string{"GnuPG", "SSHClient", "Thunderbird"}, key) {
		return 1
	}
	return 2
}

// desktopFolders are the folders of an ordinary desktop, and what they are
// called where no file says it (user-dirs.dirs, which some systems never write).
var desktopFolders = []struct {
	is   glib.UserDirectory
	name string
}{
	{glib.USER_DIRECTORY_DOCUMENTS, "Documents"},
	{glib.USER_DIRECTORY_PICTURES, "Pictures"},
	{glib.USER_DIRECTORY_DESKTOP, "Desktop"},
	{glib.USER_DIRECTORY_VIDEOS, "Videos"},
	{glib.USER_DIRECTORY_MUSIC, "Music"},
}

// desktopPresets are those of them that are there. Only the loop may ask GLib.
func desktopPresets() []preset {
	said := make(map[glib.UserDirectory]string)
	for _, f := range desktopFolders {
		if path, err := glib.GetUserSpecialDir(f.is); err == nil {
			said[f.is] = path
		}
	}
	return presetsIn(tails.Expand("~"), said)
}

// presetsIn are the folders that are there, in the place that is said for them
// or below home.
func presetsIn(home string, said map[glib.UserDirectory]string) (list []preset) {
	for _, f := range desktopFolders {
		path := said[f.is]
		if path == "" {
			path = filepath.Join(home, f.name)
		}
		// A folder that somebody does without is said to be the home itself.
		if filepath.Clean(path) == filepath.Clean(home) || !isDir(path) {
			continue
		}
		list = append(list, preset{title: filepath.Base(path), path: path, tier: 2, chosen: f.is == glib.USER_DIRECTORY_DOCUMENTS})
	}
	return list
}
