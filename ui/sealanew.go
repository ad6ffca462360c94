package ui

import (
	"bytes"
	"context"
	"slices"

	"hiddenbackup/core"
	"hiddenbackup/core/backup"
	"hiddenbackup/core/manifest"
	"hiddenbackup/core/paper"
)

// outdated reports whether the manifest that is open names an older snapshot
// than that of r. One that names none stays as it is.
func (s *session) outdated(r backup.Report) bool {
	return s != nil && s.owner() && s.opened.Owner.Pin != nil && s.opened.Owner.Pin.Sequence < r.Info.Sequence
}

// shareAnew gives away a manifest that names the snapshot of r instead of the one before names.
func (w *window) shareAnew(before *manifest.Manifest, r backup.Report) {
	w.sealAnew(sealing{
		purpose: T("The manifest is sealed once more, with the new snapshot in it. Only the passphrase can do that."),
		before:  before,
		fits:    func(s *session) bool { return s.outdated(r) },
		change:  func(a *core.Access) (*manifest.Manifest, error) { return a.Pin(r) },
	})
}

// changeFolders has other folders chosen for the manifest of s, and backs them up.
func (w *window) changeFolders(s *session) {
	before := s.opened.Owner
	w.open(newFolders(w, foldersUse{title: T("Choose Folders"), label: T("_Use These Folders"), change: true, have: before.Folders, then: func(list []manifest.Folder, _ core.Filters) {
		same := func(a, b manifest.Folder) bool {
			return a.Name == b.Name && a.Path == b.Path && a.Priority() == b.Priority() // no tier is one, too
		}
		if slices.EqualFunc(list, before.Folders, same) {
			w.goBack()
			return
		}
		w.sealAnew(sealing{
			purpose: T("The manifest is sealed once more, with the folders that you chose. Only the passphrase can do that. The copies that you gave away still bring everything back."),
			before:  before,
			fits:    func(s *session) bool { return s.opened.Owner.Generation == before.Generation },
			change:  func(a *core.Access) (*manifest.Manifest, error) { return a.WithFolders(list) },
			then:    w.startBackup,
		})
	}}).page)
}

// sealing is what makes another manifest of one that is open.
type sealing struct {
	purpose string // what the passphrase is needed for
	before  *manifest.Manifest
	fits    func(*session) bool // whether what was typed for is still to be changed
	change  func(*core.Access) (*manifest.Manifest, error)
	then    func() // where it goes on when it is given away; nil: nowhere
}

// sealAnew seals the manifest that was open before once more, changed, and gives it away.
// The passphrase is needed for that, and was forgotten long ago.
func (w *window) sealAnew(o sealing) {
	w.typed(o.purpose, func(s *session, pass []byte) {
		p := w.top()
		if !s.owner() || s.opened.Owner.Vault != o.before.Vault || !o.fits(s) {
			clear(pass)
			p.tell(core.Message{Title: T("That is another manifest."), Safe: T("Nothing was changed."), Exit: core.ExitUsage})
			return
		}
		p.tell(core.Message{Title: T("Sealing takes a few seconds…")})
		type sealedAnew struct {
			opened *manifest.Opened
			copy   paper.Copy
			sealed []byte
		}
		access, old := s.access, bytes.Clone(s.sealed)
		run(p.ctx, func(context.Context) (n sealedAnew, err error) {
			defer clear(pass)
			m, err := o.change(access)
			if err != nil {
				return n, err
			}
			if n.sealed, err = manifest.SealAs(old, m, pass); err != nil {
				return n, err
			}
			if n.copy, err = paper.Inspect(n.sealed); err != nil {
				return n, err
			}
			n.opened, err = manifest.Open(n.copy.Sealed, pass) // what is given away opens
			return n, err
		}, func(n sealedAnew, err error) {
			if err == nil {
				_, err = w.app.openSession(n.opened, n.copy, n.sealed, "")
			}
			if err != nil {
				p.explain(err)
				return
			}
			w.goHome()
			w.open(newShare(w, n.copy, "", o.then).page)
		})
	})
}
