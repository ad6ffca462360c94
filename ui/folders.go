package ui

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gotk3/gotk3/gtk"

	"hiddenbackup/core"
	"hiddenbackup/core/manifest"
	"hiddenbackup/core/progress"
	"hiddenbackup/core/tails"
)

// foldersUse is what folders are chosen for.
type foldersUse struct {
	title string
	label string // of the button that leads on; empty: the usual one
	step  string // of a longer way; may be empty
	// change is for those of a manifest, which are in have. A first backup chooses
	// what to leave out, too.
	change bool
	have   []manifest.Folder
	then   func([]manifest.Folder, core.Filters)
}

// folders asks what to back up, and counts it while she chooses.
type folders struct {
	*page
	Frame    *gtk.Frame       `ui:"list_frame"`
	List     *gtk.Box         `ui:"list_box"`
	Add      *gtk.Button      `ui:"add_button"`
	Tiers    *gtk.Label       `ui:"tiers_label"`
	Total    *gtk.Label       `ui:"total_label"`
	LeftOut  *gtk.Label       `ui:"left_out_label"`
	Without  *gtk.Expander    `ui:"without_expander"`
	Caches   *gtk.CheckButton `ui:"caches_check"`
	Large    *gtk.CheckButton `ui:"large_check"`
	Largest  *gtk.SpinButton  `ui:"large_spin"`
	Patterns *gtk.TextView    `ui:"patterns_view"`
	Step     *gtk.Label       `ui:"step_label"`
	Next     *gtk.Button      `ui:"next_button"`

	use    foldersUse
	rows   []*folderRow
	widths *gtk.SizeGroup     // of the menus, and of the label above them
	stop   context.CancelFunc // of the counting that goes on
	busy   bool               // counting
}

func newFolders(w *window, use foldersUse) *folders {
	f := &folders{use: use, stop: func() {}}
	f.page = w.newPage("folders", use.title, f)
	f.initial = f.Next
	f.Step.SetText(use.step)
	if use.label != "" {
		f.Next.SetLabel(use.label)
	}
	f.Without.SetVisible(!use.change)
	f.Frame.Hide() // until there is something to choose
	f.widths = must(gtk.SizeGroupNew(gtk.SIZE_GROUP_HORIZONTAL))
	f.widths.AddWidget(f.Tiers)
	f.Add.Connect("clicked", func() {
		w.chooseFolders(T("Choose Folders"), T("_Add"), f.add)
	})
	f.Caches.Connect("toggled", f.count)
	f.Large.Connect("toggled", f.count)
	f.Largest.Connect("value-changed", f.count)
	f.onText(f.Patterns, f.count, func() { f.explain(core.ErrRule) })
	f.Next.Connect("clicked", f.next)
	for _, have := range use.have {
		f.addRow(preset{title: have.Name, path: have.Path, tier: have.Priority(), chosen: true}).name = have.Name
	}
	desktop := desktopPresets()
	run(f.ctx, func(ctx context.Context) (offer, error) { return offerOf(ctx, desktop), nil }, func(o offer, _ error) {
		for _, p := range o.presets {
			if use.change {
				p.chosen = false // those of the manifest are
			}
			if f.rowOf(tails.Expand(p.path)) == nil {
				f.addRow(p)
			}
		}
		f.LeftOut.SetText(o.leftOut)
		f.LeftOut.SetVisible(o.leftOut != "")
		f.count()
	})
	every(f.ctx, tick, f.refresh)
	f.refresh()
	return f
}

// add takes folders from the file chooser.
func (f *folders) add(paths []string) {
	var refused error
	for _, path := range paths {
		if err := f.addOne(path); err != nil {
			refused = err
		}
	}
	f.count()
	if refused != nil {
		f.explain(refused)
	}
}

func (f *folders) addOne(path string) error {
	if r := f.rowOf(path); r != nil {
		r.check.SetActive(true)
		return nil
	}
	if _, err := core.NewFolder(path, 2, nil); err != nil {
		return err
	}
	f.addRow(preset{title: filepath.Base(path), path: path, tier: 2, chosen: true})
	return nil
}

