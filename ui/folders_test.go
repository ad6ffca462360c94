package ui_test

import (
	"testing"

	"hiddenbackup/ui/uitest"
)

// Who has many folders must not open the file chooser for each of them.
func TestSeveralFoldersAreAddedAtOnce(t *testing.T) {
	needGrid(t)
	tr := &traveller{t: t, home: t.TempDir()}
	tr.write(map[string]string{"alpha/a": "a", "beta/b": "b", "gamma/c": "c"})
	w := start(t, uitest.Options{Home: tr.home})
	w.Press("Back Up Before a Journey")
	w.Press("Make a New Backup")
	w.Type("Invites, Description or Addresses of the Grid", description(t))
	w.Press("Next")
	w.Press("Add Folders…")
	w.Until("the folders are listed", func() bool { return w.Shows("gamma", uitest.TableCell) })
	w.Keys("ctrl+a")
	w.Press("Add")
	w.See("~/alpha", "~/beta", "~/gamma", "3 files, 3 bytes")
	w.CheckPage()
	w.Shot("folders")
}
