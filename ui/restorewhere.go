package ui

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gotk3/gotk3/gtk"

	"hiddenbackup/core"
	"hiddenbackup/core/restore"
	"hiddenbackup/core/tails"
)

// restoreWhere asks where to restore to.
type restoreWhere struct {
	*page
	Step     *gtk.Label       `ui:"step_label"`
	Original *gtk.RadioButton `ui:"original_radio"`
	Other    *gtk.RadioButton `ui:"other_radio"`
	Folder   *gtk.Button      `ui:"folder_button"`
	Places   *gtk.Label       `ui:"places_label"`
	Room     *gtk.Label       `ui:"room_label"`
	Storage  *gtk.Box         `ui:"storage_box"`
	Advice   *gtk.Label       `ui:"advice_label"`
	Open     *gtk.Button      `ui:"open_button"`
	Next     *gtk.Button      `ui:"next_button"`

	g       *guide
	folder  string // chosen by her; empty: none yet
	storage tails.Storage
	asking  bool
}

// storageEvery is how often the Persistent Storage is looked at: she may be
// switching a feature on in its own window.
const (
	storageEvery = 2 * time.Second
	storageTime  = 5 * time.Second
)

func newRestoreWhere(g *guide) *restoreWhere {
	p := &restoreWhere{g: g}
	p.page = g.w.newPage("restorewhere", T("Choose Where To"), p)
	p.Step.SetText(step(5))
	p.initial = p.Next
	p.Original.Connect("toggled", p.refresh)
	p.Folder.Connect("clicked", func() {
		g.w.chooseFile(T("Choose a Folder"), gtk.FILE_CHOOSER_ACTION_SELECT_FOLDER, T("_Choose"), "", func(path string) {
			p.folder = path
			p.Other.SetActive(true)
			p.refresh()
		})
	})
	p.Open.Connect("clicked", func() {
		run(p.ctx, func(ctx context.Context) (struct{}, error) { return struct{}{}, tails.PersistentStorage.Open(ctx) },
			func(_ struct{}, err error) {
				if err != nil {
					p.explain(err)
				}
			})
	})
	p.Next.Connect("clicked", func() {
		g.kept, g.storage = p.Advice.GetLabel(), p.storage
		g.w.open(newRestoreReady(g).page)
	})
	p.entered = p.look
	every(p.ctx, storageEvery, p.look)
	p.refresh()
	return p
}

// look asks Tails what is switched on.
func (p *restoreWhere) look() {
	if p.asking || p.w.top() != p.page {
		return
	}
	p.asking = true
	run(p.ctx, func(ctx context.Context) (tails.Storage, error) {
		ctx, cancel := context.WithTimeout(ctx, storageTime)
		defer cancel()
		return tails.Look(ctx), nil
	}, func(s tails.Storage, _ error) {
		p.asking = false
		p.storage = s
		p.refresh()
	})
}

// refresh works out the places and shows what there is to know about them.
func (p *restoreWhere) refresh() {
	g := p.g
	g.original = p.Original.GetActive()
	p.Folder.SetSensitive(!g.original)
	all, err := map[string]string(nil), error(nil)
	switch {
	case g.original:
		if all, err = restore.OriginalPlaces(g.chosen.Snapshot); err != nil {
			p.explain(err)
		}
	case p.folder != "":
		all = restore.ResolvePlaces(g.chosen.Snapshot, p.folder)
	}
	g.places = make(map[string]string)
	for _, f := range g.contents.Folders {
		if place, ok := all[f.Name]; ok && f.Choice != core.ChosenNone {
			g.places[f.Name] = place
		}
	}
	p.Places.SetText(placesText(g.places, p.storage))
	p.Room.SetText(p.roomText())
	advice := adviceText(p.storage, g.places)
	p.Advice.SetText(advice)
	p.Storage.SetVisible(advice != "")
	p.Advice.Show()
	p.Open.Show()
	p.Next.SetSensitive(len(g.places) > 0)
}

// placesText names each folder and its place, in Tails' words where it has
// some.
func placesText(places map[string]string, s tails.Storage) string {
	var rows []string
	for name, place := range places {
		row := fmt.Sprintf(T("%s → %s"), shown(name), shown(place))
		if f, ok := s.For(place); ok {
			row = fmt.Sprintf(T("%s (%s)"), row, T(f.Title))
		}
		rows = append(rows, row)
	}
	slices.Sort(rows)
	return strings.Join(rows, "\n")
}

// roomText says how much is needed and how much is free.
func (p *restoreWhere) roomText() string {
	free := int64(-1)
	for _, place := range p.g.places {
		if n := core.FreeSpace(place); free < 0 || n >= 0 && n < free {
			free = n
		}
	}
	if free < 0 {
		return ""
	}
	return fmt.Sprintf(T("Up to %s are needed; %s are free."), size(p.g.contents.Chosen().Bytes), size(free))
}

// adviceText says, on Tails, which files would be gone at shutdown, and what to
// do about it; empty when all last.
func adviceText(s tails.Storage, places map[string]string) string {
	if !s.Tails || len(places) == 0 {
		return ""
	}
	if s.Unlocked == tails.Off || s.Created == tails.Off {
		return T("The Persistent Storage is not there or not unlocked. What you restore now is gone when Tails shuts down. To keep it, create the Persistent Storage, or restart Tails and unlock it on the Welcome Screen.")
	}
	var off, outside []string
	for _, place := range places {
		f, ok := s.For(place)
		switch {
		case !ok:
			outside = append(outside, shown(filepath.Base(place)))
		case f.State == tails.Off && !slices.Contains(off, T(f.Title)):
			off = append(off, T(f.Title))
		}
	}
	slices.Sort(off)
	slices.Sort(outside)
	var advice []string
	if len(off) > 0 {
		advice = append(advice, fmt.Sprintf(T("Switch on first in the Persistent Storage: %s. Otherwise these files are gone when Tails shuts down. This page notices by itself."), strings.Join(off, ", ")))
	}
	if len(outside) > 0 {
		advice = append(advice, fmt.Sprintf(T("Not in the Persistent Storage, so gone when Tails shuts down: %s."), strings.Join(outside, ", ")))
	}
	return strings.Join(advice, "\n")
}
