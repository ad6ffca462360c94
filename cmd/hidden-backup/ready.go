package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"hiddenbackup/core"
	"hiddenbackup/core/progress"
)

// errNotReady is the exit code of a list that is not all green; the list itself
// has said why.
var errNotReady = errors.New("not ready")

func (a *app) readyCommand() *cobra.Command {
	var back string
	var p core.ReadyPlan
	c := &cobra.Command{
		Use:   "ready",
		Short: "Ready to wipe? Every point with its dated proof, or what is missing",
		Long: `Ready to wipe? Every point with its dated proof, or what is missing. Nothing counts
that is not proven, and no proof that is about an older snapshot.

The exit code is 0 only when every point is proven.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if back != "" {
				var err error
				if p.Return, err = parseDay(back); err != nil {
					return err
				}
				if p.Return.Before(time.Now().Add(-24 * time.Hour)) {
					return usage("you cannot return on %s: that day is over", back)
				}
			}
			if err := between("--holders", p.Holders, 1, 100); err != nil {
				return err
			}
			var r *core.Readiness
			if err := a.withWriter(c.Context(), func(g *core.Grid, t *progress.Tracker) (err error) {
				r, err = g.Ready(c.Context(), p, t)
				return err
			}); err != nil {
				return err
			}
			a.printReady(r)
			if !r.Ready() {
				return errNotReady
			}
			return nil
		},
	}
	c.Flags().StringVar(&back, "return", "", "the `DAY` you plan to be back: 2026-12-31")
	c.Flags().IntVar(&p.Holders, "holders", core.EnoughHolders, "how many people should have the manifest")
	return c
}

func (a *app) printReady(r *core.Readiness) {
	if a.json {
		items := make([]map[string]any, 0, len(core.Items))
		for _, i := range core.Items {
			items = append(items, map[string]any{"item": i, "green": r.Green(i), "text": readyText(r, i)})
		}
		printJSON(a.out, map[string]any{"type": "report", "command": "ready", "ready": r.Ready(), "snapshot": r.Newest.Sequence, "items": items,
			"tier1_seconds": r.RestoreTime(1).Seconds(), "all_seconds": r.RestoreTime(3).Seconds()})
		return
	}
	for _, i := range core.Items {
		mark := "  –  "
		if r.Green(i) {
			mark = "  ✓  "
		}
		fmt.Fprintf(a.out, "%s%s\n", mark, strings.ReplaceAll(readyText(r, i), "\n", "\n     "))
	}
	if r.Ready() {
		fmt.Fprintln(a.out, "\nEverything is proven. You can wipe.")
	} else {
		fmt.Fprintln(a.out, "\nNot everything is proven yet. Do not wipe.")
	}
}

// readyText is the proof of an item, or what to do to get one.
func readyText(r *core.Readiness, item core.Item) string {
	p, green := r.Proofs, r.Green(item)
	if r.Newest.Sequence == 0 {
		if item == core.ItemSnapshot {
			return "There is no snapshot yet.\n“backup” makes one."
		}
		return readyMissing[item]
	}
	switch {
	case item == core.ItemSnapshot && green:
		return fmt.Sprintf("Snapshot %d of %s holds every file as it is now.", r.Newest.Sequence, moment(r.Newest.Time))
	case item == core.ItemSnapshot && p.RolledBack:
		return "The grid shows a state older than the manifest's pin: servers with the newer one are away, or somebody hides it.\nWait until more servers answer; “status” shows each."
	case item == core.ItemSnapshot && len(r.Missing) > 0:
		return fmt.Sprintf("Snapshot %d does not hold %s.\n“backup” without naming folders stores all.", r.Newest.Sequence, shown(strings.Join(r.Missing, ", ")))
	case item == core.ItemSnapshot && r.Pending.Parent != r.Newest.Sequence:
		return fmt.Sprintf("Snapshot %d, the newest, was not the one to compare with.\n“backup” makes one that is.", r.Newest.Sequence)
	case item == core.ItemSnapshot && len(r.Pending.Problems) > 0:
		return fmt.Sprintf("%s cannot be read and would be lost.\n“backup --dry-run” names them.", plural(len(r.Pending.Problems), "file or folder", "files or folders"))
	case item == core.ItemSnapshot:
		return fmt.Sprintf("%s new and %s changed since snapshot %d.\n“backup” stores them.", plural(r.Pending.New, "file is", "files are"), count(r.Pending.Changed), r.Newest.Sequence)
	case item == core.ItemReadBack && green && p.Rehearsed.Full && p.Rehearsed.Snapshot == r.Newest.Sequence:
		return fmt.Sprintf("All of it was read back on %s.", moment(p.Rehearsed.Time))
	case item == core.ItemReadBack && green && p.Verified.Read >= p.Verified.Packs:
		return fmt.Sprintf("All of it was read back on %s.", moment(p.Verified.Time))
	case item == core.ItemReadBack && green:
		return fmt.Sprintf("%s of %s read back on %s, and the servers had all others.", count(p.Verified.Read), plural(p.Verified.Packs, "pack was", "packs were"), moment(p.Verified.Time))
	case item == core.ItemRehearsal && green && p.Rehearsed.Full:
		return fmt.Sprintf("Everything was restored as if after the journey on %s.", moment(p.Rehearsed.Time))
	case item == core.ItemRehearsal && green:
		return fmt.Sprintf("The first tier and a sample were restored as if after the journey on %s.", moment(p.Rehearsed.Time))
	case item == core.ItemRehearsal && p.Rehearsed.Snapshot == r.Newest.Sequence:
		return fmt.Sprintf("The rehearsal of %s failed.\n“rehearse” says why.", moment(p.Rehearsed.Time))
	case item == core.ItemRecall && green:
		return fmt.Sprintf("You typed the passphrase from memory on %s.", moment(p.Recalled))
	case item == core.ItemHolders && green:
		return fmt.Sprintf("%s of this manifest: %s.", plural(len(r.Holders), "person confirmed to have a copy", "people confirmed to have a copy"), people(r.Holders))
	case item == core.ItemHolders:
		return fmt.Sprintf("%d of %d people have confirmed to have this manifest (generation %d)%s.\n%s", len(r.Holders), r.Wanted, r.Generation, colon(people(r.Holders)), readyMissing[item])
	case item == core.ItemKept && green && len(r.Caretakers) > 0:
		return fmt.Sprintf("A caretaker renews it: %s. Its leases now last until %s.", people(r.Caretakers), day(p.Leases))
	case item == core.ItemKept && green && r.Forever:
		return "The servers of this grid are said to delete nothing."
	case item == core.ItemKept && green:
		return fmt.Sprintf("All leases last until %s, 30 days and more after your return.", day(p.Leases))
	case item == core.ItemKept && r.KeepUntil.IsZero():
		return fmt.Sprintf("Leases last until %s. When are you back?\n“ready --return DAY” tells whether that is long enough.", day(p.Leases))
	case item == core.ItemKept:
		return fmt.Sprintf("Leases last until %s; it must be kept until %s, 30 days after your return.\n%s", day(p.Leases), day(r.KeepUntil), readyMissing[item])
	case item == core.ItemOperators && green:
		return fmt.Sprintf("Any %s with all their servers may vanish, of %d (found on %s).", plural(p.Checked.Operators, "operator", "operators"), len(r.Operators), moment(p.Checked.Time))
	case item == core.ItemOperators && p.Checked.Snapshot == r.Newest.Sequence && p.Checked.Operators == 0:
		return fmt.Sprintf("One operator alone could make it unreadable (%s).\n%s", operatorsText(r.Operators), operatorsHint(r))
	case item == core.ItemOperators && p.Checked.Snapshot == r.Newest.Sequence:
		return "The manifest does not say who runs the servers.\nAdd “operator” to its servers (“manifest open”, “manifest seal”)."
	case item == core.ItemTime && green:
		return fmt.Sprintf("At the rate of the rehearsal%s everything is back in %s, once connected.", firstTier(r), about(r.RestoreTime(3)))
	}
	return readyMissing[item]
}

// readyMissing says what to do where there is no more to tell.
var readyMissing = map[core.Item]string{
	core.ItemReadBack:  "Nothing of the newest snapshot was read back.\n“check --sample 30” or “check --download” does.",
	core.ItemRehearsal: "The newest snapshot was not rehearsed.\n“rehearse” restores it as if after the journey.",
	core.ItemRecall:    "The passphrase was not typed from memory within 14 days.\n“manifest recall” notes that you know it.",
	core.ItemHolders:   "“manifest share” makes copies, “manifest holders confirm” notes who has one.",
	core.ItemKept:      "“manifest share --caretaker” lets somebody renew it; “check --renew” renews it now.",
	core.ItemOperators: "It is not known how many operators may vanish.\n“check” finds out.",
	core.ItemTime:      "How long a restore takes was not measured.\n“rehearse” measures it.",
}

func operatorsHint(r *core.Readiness) string {
	if r.Practice {
		return "That is always so on a practice grid: it is for learning, not for wiping."
	}
	return "Use a grid with servers of more people."
}

func firstTier(r *core.Readiness) string {
	if r.Tiers[1] == 0 {
		return ""
	}
	return " the first tier is back in " + about(r.RestoreTime(1)) + " and"
}

// about is an estimate, never shorter than it is.
func about(d time.Duration) string {
	switch {
	case d < time.Minute:
		return "less than a minute"
	case d < 2*time.Hour:
		return fmt.Sprintf("about %s", plural(int(d.Minutes())+1, "minute", "minutes"))
	}
	return fmt.Sprintf("about %s", plural(int(d.Hours())+1, "hour", "hours"))
}

func operatorsText(names []string) string {
	if len(names) == 1 {
		return shown(names[0]) + " is the only one"
	}
	shownNames := make([]string, len(names))
	for i, n := range names {
		shownNames[i] = shown(n)
	}
	return strings.Join(shownNames, ", ")
}

func people(receipts []core.Receipt) string {
	names := make([]string, len(receipts))
	for i, r := range receipts {
		names[i] = fmt.Sprintf("%s on %s", shown(r.Name), day(r.Confirmed))
	}
	return strings.Join(names, ", ")
}

func colon(s string) string {
	if s == "" {
		return ""
	}
	return ": " + s
}

func moment(t time.Time) string { return t.Local().Format("2006-01-02 15:04") }
