package ui

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/gotk3/gotk3/gtk"

	"hiddenbackup/core"
	"hiddenbackup/core/host"
)

// publishing is how long Start waits before the page goes on looking by itself.
const publishing = 10 * time.Second

// lend makes this computer a storage server for people she invites.
type lend struct {
	*page
	Spinner  *gtk.Spinner     `ui:"spinner"`
	State    *gtk.Label       `ui:"state_label"`
	Stored   *gtk.Label       `ui:"stored_label"`
	Risk     *gtk.Box         `ui:"risk_box"`
	Agree    *gtk.CheckButton `ui:"agree_check"`
	Operator *gtk.Entry       `ui:"operator_entry"`
	Place    *gtk.Entry       `ui:"place_entry"`
	Reserved *gtk.Entry       `ui:"reserved_entry"`
	Start    *gtk.Button      `ui:"start_button"`
	Stop     *gtk.Button      `ui:"stop_button"`
	Login    *gtk.CheckButton `ui:"login_check"`
	People   *gtk.Box         `ui:"people_box"`
	Name     *gtk.Entry       `ui:"name_entry"`
	Keyless  *gtk.CheckButton `ui:"keyless_check"`
	Invite   *gtk.Button      `ui:"invite_button"`

	h       *host.Host // nil until it is found
	seen    lending
	busy    string // what is being done, in words; empty: nothing
	asked   string // who is shut out when she presses again; empty: nobody
	looking bool
	setting bool // this program moves the switches
}

// typed are the options that have an entry each: whose server it is, for those
// she invites, and what stays hers.
var typed = [3]string{"operator", "place", "reserved-space"}

func (p *lend) entries() [len(typed)]*gtk.Entry {
	return [...]*gtk.Entry{p.Operator, p.Place, p.Reserved}
}

// lending is what the page shows.
type lending struct {
	status host.Status
	people []host.Person
	risk   bool // must be agreed to
	typed  [len(typed)]string
	login  bool
	err    error
}

func (w *window) lendSpace() { w.open(newLend(w).page) }

func newLend(w *window) *lend {
	p := &lend{}
	p.page = w.newPage("lend", T("Lend Space"), p)
	p.focus = p.Start
	p.Start.Connect("clicked", p.start)
	p.Stop.Connect("clicked", func() {
		p.do(T("Stopping…"), func(context.Context) error { return p.h.Disable() })
	})
	p.Login.Connect("toggled", p.setLogin)
	p.Agree.Connect("toggled", p.refresh)
	p.Name.Connect("changed", p.refresh)
	p.Name.Connect("activate", func() {
		if p.Invite.GetSensitive() {
			p.invite()
		}
	})
	p.Invite.Connect("clicked", p.invite)
	run(p.ctx, func(context.Context) (*host.Host, error) { return host.Open(host.Config{}) }, func(h *host.Host, err error) {
		if err != nil {
			p.explain(err)
			return
		}
		p.h = h
		p.look(true)
	})
	p.entered = func() { p.look(false) }
	every(p.ctx, time.Second, func() { p.look(false) })
	p.refresh()
	return p
}

// look reads how the service is doing; with fill also what she set before.
func (p *lend) look(fill bool) {
	if p.h == nil || p.looking {
		return
	}
	p.looking = true
	h := p.h
	run(p.ctx, func(context.Context) (lending, error) { return lookAt(h), nil }, func(l lending, _ error) {
		p.looking = false
		was := p.seen.err
		if p.seen = l; fill {
			p.fill()
		}
		p.refresh()
		if l.err != nil && was == nil {
			p.explain(l.err)
		}
	})
}

func lookAt(h *host.Host) (l lending) {
	var errs [5]error
	l.status, errs[0] = h.Status()
	l.people, errs[1] = h.People()
	risk, err := h.Risk()
	l.risk, errs[2] = risk != "", err
	for i, name := range typed {
		s, err := h.Setting(name)
		l.typed[i], errs[3] = s.Value, errors.Join(errs[3], err)
	}
	login, err := h.Setting("autostart")
	l.login, errs[4] = login.Value == "on", err
	l.err = errors.Join(errs[:]...)
	return l
}

func (p *lend) fill() {
	for i, e := range p.entries() {
		e.SetText(p.seen.typed[i])
	}
	p.showPeople()
	if p.seen.status.Missing != nil {
		p.explain(p.seen.status.Missing)
	}
}