// rowOf is that of an absolute path, or nil.
func (f *folders) rowOf(path string) *folderRow {
	for _, r := range f.rows {
		if tails.Expand(r.path) == path {
			return r
		}
	}
	return nil
}

func (f *folders) addRow(p preset) *folderRow {
	r := newFolderRow(p, f.count)
	f.rows = append(f.rows, r)
	f.List.Add(r.row)
	f.widths.AddWidget(r.tiers)
	f.Tiers.Show()
	f.Frame.Show()
	return r
}

// chosen are the folders that are ticked, in the order shown, and their rows.
func (f *folders) chosen() (list []manifest.Folder, rows []*folderRow, err error) {
	for _, r := range f.rows {
		if !r.check.GetActive() {
			continue
		}
		folder := manifest.Folder{Name: r.name, Path: r.path, Tier: r.tier()}
		if r.name == "" {
			if folder, err = core.NewFolder(r.path, r.tier(), slices.Concat(list, f.use.have)); err != nil {
				return nil, nil, err
			}
		}
		list, rows = append(list, folder), append(rows, r)
	}
	return list, rows, nil
}

// filters is what she wants to leave out.
func (f *folders) filters() core.Filters {
	o := core.Filters{SkipCacheDirs: f.Caches.GetActive()}
	if f.Large.GetActive() {
		o.MaxSize = int64(f.Largest.GetValue()) * 1e6
	}
	for line := range strings.Lines(textOf(f.Patterns)) {
		if line = strings.TrimSpace(line); line != "" {
			o.Rules = append(o.Rules, "- "+line)
		}
	}
	return o
}

// settled is how long she has to leave things alone before they are counted.
const settled = 300 * time.Millisecond

// count counts what is chosen from the beginning.
func (f *folders) count() {
	f.stop()
	f.quiet()
	for _, r := range f.rows {
		r.counted = nil
	}
	list, rows, err := f.chosen()
	if err != nil {
		f.explain(err)
		return
	}
	counts := make([]*progress.Tracker, len(rows))
	for i, r := range rows {
		counts[i] = new(progress.Tracker)
		r.counted = counts[i]
	}
	ctx, stop := context.WithCancel(f.ctx)
	f.stop, f.busy = stop, true
	rules := f.filters()
	run(ctx, func(ctx context.Context) (struct{}, error) {
		select {
		case <-time.After(settled):
		case <-ctx.Done():
		}
		return struct{}{}, core.Measure(ctx, list, rules, counts)
	}, func(_ struct{}, err error) {
		f.busy = false
		f.refresh()
		if err != nil {
			f.explain(err)
		}
	})
	f.refresh()
}

// refresh shows what was counted so far.
func (f *folders) refresh() {
	var entries, bytes, unread int64
	chosen := 0
	for _, r := range f.rows {
		s := r.show()
		entries, bytes, unread = entries+s.Entries, bytes+s.Bytes, unread+s.Problems
		if r.check.GetActive() {
			chosen++
		}
	}
	text := fmt.Sprintf(T("%s, %s"), files(entries), size(bytes))
	if f.busy {
		text = fmt.Sprintf(T("Counting: %s"), text)
	}
	if unread > 0 {
		text = lines(text, fmt.Sprintf(N("%s cannot be read and is left out", "%s cannot be read and are left out", unread), count(unread)))
	}
	f.Total.SetText(text)
	f.Next.SetSensitive(chosen > 0)
}

func (f *folders) next() {
	list, _, err := f.chosen()
	if err == nil && len(list) == 0 {
		err = errors.New("no folder")
	}
	rules := f.filters()
	if err == nil {
		// A rule that means nothing is said now, not when everything is made.
		err = core.CheckFilters(rules)
	}
	if err != nil {
		f.explain(err)
		return
	}
	f.use.then(list, rules)
}
