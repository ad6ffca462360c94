package main

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"hiddenbackup/core"
	"hiddenbackup/core/manifest"
	"hiddenbackup/core/progress"
	"hiddenbackup/core/upkeep"
)

// careAgain is after how long a round that failed is tried again.
const careAgain = time.Hour

func (a *app) careCommand() *cobra.Command {
	var every string
	var once, verify bool
	c := &cobra.Command{
		Use:   "care FILE",
		Short: "Look after somebody's backup: check, repair and renew it, unable to read it",
		Long: `Look after a backup with the caretaker's file its owner gave you: check that its
shares are there, make missing ones again and renew the leases, so that servers which
delete old data keep this. You cannot read it, and cannot change it.

It runs until it is stopped, once a week or as --every says, and prints one line for
each round. With --once it makes one round and ends, for a timer to start again: see
“systemctl --user enable --now hidden-backup-care@NAME.timer”.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			pause, err := parseDays(every)
			if err != nil {
				return usage("--every: %w", err)
			}
			file, err := a.caretaker(c.Context(), args[0])
			if err != nil {
				return err
			}
			if once {
				return a.careOnce(c.Context(), file, verify)
			}
			return a.careFor(c.Context(), file, verify, pause)
		},
	}
	f := c.Flags()
	// A quarter of a lease: three rounds may fail in a row.
	f.StringVar(&every, "every", "7d", "how long to wait between rounds: 12h, 7d, 2w")
	f.BoolVar(&once, "once", false, "make one round and end")
	f.BoolVar(&verify, "verify", false, "fetch every share and verify it")
	return c
}

// caretaker reads a caretaker's file, plain or sealed.
func (a *app) caretaker(ctx context.Context, name string) (*manifest.Caretaker, error) {
	data, err := manifest.Load(name)
	if err != nil {
		return nil, err
	}
	var opened *manifest.Opened
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) {
		opened, err = manifest.DecodePlain(data)
	} else {
		var pass []byte
		if pass, err = a.passphrase(ctx, "Passphrase: "); err != nil {
			return nil, err
		}
		defer clear(pass)
		opened, err = a.unseal(ctx, data, pass)
	}
	if err != nil {
		return nil, err
	}
	return opened.NeedCaretaker()
}

// careFor makes rounds until ctx ends. A round that fails is told and tried again.
func (a *app) careFor(ctx context.Context, file *manifest.Caretaker, verify bool, pause time.Duration) error {
	for {
		wait := pause
		if err := a.careOnce(ctx, file, verify); err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			wait = min(pause, careAgain)
			m := core.Explain(err)
			fmt.Fprintf(a.err, "%s  %s %s Next try at %s.\n", stamp(), m.Title, m.Safe, time.Now().Add(wait).Format("15:04"))
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		}
	}
}

func stamp() string { return time.Now().Format("2006-01-02 15:04") }

func (a *app) careOnce(ctx context.Context, file *manifest.Caretaker, verify bool) error {
	a.skipped = false
	t := new(progress.Tracker)
	stop := a.watch(t)
	r, err := a.careRound(ctx, file, verify, t)
	stop()
	if err != nil {
		return err
	}
	a.printCare(r, file)
	a.skipped = r.States[upkeep.Weak]+r.States[upkeep.Damaged] > 0
	return r.Err()
}

func (a *app) careRound(ctx context.Context, file *manifest.Caretaker, verify bool, t *progress.Tracker) (core.CareReport, error) {
	k, err := core.ConnectCaretaker(ctx, a.config, file, t)
	if err != nil {
		return core.CareReport{}, err
	}
	r, err := k.Care(ctx, verify, t)
	if cerr := k.Close(); err == nil {
		err = cerr
	}
	return r, err
}

// printCare is one line, for a log that somebody looks at once a month.
func (a *app) printCare(r core.CareReport, file *manifest.Caretaker) {
	repaired := 0
	for _, f := range r.Findings {
		if f.Repaired {
			repaired++
		}
	}
	if a.json {
		printJSON(a.out, map[string]any{"type": "report", "command": "care", "name": file.Name, "objects": r.Objects, "packs": r.Packs, "states": r.States,
			"repaired": repaired, "renewed": r.Renewed, "servers_to_lose": r.Worst.Servers, "list": r.List == nil, "seconds": r.Elapsed.Seconds()})
		return
	}
	line := fmt.Sprintf("%s  %s: %s checked", stamp(), shown(file.Name), plural(r.Objects, "object", "objects"))
	if r.Renewed && r.List == nil {
		line += fmt.Sprintf(", leases renewed until %s", day(time.Now().Add(core.LeaseTime)))
	} else {
		line += ", not all leases renewed"
	}
	if repaired > 0 {
		line += fmt.Sprintf(", %d repaired", repaired)
	}
	if n := r.States[upkeep.Weak]; n > 0 {
		line += fmt.Sprintf(", %d weaker than planned", n)
	}
	if n := r.States[upkeep.Damaged]; n > 0 {
		line += fmt.Sprintf(", %d with corrupt shares (the owner must run “check --download --repair”)", n)
	}
	if r.Away > 0 {
		line += fmt.Sprintf(", %s away", plural(r.Away, "server", "servers"))
	}
	if n := r.States[upkeep.Lost]; n > 0 && r.Away > 0 {
		line += fmt.Sprintf(", %d not to be read without them", n)
	} else if n > 0 {
		line += fmt.Sprintf(", %d LOST (tell the owner)", n)
	}
	if n := r.States[upkeep.Unknown]; n > 0 {
		line += fmt.Sprintf(", %d without an answer", n)
	}
	if r.States[upkeep.Lost] == 0 && r.List == nil {
		line += fmt.Sprintf(", any %s may vanish", plural(r.Worst.Servers, "server", "servers"))
	}
	fmt.Fprintln(a.out, line+".")
	if r.List != nil {
		fmt.Fprintf(a.err, "The list of packs cannot be read, so they were not looked after: %s Ask the owner for a new caretaker's file.\n", core.Explain(r.List).Title)
	}
}
