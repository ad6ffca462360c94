package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"hiddenbackup/core"
	"hiddenbackup/core/progress"
	"hiddenbackup/core/restore"
)

func (a *app) rehearseCommand() *cobra.Command {
	var p core.RehearsalPlan
	c := &cobra.Command{
		Use:   "rehearse",
		Short: "Restore as if everything were wiped, and compare",
		Long: `Restore as if everything were wiped, and compare.

A second process plays a blank computer: an empty home, a gateway of its own, and
nothing but the manifest and the passphrase. It restores the first tier and a random
sample of the rest, in memory; with --full everything. What comes back is compared
with the snapshot, and the snapshot with your folders as they are now: what changed
since, what is new, what is left out on purpose, and what should not differ and does.

Give the manifest as a holder has it: rehearse with the file she sends back to you.
The files are removed at the end. What does not fit in memory needs --target with a
directory on a disk; there they lie in plain until the end, and deleting them does
not make a disk forget them.

The exit code is 1 when not everything would come back as it was.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return a.rehearse(c, p) },
	}
	f := c.Flags()
	f.BoolVar(&p.Full, "full", false, "restore everything")
	f.Uint64Var(&p.Snapshot, "snapshot", 0, "the snapshot's `NUMBER`; the newest by default")
	f.StringVarP(&p.Target, "target", "t", "", "restore into a new directory below `DIR` instead of in memory")
	f.BoolVar(&p.Keep, "keep", false, "do not remove the files at the end")
	return c
}

// blankCommand is not for people: see core.RehearsalCommand.
func (a *app) blankCommand() *cobra.Command {
	return &cobra.Command{
		Use:    core.RehearsalCommand,
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE:   func(c *cobra.Command, _ []string) error { return core.RunRehearsal(c.Context()) },
	}
}

func (a *app) rehearse(c *cobra.Command, p core.RehearsalPlan) error {
	ctx := c.Context()
	var err error
	if p.Target != "" {
		if p.Target, err = filepath.Abs(p.Target); err != nil {
			return err
		}
	}
	if p.Manifest, err = a.manifestBytes(); err != nil {
		return err
	}
	if p.Passphrase, err = a.passphrase(ctx, "Passphrase: "); err != nil {
		return err
	}
	defer clear(p.Passphrase)
	p.Typed = a.passphraseFile == "" && a.passphraseFD < 0
	if p.Target != "" && !a.quiet && !a.json {
		fmt.Fprintf(a.err, "Restoring in plain below “%s”.\n", shown(p.Target))
	}
	t := new(progress.Tracker)
	stop := a.watch(t)
	r, err := core.Rehearse(ctx, a.config, p, t)
	stop()
	if r.Info.Sequence != 0 && (err == nil || r.ProblemCount > 0) {
		a.printRehearsal(r, err)
	}
	if err == nil && !r.Passed {
		err = core.ErrRehearsal
	}
	return err
}

func (a *app) printRehearsal(r core.RehearsalReport, failed error) {
	if a.json {
		printJSON(a.out, rehearsalObject(r, failed))
		return
	}
	a.warnAboutRehearsal(r)
	a.printNotRestored(r)
	if failed != nil {
		return
	}
	a.printUnexplained(r)
	verdict := "passed"
	if !r.Passed {
		verdict = "FAILED"
	}
	fmt.Fprintf(a.out, "Rehearsal %s: snapshot %d of %s.\n", verdict, r.Info.Sequence, r.Info.Time.Local().Format("2 January 2006 15:04"))
	a.printTimes(r)
	a.printProof(r)
	a.printSince(r.Live, r)
	a.lacking(r.Info)
	switch {
	case r.Kept != "" && r.InMemory:
		fmt.Fprintf(a.out, "The files are in %s, in memory: they are gone when you log out. Remove them when you have looked.\n", shown(r.Kept))
	case r.Kept != "":
		fmt.Fprintf(a.out, "The files are in %s, in plain. Remove them when you have looked.\n", shown(r.Kept))
	case !r.InMemory:
		fmt.Fprintln(a.out, "The files are removed again; a disk may keep traces of them.")
	}
	switch {
	case r.Unrecorded != nil:
		fmt.Fprintf(a.err, "This outcome could not be noted in the vault: %s\n", core.Explain(r.Unrecorded).Title)
	case !r.Recorded:
		fmt.Fprintln(a.out, "Nothing was noted in the vault: this manifest only allows restoring.")
	}
}

func (a *app) warnAboutRehearsal(r core.RehearsalReport) {
	c := &core.Chosen{RolledBack: r.RolledBack, Missing: r.Missing}
	if r.NoVault != "" {
		c.NoVault = errors.New(r.NoVault)
	}
	for _, text := range r.Unreadable {
		c.Unreadable = append(c.Unreadable, errors.New(text))
	}
	a.warnAbout(c)
}

func (a *app) printTimes(r core.RehearsalReport) {
	first := ""
	if len(r.First) > 0 {
		first = fmt.Sprintf("the first tier was there after %s, ", seconds(r.FirstAfter))
	}
	fmt.Fprintf(a.out, "From nothing but the manifest and the passphrase %s%s (%s) after %s; %s fetched.\n",
		first, plural(r.Files, "file", "files"), size(r.Bytes), seconds(r.AllAfter), size(r.Fetched))
}

// printProof says what was proven, and only if it was.
func (a *app) printProof(r core.RehearsalReport) {
	if r.IncompleteCount > 0 {
		fmt.Fprintf(a.out, "%s without an owner or attributes that this account or place cannot set: %s.\n",
			plural(r.IncompleteCount, "entry came back", "entries came back"), some(r.IncompleteCount, problemPaths(r.Incomplete)))
	}
	if r.ProblemCount+r.Copy.Count > 0 {
		return
	}
	if r.Copy.Entries > 0 {
		fmt.Fprintln(a.out, "What came back is as the snapshot has it: content, names, modes, times, links, attributes.")
	}
	whole := ""
	if len(r.First) > 0 {
		whole = "the whole first tier and "
	}
	switch proof := r.Proof; {
	case r.Full, proof.Sampled == proof.Of && r.TooLarge == 0:
		fmt.Fprintln(a.out, "That was every file of the snapshot.")
		return
	case proof.Sampled == proof.Of:
		fmt.Fprintf(a.out, "That was every file but %s larger than %s.\n", count(r.TooLarge), size(core.MaxSampled))
	default:
		fmt.Fprintf(a.out, "That was %s%s of %s other files, drawn at random. If %s of those (%.1f %%) or more could not be restored, this would have found one with a probability of at least 95 %%.\n",
			whole, count(proof.Sampled), count(proof.Of), count(proof.Damaged), proof.Percent())
		if r.TooLarge > 0 {
			fmt.Fprintf(a.out, "%s larger than %s not drawn from.\n", plural(r.TooLarge, "file", "files"), size(core.MaxSampled)+" "+verb(r.TooLarge, "was", "were"))
		}
	}
	if r.Passed {
		fmt.Fprintln(a.out, "--full proves it for every file.")
	}
}

// printNotRestored names files by what they lack: a lost pack is one reason for
// many of them.
func (a *app) printNotRestored(r core.RehearsalReport) {
	var reasons []string
	paths := make(map[string][]string)
	for _, p := range r.Problems {
		reason := p.Err.Error()
		if paths[reason] == nil {
			reasons = append(reasons, reason)
		}
		paths[reason] = append(paths[reason], p.Path)
	}
	for _, reason := range head(reasons) {
		n := uint64(len(paths[reason]))
		fmt.Fprintf(a.err, "Not restored: %s.\n  (%s)\n", some(n, paths[reason]), reason)
	}
	if r.ProblemCount > 1 {
		fmt.Fprintf(a.err, "%s were not restored in all.\n", count(r.ProblemCount))
	}
}

// printUnexplained names what should not be.
func (a *app) printUnexplained(r core.RehearsalReport) {
	for _, d := range head(r.Copy.Differences) {
		fmt.Fprintf(a.err, "Came back different: %s\n", differing(d))
	}
	a.more(r.Copy.Count)
	missing := false
	for _, d := range head(r.Live.Unexplained.Differences) {
		if d.How == restore.DifferenceExtra {
			missing = true
			fmt.Fprintf(a.err, "Missing from the snapshot, though it was there before: %s\n", shown(d.Path))
			continue
		}
		fmt.Fprintf(a.err, "Not as it was stored, though it was not changed since: %s\n", differing(d))
	}
	a.more(r.Live.Unexplained.Count)
	if missing {
		fmt.Fprintln(a.err, "What you leave out on purpose has to be known to the vault: “backup --remember” keeps the filters it is given.")
	}
	if n := r.Live.Skipped; n.Count > 0 {
		fmt.Fprintf(a.err, "WARNING: could not be read when the snapshot was made, and would be lost: %s.\n", some(n.Count, n.Paths))
	}
}

func differing(d restore.Differing) string {
	if d.What != "" {
		return fmt.Sprintf("%s (%s: %s)", shown(d.Path), d.How, d.What)
	}
	return fmt.Sprintf("%s (%s)", shown(d.Path), d.How)
}

// printSince says what happened to the live folders after the snapshot.
func (a *app) printSince(s core.Since, r core.RehearsalReport) {
	if len(s.Absent) > 0 {
		fmt.Fprintf(a.out, "Not on this computer, so not compared: %s.\n", some(uint64(len(s.Absent)), s.Absent))
	}
	if s.Entries == 0 {
		return
	}
	if s.Unread.Count > 0 {
		fmt.Fprintf(a.out, "Cannot be read here, so not compared: %s.\n", some(s.Unread.Count, s.Unread.Paths))
	}
	if s.NoFilters {
		fmt.Fprintln(a.out, "What you leave out on purpose could not be read from the vault, so a file that is missing from the snapshot was not found out.")
	}
	if s.LeftOut > 0 {
		fmt.Fprintf(a.out, "Left out on purpose, by your filters or because they are sockets: %s.\n", count(s.LeftOut))
	}
	if s.Changes() > 0 {
		fmt.Fprintln(a.out, "Since the snapshot your files went on:")
		a.printNamed("changed", s.Changed)
		a.printNamed("new", s.New)
		a.printNamed("removed", s.Removed)
		fmt.Fprintln(a.out, "Back up again before you wipe: what is new or changed is not in this snapshot.")
		return
	}
	if !r.Passed || s.Skipped.Count > 0 || s.NoFilters {
		return
	}
	if r.Full {
		fmt.Fprintf(a.out, "Your files are all in it, as they are now: %s, %s compared.\n", plural(s.Entries, "entry", "entries"), size(s.Bytes))
	} else {
		fmt.Fprintf(a.out, "Your files are all in it, as they are now: %s by name, size and time, and %s of content.\n", plural(s.Entries, "entry", "entries"), size(s.Bytes))
	}
}

func (a *app) printNamed(what string, n core.Named) {
	if n.Count > 0 {
		fmt.Fprintf(a.out, "  %-9s%8s  %s\n", what, count(n.Count), some(n.Count, n.Paths))
	}
}

// mostLines is how many lines of one kind people read.
const mostLines = 20

func head[T any](list []T) []T { return list[:min(len(list), mostLines)] }

// more says how many lines of count there are beyond head.
func (a *app) more(n uint64) {
	if n > mostLines {
		fmt.Fprintf(a.err, "… and %s more.\n", count(n-mostLines))
	}
}

// some names the first of n paths.
func some(n uint64, paths []string) string {
	const most = 3
	var names []string
	for _, p := range paths[:min(len(paths), most)] {
		names = append(names, shown(p))
	}
	text := strings.Join(names, ", ")
	if n > most {
		text += fmt.Sprintf(" and %s more", count(n-most))
	}
	return text
}

func problemPaths(problems []restore.Problem) (paths []string) {
	for _, p := range problems {
		paths = append(paths, p.Path)
	}
	return paths
}

func rehearsalObject(r core.RehearsalReport, failed error) map[string]any {
	rows := func(list []restore.Differing) []map[string]any {
		objects := make([]map[string]any, 0, len(list))
		for _, d := range list {
			objects = append(objects, map[string]any{"path": shown(d.Path), "how": d.How, "what": d.What})
		}
		return objects
	}
	named := func(n core.Named) map[string]any {
		paths := make([]string, 0, len(n.Paths))
		for _, p := range n.Paths {
			paths = append(paths, shown(p))
		}
		return map[string]any{"count": n.Count, "paths": paths}
	}
	l := r.Live
	o := map[string]any{
		"type": "report", "command": "rehearse", "done": failed == nil, "passed": r.Passed, "full": r.Full,
		"snapshot": r.Info.Sequence, "time": r.Info.Time, "skipped": r.Info.Skipped,
		"files": r.Files, "bytes": r.Bytes, "fetched": r.Fetched,
		"tier1_seconds": r.FirstAfter.Seconds(), "seconds": r.AllAfter.Seconds(), "restore_seconds": r.Restoring.Seconds(),
		"problems": problemList(r.Problems), "problem_count": r.ProblemCount,
		"incomplete": problemList(r.Incomplete), "incomplete_count": r.IncompleteCount,
		"copy":        map[string]any{"entries": r.Copy.Entries, "same": r.Copy.Same, "differences": rows(r.Copy.Differences), "difference_count": r.Copy.Count},
		"live":        map[string]any{"entries": l.Entries, "bytes": l.Bytes, "left_out": l.LeftOut, "no_filters": l.NoFilters, "changed": named(l.Changed), "new": named(l.New), "removed": named(l.Removed), "skipped": named(l.Skipped), "unread": named(l.Unread), "absent": append([]string{}, l.Absent...)},
		"unexplained": rows(l.Unexplained.Differences), "unexplained_count": l.Unexplained.Count,
		"rolled_back": r.RolledBack, "unreadable": len(r.Unreadable), "missing_folders": append([]string{}, r.Missing...),
		"in_memory": r.InMemory, "kept": r.Kept, "recorded": r.Recorded,
	}
	if r.Proof.Of > 0 {
		o["sample"] = map[string]any{"files": r.Proof.Sampled, "of": r.Proof.Of, "finds": r.Proof.Damaged, "too_large": r.TooLarge}
	}
	if r.Unrecorded != nil {
		o["unrecorded"] = r.Unrecorded.Error()
	}
	return o
}
