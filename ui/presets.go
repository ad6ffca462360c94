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

// desktopPresets are the folders of an ordinary desktop that are there.
func desktopPresets() (list []preset) {
	for _, d := range []glib.UserDirectory{glib.USER_DIRECTORY_DOCUMENTS, glib.USER_DIRECTORY_PICTURES, glib.USER_DIRECTORY_DESKTOP, glib.USER_DIRECTORY_VIDEOS, glib.USER_DIRECTORY_MUSIC} {
		path, err := glib.GetUserSpecialDir(d)
		if err != nil || !isDir(path) || filepath.Clean(path) == filepath.Clean(tails.Expand("~")) {
			continue
		}
		list = append(list, preset{title: filepath.Base(path), path: path, tier: 2, chosen: d == glib.USER_DIRECTORY_DOCUMENTS})
	}
	return list
}
