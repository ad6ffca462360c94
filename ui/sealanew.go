package ui

import (
	"bytes"
	"context"

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

// shareAnew seals the manifest that was open before once more, with the snapshot of r in it, and
// gives it away. The passphrase is needed for that, and was forgotten long ago.
func (w *window) shareAnew(before *manifest.Manifest, r backup.Report) {
	purpose := T("The manifest is sealed once more, with the new snapshot in it. Only the passphrase can do that.")
	w.typed(purpose, func(s *session, pass []byte) {
		p := w.top()
		if !s.owner() || s.opened.Owner.Vault != before.Vault || !s.outdated(r) {
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
			m, err := access.Pin(r)
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
			w.open(newShare(w, n.copy, "", nil).page)
		})
	})
}
