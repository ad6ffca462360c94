package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"hiddenbackup/core"
	"hiddenbackup/core/progress"
	"hiddenbackup/core/retain"
)

func (a *app) forgetCommand() *cobra.Command {
	var plan core.ForgetPlan
	var span string
	var apply bool
	c := &cobra.Command{
		Use:   "forget [NUMBER...]",
		Short: "Forget old snapshots: those that no rule keeps, or those named",
		Long: `Forget old snapshots: those that no rule keeps, or those named. Without --apply it
only shows which, and why the others stay.

A snapshot stays if any rule keeps it. --keep-daily 7 keeps the newest snapshot of
each of the last seven days that have one, by this computer's time zone; weeks begin
on Monday. Days, weeks and months without a snapshot are not counted. --keep-within
counts back from the newest snapshot. Each folder counts by itself, so that a backup
of some folders never pushes out the last one of the others. The newest snapshot and
the one your manifest pins always stay; one that cannot be read is never forgotten by
a rule.

What is still needed of packs of which less than half is, is moved into new packs,
unless --no-repack is given.

Forgetting deletes nothing by itself: Tahoe cannot. The data is not renewed any more,
and each server deletes it when its lease runs out, or never. It stays sealed. An
older manifest that pins a forgotten snapshot can restore it as long as it is there.`,
		RunE: func(c *cobra.Command, args []string) error {
			var err error
			if plan.Numbers, err = snapshotNumbers(args); err != nil {
				return err
			}
			for flag, n := range map[string]int{"last": plan.Keep.Last, "daily": plan.Keep.Daily, "weekly": plan.Keep.Weekly, "monthly": plan.Keep.Monthly} {
				if err := between("--keep-"+flag, n, 0, maxKeep); err != nil {
					return err
				}
			}
			if c.Flags().Changed("keep-within") {
				if plan.Keep.Within, err = parseDays(span); err != nil {
					return usage("--keep-within: %w", err)
				}
			}
			switch {
			case len(args) > 0 && plan.Keep != (retain.Rules{}):
				return usage("give either the numbers of snapshots or keep rules")
			case len(args) == 0:
				if err := plan.Keep.Validate(); err != nil {
					return err // before anything is started
				}
			}
			return a.forget(c, plan, apply)
		},
	}
	f := c.Flags()
	f.IntVar(&plan.Keep.Last, "keep-last", 0, "keep the newest `N` snapshots")
	f.IntVar(&plan.Keep.Daily, "keep-daily", 0, "keep the newest of each of the last `N` days that have one")
	f.IntVar(&plan.Keep.Weekly, "keep-weekly", 0, "the same for `N` weeks")
	f.IntVar(&plan.Keep.Monthly, "keep-monthly", 0, "the same for `N` months")
	f.StringVar(&span, "keep-within", "", "keep what is at most `SPAN` older than the newest: 12h, 7d, 2w")
	f.BoolVar(&apply, "apply", false, "do it")
	f.BoolVar(&plan.NoRepack, "no-repack", false, "do not move what is needed out of packs that are mostly not")
	f.BoolVar(&plan.BreakMark, "take-over", false, "go on although another computer seems to be backing up")
	return c
}

// maxKeep is more snapshots than anybody makes.
const maxKeep = 1_000_000

func snapshotNumbers(args []string) ([]uint64, error) {
	var numbers []uint64
	for _, arg := range args {
		n, err := strconv.ParseUint(arg, 10, 64)
		if err != nil || n == 0 {
			return nil, usage("%q is not the number of a snapshot; “snapshots” lists them", arg)
		}
		numbers = append(numbers, n)
	}
	return numbers, nil
}

