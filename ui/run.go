package ui

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/gotk3/gotk3/gdk"
	"github.com/gotk3/gotk3/glib"
	"github.com/gotk3/gotk3/gtk"

	"hiddenbackup/assets"
	"hiddenbackup/core"
	"hiddenbackup/ui/internal/gettext"
)

// ID names the program to the desktop: its desktop file, its icon, its
// notifications and its place on the session bus.
const ID = "org.hiddenbackup.HiddenBackup"

// closing is how long the end of the program waits for a task to stop and for
// the gateway to go. Both die with us in any case.
const closing = 20 * time.Second

// application is what lives as long as the program.
type application struct {
	gtk    *gtk.Application
	config core.Config
	// ctx is over when the program ends.
	ctx     context.Context
	window  *window  // nil before the first and after the last
	session *session // the manifest that is open, nil: none
	task    *task    // what goes on, nil: nothing
	last    *task    // what ended and was not looked at, nil: nothing
	unlock  func()   // see core.LockProgram; nil while we do not have it
}

// Main shows the window until it is closed and returns the exit code. It belongs
// on the main goroutine, before anything else; args are those of the program,
// its name included.
func Main(args []string) int {
	gettext.Init(domain, catalogues())
	glib.SetPrgname(ID) // Wayland finds the desktop file by it
	glib.SetApplicationName(T("Hidden Backup"))
	gtk.WindowSetDefaultIconName(ID)

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	a := &application{ctx: ctx}
	a.gtk = must(gtk.ApplicationNew(ID, glib.APPLICATION_FLAGS_NONE))
	a.gtk.Connect("startup", a.startup)
	a.gtk.Connect("activate", a.activate)
	stopped, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	when(stopped, a.gtk.Quit)

	code := a.gtk.Run(args)
	a.end(cancel)
	return code
}

// catalogues is where translations are: beside the program in a source tree,
// and in the system's place otherwise.
func catalogues() string {
	self, err := os.Executable()
	if err != nil {
		return "/usr/share/locale"
	}
	if beside := filepath.Join(filepath.Dir(self), "locale"); isDir(beside) {
		return beside
	}
	return filepath.Join(filepath.Dir(filepath.Dir(self)), "share", "locale")
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func (a *application) startup() {
	style := must(gtk.CssProviderNew())
	if err := style.LoadFromData(assets.Style()); err != nil {
		panic(err)
	}
	screen := must(gdk.ScreenGetDefault())
	gtk.AddProviderForScreen(screen, style, gtk.STYLE_PROVIDER_PRIORITY_APPLICATION)
	followDarkStyle()
}

// activate shows the window: the first time a new one, and when the program is
// started again the one there is.
func (a *application) activate() {
	if a.window == nil {
		a.window = newWindow(a)
		a.window.open(newHome(a.window).page)
	}
	a.window.Window.Present()
	if a.unlock == nil {
		// Without a session bus nothing else keeps two windows apart.
		soon(a.ctx, a.takeLock)
	}
}

func (a *application) takeLock() {
	unlock, err := core.LockProgram(a.config)
	switch {
	case errors.Is(err, core.ErrRunning):
		a.window.instead(newAlone(a.window).page)
	case err != nil: // she learns now that nothing can be started here
		a.window.top().explain(err)
	default:
		a.unlock = unlock
	}
}

// end stops what goes on, keeps what is done, and leaves nothing behind.
func (a *application) end(cancel context.CancelFunc) {
	cancel()
	within(closing, func() {
		if a.task != nil {
			<-a.task.over
		}
		if a.session != nil {
			a.session.close()
		}
	})
	if a.unlock != nil {
		a.unlock()
	}
}

// notify tells what happened to somebody who looks elsewhere. One notification
// stands for all: the newest.
func (a *application) notify(title, text string) {
	n := glib.NotificationNew(title)
	n.SetBody(text)
	a.gtk.SendNotification("state", n)
}
