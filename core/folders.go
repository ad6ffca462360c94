package core

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"hiddenbackup/core/manifest"
)

// NewFolder makes a folder of a manifest from a path on this computer, absolute
// or "~/…": with a name that none of the others has, and below "~" where it is
// in the home directory, which has another name on another computer.
func NewFolder(path string, tier int, others []manifest.Folder) (manifest.Folder, error) {
	f := manifest.Folder{Path: path, Tier: tier}
	if home, err := os.UserHomeDir(); err == nil && home != "/" {
		if rest, ok := strings.CutPrefix(path, strings.TrimSuffix(home, "/")+"/"); ok {
			f.Path = "~/" + rest
		} else if filepath.Clean(path) == filepath.Clean(home) {
			f.Path = "~"
		}
	}
	base := filepath.Base(path)
	switch base {
	case "~":
		base = "Home"
	case "/":
		base = "root"
	}
	f.Name = base
	for i := 2; slices.ContainsFunc(others, func(o manifest.Folder) bool { return o.Name == f.Name }); i++ {
		f.Name = fmt.Sprintf("%s-%d", base, i)
	}
	return f, f.Validate()
}

// WithFolder returns list with the folder of that path on this computer in it, in
// that tier. One that is there already keeps its name, by which snapshots know it.
func WithFolder(list []manifest.Folder, path string, tier int) ([]manifest.Folder, error) {
	f, err := NewFolder(path, tier, list)
	if err != nil {
		return nil, err
	}
	list = slices.Clone(list)
	home, _ := os.UserHomeDir()
	if i := slices.IndexFunc(list, func(o manifest.Folder) bool { return o.Resolve(home) == f.Resolve(home) }); i >= 0 {
		list[i].Tier = tier
		return list, nil
	}
	return append(list, f), nil
}

// CheckFilters is ErrRule for a filter rule that means nothing.
func CheckFilters(f Filters) error {
	_, err := parseRules(f.Rules)
	return err
}
