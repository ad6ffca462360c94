package ui

import (
	"context"
	"strings"
	"time"

	"github.com/gotk3/gotk3/gtk"

	"hiddenbackup/core"
)

// holder notes that somebody has a copy of the manifest.
type holder struct {
	*page
	Name    *gtk.Entry   `ui:"name_entry"`
	Words   *gtk.Entry   `ui:"words_entry"`
	Busy    *gtk.Box     `ui:"busy_box"`
	Spinner *gtk.Spinner `ui:"spinner"`
	Next    *gtk.Button  `ui:"next_button"`

	s    *session
	busy bool
}

func newHolder(w *window, s *session) *holder {
	p := &holder{s: s}
	p.page = w.newPage("holder", T("Who Has a Copy?"), p)
	p.initial = p.Next
	p.Name.Connect("changed", p.refresh)
	p.Words.Connect("changed", p.refresh)
	p.Next.Connect("clicked", p.confirm)
	p.refresh()
	return p
}

func (p *holder) refresh() {
	p.Next.SetSensitive(!p.busy && p.name() != "" && p.Words.GetTextLength() > 0)
	p.Busy.SetVisible(p.busy)
	if p.busy {
		p.Busy.SetNoShowAll(false)
		p.Busy.ShowAll()
		p.Spinner.Start()
	}
}

func (p *holder) name() string {
	text, _ := p.Name.GetText()
	return strings.TrimSpace(text)
}

func (p *holder) confirm() {
	if p.s.grid == nil {
		return
	}
	words, _ := p.Words.GetText()
	receipt := core.Receipt{Role: core.RoleHolder, Name: p.name(), Confirmed: time.Now()}
	grid, config, sealed := p.s.grid, p.w.app.config, p.s.copy.Sealed
	p.busy = true
	p.quiet()
	p.refresh()
	run(p.ctx, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, grid.Confirm(ctx, config, receipt, sealed, words)
	}, func(_ struct{}, err error) {
		p.busy = false
		p.refresh()
		if err != nil {
			p.explain(err)
			return
		}
		p.w.goBack()
	})
}
