package ui

import (
	"context"
	"fmt"
	"strings"

	"github.com/gotk3/gotk3/gtk"

	"hiddenbackup/core"
)

// restoreWhat asks what to restore: tiers, folders, single files.
type restoreWhat struct {
	*page
	Step    *gtk.Label     `ui:"step_label"`
	Busy    *gtk.Box       `ui:"busy_box"`
	Spinner *gtk.Spinner   `ui:"busy_spinner"`
	Waiting *gtk.Label     `ui:"busy_label"`
	Choices *gtk.Box       `ui:"choices_box"`
	Tiers   *gtk.Box       `ui:"tiers_box"`
	Missing *gtk.Label     `ui:"missing_label"`
	Tree    *gtk.TreeView  `ui:"tree"`
	Store   *gtk.TreeStore `ui:"store"`
	// Toggle is the check box of a row.
	Toggle *gtk.CellRendererToggle `ui:"toggle"`
	Sum    *gtk.Label              `ui:"sum_label"`
	Next   *gtk.Button             `ui:"next_button"`

	g       *guide
	tree    *itemTree
	checks  map[uint8]*gtk.CheckButton
	drawing bool // the check boxes are set by us, not by her
}

func newRestoreWhat(g *guide, number uint64) *restoreWhat {
	p := &restoreWhat{g: g, checks: make(map[uint8]*gtk.CheckButton)}
	p.page = g.w.newPage("restorewhat", T("Choose What to Restore"), p)
	p.Step.SetText(step(4))
	p.initial = p.Next
	p.Next.SetSensitive(false)
	p.Next.Connect("clicked", func() { g.w.open(newRestoreWhere(g).page) })
	p.load(number)
	return p
}

// loaded is a snapshot and its contents.
type loaded struct {
	chosen   *core.Chosen
	contents *core.Contents
}

// load fetches the list of files, which is small beside the files.
func (p *restoreWhat) load(number uint64) {
	p.Spinner.Start()
	grid := p.g.s.grid
	run(p.ctx, func(ctx context.Context) (l loaded, err error) {
		if l.chosen, err = grid.Choose(ctx, number); err != nil {
			return l, err
		}
		l.contents, err = grid.Contents(ctx, l.chosen.Snapshot)
		return l, err
	}, func(l loaded, err error) {
		p.Spinner.Stop()
		p.Busy.Hide()
		if err != nil {
			p.explain(err)
			return
		}
		p.g.chosen, p.g.contents = l.chosen, l.contents
		p.show()
	})
}

// show shows what there is, with everything chosen.
func (p *restoreWhat) show() {
	for tier := uint8(1); tier <= 3; tier++ {
		p.addTier(tier)
	}
	p.tree = newItemTree(p.Tree, p.Store, p.Toggle, p.g.contents.Folders, p.refresh)
	if missing := p.g.chosen.Missing; len(missing) > 0 {
		for i := range missing {
			missing[i] = shown(missing[i])
		}
		p.Missing.SetText(fmt.Sprintf(T("This snapshot does not hold %s. An older one may."), strings.Join(missing, ", ")))
		p.Missing.Show()
	}
	p.Choices.SetNoShowAll(false)
	p.Choices.ShowAll()
	p.refresh()
	if p.w.top() == p.page {
		p.Next.GrabFocus()
	}
}

func (p *restoreWhat) addTier(tier uint8) {
	sum := p.g.contents.Of(tier)
	if len(sum.Paths) == 0 {
		return
	}
	b := must(gtk.CheckButtonNewWithLabel(fmt.Sprintf(T("%s: %s, %s"), tierName(tier), files(sum.Files), size(sum.Bytes))))
	b.Connect("toggled", func() {
		if p.drawing {
			return
		}
		for _, f := range p.g.contents.Folders {
			if f.Tier == tier {
				f.Choose(b.GetActive())
			}
		}
		p.tree.redraw()
		p.refresh()
	})
	p.Tiers.Add(b)
	p.checks[tier] = b
}

// refresh shows what is chosen.
func (p *restoreWhat) refresh() {
	p.drawing = true
	for tier, b := range p.checks {
		all, none := true, true
		for _, f := range p.g.contents.Folders {
			if f.Tier == tier {
				all = all && f.Choice == core.ChosenAll
				none = none && f.Choice == core.ChosenNone
			}
		}
		b.SetInconsistent(!all && !none)
		b.SetActive(all)
	}
	p.drawing = false
	sum := p.g.contents.Chosen()
	p.Sum.SetText(fmt.Sprintf(T("Chosen: %s, %s."), files(sum.Files), size(sum.Bytes)))
	p.Next.SetSensitive(len(sum.Paths) > 0)
}