func (a *app) forget(c *cobra.Command, plan core.ForgetPlan, apply bool) error {
	var r core.ForgetReport
	if err := a.withWriter(c.Context(), func(g *core.Grid, t *progress.Tracker) (err error) {
		if apply {
			r, err = g.Forget(c.Context(), a.config, plan, t)
		} else {
			r, err = g.EstimateForget(c.Context(), plan)
		}
		return err
	}); err != nil {
		return err
	}
	a.skipped = len(r.Repack.Left) > 0
	switch {
	case a.json:
		a.printForgetJSON(r, apply)
	case apply:
		a.printVerdicts(r)
		a.printForgotten(r)
	default:
		a.printVerdicts(r)
		a.printForgetEstimate(r, plan)
	}
	return nil
}

func (a *app) printForgetJSON(r core.ForgetReport, applied bool) {
	rows := make([]map[string]any, 0, len(r.Verdicts))
	for _, v := range r.Verdicts {
		row := map[string]any{"snapshot": v.Info.Sequence, "keep": append([]retain.Reason{}, v.Keep...), "forgotten": len(v.Keep) == 0}
		if v.Broken != nil {
			row["error"] = v.Broken.Error()
		}
		if !v.Info.Time.IsZero() {
			row["time"], row["files"], row["bytes"] = v.Info.Time.Format(time.RFC3339), v.Info.Totals.Files, v.Info.Totals.Bytes
		}
		rows = append(rows, row)
	}
	expiry := map[string]any{"servers": r.Expiry.Servers, "never": r.Expiry.Never, "unknown": r.Expiry.Unknown, "days": r.Expiry.Days}
	if !r.Expiry.Latest.IsZero() {
		expiry["latest"] = r.Expiry.Latest.Format(time.RFC3339)
	}
	o := map[string]any{
		"type": "estimate", "command": "forget", "snapshots": rows, "forgotten": append([]uint64{}, r.Forgotten()...), "unused_packs": r.Packs, "unused_bytes": r.Bytes, "expiry": expiry,
	}
	if r.Unread != nil {
		o["unread"] = r.Unread.Error()
	}
	if applied {
		left := make([]string, 0, len(r.Repack.Left))
		for _, err := range r.Repack.Left {
			left = append(left, err.Error())
		}
		o["type"], o["thinned_packs"], o["packs"], o["weak_packs"], o["left"] = "report", r.Repack.Thinned, r.Repack.Packs, r.Repack.Weak, left
		o["reissued"], o["sent"], o["seconds"] = append([]uint64{}, r.Reissued...), r.Sent, r.Elapsed.Seconds()
	}
	printJSON(a.out, o)
}

// printVerdicts is the table of all snapshots.
func (a *app) printVerdicts(r core.ForgetReport) {
	if len(r.Verdicts) > 0 {
		fmt.Fprintf(a.out, "%8s  %-17s %10s %10s\n", "snapshot", "date", "files", "size")
	}
	for _, v := range r.Verdicts {
		date, files, bytes := "", "", ""
		if !v.Info.Time.IsZero() {
			date, files, bytes = v.Info.Time.Local().Format("2006-01-02 15:04"), count(v.Info.Totals.Files), size(int64(v.Info.Totals.Bytes))
		}
		fate := "forgotten"
		if len(v.Keep) > 0 {
			words := make([]string, len(v.Keep))
			for i, why := range v.Keep {
				words[i] = string(why)
			}
			fate = "kept: " + strings.Join(words, ", ")
		}
		fmt.Fprintf(a.out, "%8d  %-17s %10s %10s  %s\n", v.Info.Sequence, date, files, bytes, fate)
	}
	for _, v := range r.Verdicts {
		if v.Broken != nil {
			fmt.Fprintf(a.err, "Snapshot %d cannot be read: %v\n", v.Info.Sequence, v.Broken)
		}
	}
}

