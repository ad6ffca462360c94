// Command hidden-backup-gtk is the window of Hidden Backup.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"

	"hiddenbackup/core"
	"hiddenbackup/core/host"
	"hiddenbackup/ui"
)

// softMemoryLimit makes the collector work harder before the program grows past
// what a small machine has to spare.
const softMemoryLimit = 180 << 20

func init() { runtime.LockOSThread() } // GTK stays on the thread it began on

func main() {
	// Everything we create is for its owner only.
	syscall.Umask(0o077)
	debug.SetMemoryLimit(softMemoryLimit)
	if len(os.Args) == 5 && os.Args[1] == "host" && os.Args[2] == "run" && os.Args[3] == "--service" {
		answer(lend)
	}
	if len(os.Args) == 2 {
		switch os.Args[1] {
		case core.KeeperCommand:
			answer(core.RunKeeper)
		case core.RehearsalCommand:
			answer(core.RunRehearsal)
		}
	}
	os.Exit(ui.Main(os.Args))
}

// lend is what package host starts this program for, as it does the command line's.
func lend(ctx context.Context) error {
	h, err := host.Open(host.Config{Service: os.Args[4]})
	if err != nil {
		return err
	}
	return h.Run(ctx)
}

// answer does the work of a process that core started from this program, and
// ends.
func answer(work func(context.Context) error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if err := work(ctx); err != nil {
		m := core.Explain(err)
		fmt.Fprintf(os.Stderr, "%s\n(%s)\n", m.Title, m.Detail)
		os.Exit(m.Exit)
	}
	os.Exit(core.ExitDone)
}