func (p *lend) refresh() {
	s := p.seen.status
	text := p.busy
	if text == "" && p.h != nil {
		text = lendingText(s)
	}
	p.State.SetText(text)
	waits := p.busy != "" || s.Running && !s.Published
	p.Spinner.SetVisible(waits)
	if waits {
		p.Spinner.Start()
	}
	p.Stored.SetText(fmt.Sprintf(T("It stores %s for others."), size(s.Stored)))
	p.Stored.SetVisible(s.Stored > 0)
	p.Risk.SetVisible(p.seen.risk)
	if p.seen.risk {
		p.Risk.SetNoShowAll(false)
		p.Risk.ShowAll()
	}
	free := p.h != nil && p.busy == "" && p.seen.err == nil
	p.Start.SetSensitive(free && !s.Running && s.Missing == nil && (!p.seen.risk || p.Agree.GetActive()))
	p.Stop.SetSensitive(p.h != nil && p.busy == "" && s.Running)
	for _, e := range p.entries() {
		e.SetSensitive(free && !s.Running)
	}
	p.Login.SetSensitive(free)
	p.setting = true
	p.Login.SetActive(p.seen.login)
	p.setting = false
	// Before it ran it has no address to invite anybody to.
	name, _ := p.Name.GetText()
	p.Name.SetSensitive(free && s.Running)
	p.Keyless.SetSensitive(free && s.Running)
	p.Invite.SetSensitive(free && s.Running && strings.TrimSpace(name) != "")
	p.People.SetSensitive(free)
}

// lendingText says how far the service is on its way to being found.
func lendingText(s host.Status) string {
	switch {
	case !s.Running:
		return T("It is off.")
	case s.Published:
		return T("It is on: the people you invite reach it.")
	case s.Phase == host.Connecting:
		return fmt.Sprintf(T("Tor is on its way into the network: %d %%."), s.Percent)
	case s.Phase == host.Announcing:
		return T("It runs. Tor makes it known, which takes a minute or two.")
	case s.Phase == host.Pausing:
		return T("Something ended, and is started again in a while.")
	}
	return T("It is starting…")
}

// do does what takes a while, and says so.
func (p *lend) do(text string, work func(context.Context) error) {
	p.quiet()
	p.busy = text
	p.refresh()
	h := p.h
	run(p.ctx, func(ctx context.Context) (lending, error) {
		err := work(ctx)
		return lookAt(h), err
	}, func(l lending, err error) {
		p.busy, p.seen = "", l
		p.showPeople()
		p.refresh()
		if err != nil {
			p.explain(err)
		}
	})
}

func (p *lend) start() {
	var values [len(typed)]string
	for i, e := range p.entries() {
		text, _ := e.GetText()
		values[i] = strings.TrimSpace(text)
	}
	agreed, was, h := p.Agree.GetActive(), p.seen.typed, p.h
	p.do(T("It is starting…"), func(ctx context.Context) error {
		for i, value := range values {
			if value == was[i] {
				continue
			}
			if err := h.Set(typed[i], value); err != nil {
				return err
			}
		}
		// Also when she leaves the page or closes the window meanwhile.
		_, err := h.Enable(context.WithoutCancel(ctx), agreed, publishing)
		return err
	})
}

func (p *lend) setLogin() {
	on := p.Login.GetActive()
	if p.setting || p.busy != "" {
		return
	}
	value := map[bool]string{true: "on", false: "off"}[on]
	p.do(T("One moment…"), func(context.Context) error { return p.h.Set("autostart", value) })
}

func (p *lend) invite() {
	name, _ := p.Name.GetText()
	who := host.Invitation{Name: strings.TrimSpace(name), WithoutKey: p.Keyless.GetActive()}
	var invite *host.Invite
	p.quiet()
	p.busy = T("One moment…")
	p.back = func() bool { return false } // the invite exists nowhere else
	p.refresh()
	h := p.h
	run(p.ctx, func(context.Context) (lending, error) {
		var err error
		invite, err = h.Invite(who)
		return lookAt(h), err
	}, func(l lending, err error) {
		p.busy, p.back, p.seen = "", nil, l
		p.showPeople()
		p.refresh()
		if err != nil {
			p.explain(err)
			return
		}
		p.Name.SetText("")
		p.w.open(newInvited(p.w, who.Name, invite).page)
	})
}

// showPeople lists who is invited, each with a button that shuts her out.
func (p *lend) showPeople() {
	p.asked = ""
	p.People.GetChildren().Foreach(func(child any) { child.(*gtk.Widget).Destroy() })
	if len(p.seen.people) == 0 {
		p.People.Add(dim(T("Nobody yet.")))
	}
	for _, person := range p.seen.people {
		row := must(gtk.BoxNew(gtk.ORIENTATION_HORIZONTAL, 12))
		name := dim(fmt.Sprintf(T("%s, invited on %s"), shown(person.Name), day(person.Invited)))
		name.SetHExpand(true)
		row.Add(name)
		button := must(gtk.ButtonNewWithLabel(fmt.Sprintf(T("Shut %s Out"), short(person.Name, 20))))
		button.Connect("clicked", func() {
			if p.asked != person.Name {
				p.asked = person.Name
				p.tell(core.Message{
					Title: fmt.Sprintf(T("Press again to shut %s out."), shown(person.Name)),
					Safe:  T("What is stored here stays, and can no longer be reached with that invite."), Exit: core.ExitUsage,
				})
				return
			}
			p.do(T("One moment…"), func(ctx context.Context) error { return p.h.Revoke(ctx, person.Name) })
		})
		row.Add(button)
		p.People.Add(row)
	}
	p.People.ShowAll()
}
