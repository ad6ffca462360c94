package ui

import (
	"context"

	"hiddenbackup/core"
	"hiddenbackup/core/manifest"
	"hiddenbackup/core/paper"
	"hiddenbackup/core/progress"
)

// session is an open manifest and the gateway to its grid. There is one at most;
// pages ask application.session for it. All its fields belong to the loop.
type session struct {
	app    *application
	copy   paper.Copy
	sealed []byte // the manifest in the form in which to seal it again
	file   string // where it lies; empty: it is pasted text or a picture
	opened *manifest.Opened
	access *core.Access

	grid   *core.Grid // nil until the gateway answers
	failed error      // why it does not; nil while it starts, and after
	since  connectedSince
	// tracker says how far connecting is.
	tracker *progress.Tracker

	ctx    context.Context
	cancel context.CancelFunc
	ready  chan struct{} // closed when connecting has ended; nil: not begun
	result *core.Grid    // of it; to be read after ready
}

// openSession makes o the manifest that is open; what was open before is
// closed. It starts connecting.
func (a *application) openSession(o *manifest.Opened, c paper.Copy, sealed []byte, file string) (*session, error) {
	access, err := core.NewAccess(o)
	if err != nil {
		return nil, err
	}
	a.closeSession()
	s := &session{app: a, copy: c, sealed: sealed, file: file, opened: o, access: access, tracker: new(progress.Tracker), since: connectedSince{}}
	s.ctx, s.cancel = context.WithCancel(a.ctx)
	a.session = s
	s.connect()
	return s, nil
}

// closeSession forgets the manifest that is open, if there is one, and stops
// its gateway.
func (a *application) closeSession() {
	if s := a.session; s != nil {
		a.session = nil
		always(func() error { s.close(); return nil }, func(error) {})
	}
}

// connect starts the gateway, again if it failed before. Pages look at grid and
// failed to see what came of it.
func (s *session) connect() {
	if s.grid != nil || s.ready != nil && s.failed == nil {
		return
	}
	s.failed = nil
	ready := make(chan struct{})
	s.ready = ready
	always(func() error {
		defer close(ready)
		var err error
		s.result, err = core.Connect(s.ctx, s.app.config, s.access, s.tracker)
		return err
	}, func(err error) {
		if s.failed = err; err == nil {
			s.grid = s.result
		}
	})
}

// close ends the gateway. It waits, so it is called off the loop, or when the
// loop is over.
func (s *session) close() {
	s.cancel()
	if s.ready == nil {
		return
	}
	<-s.ready
	if s.result != nil {
		s.result.Close() // it dies with us in any case
	}
}

// owner reports whether the manifest allows backing up.
func (s *session) owner() bool { return s.opened.Owner != nil }

// name is what the backup is called.
func (s *session) name() string { return shown(s.opened.Reader.Name) }
