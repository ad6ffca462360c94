package ui

import (
	"bytes"
	"fmt"

	"github.com/gotk3/gotk3/gtk"

	"hiddenbackup/core/manifest"
)

// passphrase shows a new passphrase, or takes one of her own if nobody can
// guess it.
type passphrase struct {
	*page
	Generated    *gtk.RadioButton `ui:"generated_radio"`
	GeneratedBox *gtk.Box         `ui:"generated_box"`
	Words        *gtk.Label       `ui:"words_label"`
	WordsBits    *gtk.Label       `ui:"words_strength_label"`
	Again        *gtk.Button      `ui:"again_button"`
	Own          *gtk.RadioButton `ui:"own_radio"`
	OwnBox       *gtk.Box         `ui:"own_box"`
	Entry        *gtk.Entry       `ui:"own_entry"`
	Show         *gtk.CheckButton `ui:"show_check"`
	Bar          *gtk.LevelBar    `ui:"strength_bar"`
	Strength     *gtk.Label       `ui:"strength_label"`
	Step         *gtk.Label       `ui:"step_label"`
	Next         *gtk.Button      `ui:"next_button"`

	c *creation
}

func newPassphrase(w *window, c *creation) *passphrase {
	p := &passphrase{c: c}
	p.page = w.newPage("passphrase", T("Back Up"), p)
	p.Step.SetText(c.step(stepPassphrase))
	p.focus, p.initial = p.Next, p.Next
	p.Again.Connect("clicked", func() {
		p.generate()
		p.offer()
	})
	p.Generated.Connect("toggled", p.refresh)
	p.Entry.Connect("changed", p.refresh)
	p.Show.Connect("toggled", func() { p.Entry.SetVisibility(p.Show.GetActive()) })
	p.Next.Connect("clicked", p.next)
	if len(c.generated) == 0 { // she may have begun to learn those that are there
		p.generate()
	}
	p.offer()
	return p
}

func (p *passphrase) generate() {
	words, bits, err := manifest.GeneratePassphrase()
	if err != nil {
		p.explain(err)
		return
	}
	clear(p.c.generated)
	p.c.generated, p.c.bits = words, bits
}

func (p *passphrase) offer() {
	p.Words.SetText(string(p.c.generated))
	p.WordsBits.SetText(fmt.Sprintf(T("%.0f bits: beyond any guessing"), p.c.bits))
	p.refresh()
}

// own is what she made up. GTK and Go keep copies that nobody can wipe.
func (p *passphrase) own() []byte {
	text, _ := p.Entry.GetText()
	return []byte(text)
}

func (p *passphrase) refresh() {
	own := p.Own.GetActive()
	p.GeneratedBox.SetSensitive(!own)
	p.OwnBox.SetSensitive(own)
	if !own {
		p.Next.SetSensitive(len(p.c.generated) > 0)
		return
	}
	chosen := p.own()
	defer clear(chosen)
	bits, enough := manifest.Strength(chosen)
	err := manifest.CheckStrength(chosen)
	p.Bar.SetValue(min(bits/enough, 1))
	switch {
	case len(chosen) == 0:
		p.Strength.SetText("")
	case err == nil:
		p.Strength.SetText(fmt.Sprintf(T("Strong enough: about %.0f bits."), bits))
	default:
		p.Strength.SetText(fmt.Sprintf(T("Too easy to guess: about %.0f of the %.0f bits that are needed. Take more unusual words, or the generated ones."), bits, enough))
	}
	p.Next.SetSensitive(err == nil)
}

func (p *passphrase) next() {
	p.c.wipe()
	if p.Own.GetActive() {
		p.c.passphrase = p.own()
	} else {
		p.c.passphrase = bytes.Clone(p.c.generated)
	}
	p.w.open(newTypeback(p.w, p.c).page)
}
