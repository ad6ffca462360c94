package ui

import (
	"fmt"

	"github.com/gotk3/gotk3/gtk"

	"hiddenbackup/core"
)

// Columns of the store of an itemTree, as the .ui file has them.
const (
	columnActive = iota
	columnMixed
	columnName
	columnSize
	columnItem  // index into itemTree.items; -1 for a row that is no item
	columnFixed // false for such a row
)

// mostRows is how many rows of one folder are shown. The others come with the
// folder.
const mostRows = 2000

// itemTree shows Contents as a tree with check boxes. The rows of a folder are made
// when it is opened.
type itemTree struct {
	view  *gtk.TreeView
	store *gtk.TreeStore
	items []*core.Content // that have a row
	rows  []*gtk.TreeIter
	then  func() // after each change
}

func newItemTree(view *gtk.TreeView, store *gtk.TreeStore, toggle *gtk.CellRendererToggle, roots []*core.Content, then func()) *itemTree {
	t := &itemTree{view: view, store: store, then: then}
	for _, i := range roots {
		t.add(nil, i)
	}
	toggle.Connect("toggled", func(_ *gtk.CellRendererToggle, path string) {
		if row, err := store.GetIterFromString(path); err == nil {
			t.toggle(row)
		}
	})
	view.Connect("row-activated", func(_ *gtk.TreeView, path *gtk.TreePath) {
		if row, err := store.GetIter(path); err == nil {
			t.toggle(row)
		}
	})
	view.Connect("row-expanded", func(_ *gtk.TreeView, row *gtk.TreeIter) { t.fill(row) })
	return t
}

// item is the one of a row; nil for a row that is none.
func (t *itemTree) item(row *gtk.TreeIter) *core.Content {
	value, err := t.store.GetValue(row, columnItem)
	if err != nil {
		return nil
	}
	n, err := value.GoValue()
	i, ok := n.(int)
	if err != nil || !ok || i < 0 || i >= len(t.items) {
		return nil
	}
	return t.items[i]
}

func (t *itemTree) add(parent *gtk.TreeIter, i *core.Content) {
	name := shown(i.Name)
	if i.Dir {
		name += "/"
	}
	row := t.row(parent, name, size(i.Bytes), len(t.items), true)
	t.items, t.rows = append(t.items, i), append(t.rows, row)
	t.draw(len(t.items) - 1)
	if len(i.Below) > 0 || i.Unlisted > 0 {
		t.row(row, "", "", -1, false) // makes it a row that opens
	}
}

func (t *itemTree) row(parent *gtk.TreeIter, name, size string, item int, acts bool) *gtk.TreeIter {
	row := t.store.Append(parent)
	for column, value := range map[int]any{columnName: name, columnSize: size, columnItem: item, columnFixed: acts} {
		if err := t.store.SetValue(row, column, value); err != nil {
			panic(err) // the columns are those of the .ui file
		}
	}
	return row
}

// fill makes the rows of a folder when it is opened for the first time.
func (t *itemTree) fill(row *gtk.TreeIter) {
	folder := t.item(row)
	first := new(gtk.TreeIter)
	if folder == nil || !t.store.IterNthChild(first, row, 0) || t.item(first) != nil {
		return
	}
	for _, i := range folder.Below[:min(len(folder.Below), mostRows)] {
		t.add(row, i)
	}
	if more := uint64(max(len(folder.Below)-mostRows, 0)) + folder.Unlisted; more > 0 {
		t.row(row, fmt.Sprintf(N("%s more, which comes with the whole folder", "%s more, which come with the whole folder", more), count(more)), "", -1, false)
	}
	// Last: a folder without rows would close again.
	if t.store.IterNthChild(first, row, 0) {
		t.store.Remove(first)
	}
}

func (t *itemTree) toggle(row *gtk.TreeIter) {
	i := t.item(row)
	if i == nil {
		return
	}
	i.Choose(i.Choice != core.ChosenAll)
	t.redraw()
	t.then()
}

// redraw shows all choices anew.
func (t *itemTree) redraw() {
	for n := range t.items {
		t.draw(n)
	}
}

func (t *itemTree) draw(n int) {
	choice := t.items[n].Choice
	t.store.SetValue(t.rows[n], columnActive, choice == core.ChosenAll)
	t.store.SetValue(t.rows[n], columnMixed, choice == core.ChosenSome)
}