func (a *app) printForgetEstimate(r core.ForgetReport, plan core.ForgetPlan) {
	gone := len(r.Forgotten())
	if gone == 0 {
		fmt.Fprintln(a.out, "Nothing would be forgotten.")
	} else {
		fmt.Fprintf(a.out, "Would forget %s and keep %s. %s, %s, would not be needed any more.\n",
			plural(gone, "snapshot", "snapshots"), count(len(r.Verdicts)-gone), plural(r.Packs, "pack", "packs"), size(r.Bytes))
	}
	if !plan.NoRepack {
		fmt.Fprintln(a.out, "With --apply, packs of which less than half is needed are packed anew, which frees more and sends a part of it again.")
	}
	if gone > 0 {
		a.printExpiry(r.Expiry)
	}
	if r.Unread != nil {
		fmt.Fprintln(a.err, "While a snapshot that stays cannot be read, nobody knows what it needs: --apply would refuse.")
	}
	fmt.Fprintln(a.out, "Nothing was changed. To do it, give the same command with --apply.")
}

func (a *app) printForgotten(r core.ForgetReport) {
	gone := r.Forgotten()
	if len(gone) == 0 {
		fmt.Fprintln(a.out, "No snapshot was forgotten.")
	} else {
		fmt.Fprintf(a.out, "Forgot %s; %s left.\n", numbered("snapshot", "snapshots", gone), plural(len(r.Verdicts)-len(gone), "is", "are"))
	}
	if r.Repack.Thinned > 0 {
		fmt.Fprintf(a.out, "Less than half of %s was needed; that part is in %s now.\n",
			plural(r.Repack.Thinned, "pack", "packs"), plural(r.Repack.Packs, "new pack", "new packs"))
	}
	if len(r.Reissued) > 0 {
		fmt.Fprintf(a.out, "%s %s the new places; the lists of files were read back and compared.\n",
			numbered("Snapshot", "Snapshots", r.Reissued), verb(len(r.Reissued), "names", "name"))
	}
	fmt.Fprintf(a.out, "%s, %s, %s not needed any more; %s sent, in %s.\n",
		plural(r.Packs, "pack", "packs"), size(r.Bytes), verb(r.Packs, "is", "are"), size(r.Sent), seconds(r.Elapsed))
	if len(gone) > 0 || r.Packs > 0 {
		a.printExpiry(r.Expiry)
	}
	if r.Repack.Weak > 0 {
		fmt.Fprintf(a.out, "%s fewer shares than planned; “check --repair” makes them again.\n", plural(r.Repack.Weak, "new pack has", "new packs have"))
	}
	for _, err := range r.Repack.Left {
		fmt.Fprintf(a.err, "Left as it is, because it cannot be read: %v\n", err)
	}
	if len(r.Repack.Left) > 0 {
		fmt.Fprintln(a.out, "Something could not be read and was left as it is; “check” says more.")
	}
}

// printExpiry says when the data will really be gone, as far as it is known.
func (a *app) printExpiry(e core.Expiry) {
	fmt.Fprintln(a.out, "That data is not deleted: Tahoe cannot take anything back. From now on neither you nor a caretaker renews it, and when it goes is up to each server:")
	if e.Days > 0 {
		fmt.Fprintf(a.out, "%d of %d delete what was not renewed for %s or less, so by %s, give or take the days they need to go over their disks.\n",
			e.Servers-e.Never-e.Unknown, e.Servers, plural(e.Days, "day", "days"), day(e.Latest))
	}
	if e.Never > 0 {
		fmt.Fprintf(a.out, "%d of %d never %s anything by themselves and keep it for ever.\n", e.Never, e.Servers, verb(e.Never, "deletes", "delete"))
	}
	switch {
	case e.Servers == 0:
		fmt.Fprintln(a.out, "your manifest does not say how long its servers keep things, and many never delete anything.")
	case e.Unknown > 0:
		fmt.Fprintf(a.out, "Of %d of %d nobody said how long; many servers never delete anything.\n", e.Unknown, e.Servers)
	}
	fmt.Fprintln(a.out, "What stays there stays sealed: it is noise to everybody without your manifest's root secret. As long as it is there, an older manifest that pins a forgotten snapshot can restore it.")
}
