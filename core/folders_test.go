package core

import (
	"slices"
	"testing"

	"hiddenbackup/core/manifest"
)

// Snapshots know a folder by its name: named again it keeps it, however its path
// is written, and another folder never gets one that is taken.
func TestFolderThatIsNamedAgainStaysTheSame(t *testing.T) {
	t.Setenv("HOME", "/home/anna")
	var list []manifest.Folder
	for _, f := range []struct {
		path string
		tier int
	}{
		{"/home/anna/work", 2}, {"/media/stick/work", 3}, {"/home/anna/work", 1}, {"/", 2}, {"/home/anna", 2},
	} {
		var err error
		if list, err = WithFolder(list, f.path, f.tier); err != nil {
			t.Fatalf("%s: %v", f.path, err)
		}
	}
	want := []manifest.Folder{
		{Name: "work", Path: "~/work", Tier: 1}, {Name: "work-2", Path: "/media/stick/work", Tier: 3},
		{Name: "root", Path: "/", Tier: 2}, {Name: "anna", Path: "~", Tier: 2},
	}
	if !slices.Equal(list, want) {
		t.Errorf("%+v", list)
	}
	// Made as somebody else, or before her home was moved.
	there := []manifest.Folder{{Name: "work", Path: "/home/anna/work", Tier: 2}}
	if list, err := WithFolder(there, "/home/anna/work", 1); err != nil || len(list) != 1 || list[0].Name != "work" || list[0].Tier != 1 {
		t.Errorf("%+v, %v", list, err)
	}
	if there[0].Tier != 2 {
		t.Error("what was given was changed")
	}
}
