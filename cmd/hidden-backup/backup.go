package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"hiddenbackup/core"
	"hiddenbackup/core/backup"
	"hiddenbackup/core/manifest"
	"hiddenbackup/core/progress"
)

func (a *app) backupCommand() *cobra.Command {
	var (
		plan   core.BackupPlan
		filter core.Filters
		limit  string
		dryRun bool
		pin    bool
	)
	c := &cobra.Command{
		Use:   "backup [FOLDER...]",
		Short: "Back up the manifest's folders, or the folders named, into a new snapshot",
		Long: `Back up the manifest's folders, or the folders named, into a new snapshot.

What the grid already holds is not sent again. A backup that is stopped, by Ctrl-C
or a power cut, continues from where it was. Files that cannot be read are named,
the run goes on, and the exit code is 3.

Filter rules are tried in the order given; the first that matches decides. They
work as rsync's: “*” stops at a slash, “**” does not, a leading slash ties the
pattern to the folder, a trailing one to directories. With --remember the vault
keeps them for later backups that name none.`,
		RunE: func(c *cobra.Command, args []string) error {
			var err error
			for _, path := range args {
				if plan.Folders, err = withFolder(plan.Folders, path, 2); err != nil {
					return err
				}
			}
			if filter.MaxSize, err = parseSize(limit); err != nil {
				return usage("--max-size: %w", err)
			}
			for _, name := range filterFlags {
				if c.Flags().Changed(name) {
					plan.Filters = &filter
				}
			}
			if err := between("--uploads", plan.Uploads, 1, maxParallel); err != nil {
				return err
			}
			if plan.Remember && plan.Filters == nil {
				plan.Filters = &filter // none from now on
			}
			if dryRun {
				return a.estimateBackup(c, plan)
			}
			return a.backup(c, plan, pin)
		},
	}
	f := c.Flags()
	rules := &ruleFlags{&filter}
	f.Var(rules.kind("-"), "exclude", "leave out what `PATTERN` matches")
	f.Var(rules.kind("+"), "include", "keep what `PATTERN` matches, where a later rule would leave it out")
	f.Var(rules.kind("file"), "filter-from", "read rules from `FILE`, one a line: “- PATTERN” or “+ PATTERN”")
	f.Var(rules.kind("folder"), "folder-filter", "for one folder, before all other rules: `NAME:RULE`")
	f.BoolVar(&filter.SkipCacheDirs, "exclude-caches", false, "leave out directories with a CACHEDIR.TAG")
	f.BoolVar(&filter.OneFileSystem, "one-file-system", false, "do not enter other file systems")
	f.StringVar(&limit, "max-size", "", "leave out files larger than `SIZE`, as 500M or 2Gi")
	f.BoolVar(&plan.Remember, "remember", false, "use these filters from now on, where none are given")
	f.BoolVar(&plan.ReadAll, "read-all", false, "read every file, even where nothing seems changed")
	f.BoolVar(&plan.Stored, "no-compression", false, "do not compress")
	f.IntVar(&plan.Uploads, "uploads", backup.DefaultUploads, "how many packs are sent at once")
	f.BoolVar(&plan.BreakMark, "take-over", false, "go on although another computer seems to be backing up")
	f.BoolVarP(&dryRun, "dry-run", "n", false, "only say what would be done")
	f.BoolVar(&pin, "pin", false, "seal the manifest again, pinned to the new snapshot")
	return c
}

// maxParallel packs in flight take half a gigabyte; more helps nobody.
const maxParallel = 32

func between(flag string, n, least, most int) error {
	if n < least || n > most {
		return usage("%s is from %d to %d, not %d", flag, least, most, n)
	}
	return nil
}

// filterFlags are the flags that replace the remembered filters.
var filterFlags = []string{"exclude", "include", "filter-from", "folder-filter", "exclude-caches", "one-file-system", "max-size"}

// ruleFlags keeps the rules of all filter flags in the order they are given.
type ruleFlags struct{ filter *core.Filters }

type ruleFlag struct {
	*ruleFlags
	how string
}

func (r *ruleFlags) kind(how string) pflag.Value { return &ruleFlag{r, how} }

func (r *ruleFlag) String() string { return "" }
func (r *ruleFlag) Type() string   { return "rule" }

func (r *ruleFlag) Set(s string) error {
	switch r.how {
	case "file":
		f, err := os.Open(s)
		if err != nil {
			return err
		}
		defer f.Close()
		lines := bufio.NewScanner(f)
		for lines.Scan() {
			if line := strings.TrimSpace(lines.Text()); line != "" && !strings.HasPrefix(line, "#") {
				r.filter.Rules = append(r.filter.Rules, line)
			}
		}
		return lines.Err()
	case "folder":
		name, rule, ok := strings.Cut(s, ":")
		if !ok {
			return errors.New("write it as NAME:RULE, for example “Documents:- *.iso”")
		}
		if r.filter.FolderRules == nil {
			r.filter.FolderRules = make(map[string][]string)
		}
		r.filter.FolderRules[name] = append(r.filter.FolderRules[name], rule)
		return nil
	}
	r.filter.Rules = append(r.filter.Rules, r.how+" "+s)
	return nil
}

func (a *app) backup(c *cobra.Command, plan core.BackupPlan, pin bool) error {
	ctx := c.Context()
	read := a.manifestBytes
	if pin {
		read = func() ([]byte, error) { return a.rewritable("--pin") }
	}
	data, err := read()
	if err != nil {
		return err
	}
	pass, err := a.passphrase(ctx, "Passphrase: ")
	if err != nil {
		return err
	}
	defer clear(pass)
	opened, err := a.unseal(ctx, data, pass)
	if err == nil {
		err = mayWrite(opened)
	}
	if err != nil {
		return err
	}
	var report backup.Report
	var pinned *manifest.Manifest
	err = a.withOpened(ctx, opened, func(g *core.Grid, t *progress.Tracker) error {
		var err error
		report, err = g.Backup(ctx, a.config, plan, t)
		if err == nil && pin {
			pinned, err = g.Pin(report)
		}
		return err
	})
	if report.Info.Sequence != 0 && (err == nil || report.ProblemCount > 0) {
		a.printBackup(report, err)
	}
	if err != nil {
		return err
	}
	a.skipped = report.ProblemCount > 0
	if pinned == nil {
		return nil
	}
	sealed, err := manifest.SealAs(data, pinned, pass)
	if err != nil {
		return err
	}
	return a.saveSealed(a.manifest, sealed, pinned, true)
}

func (a *app) printBackup(r backup.Report, failed error) {
	problems := make([]map[string]any, 0, len(r.Problems))
	for _, p := range r.Problems {
		problems = append(problems, map[string]any{"path": shown(p.Path), "error": p.Err.Error()})
	}
	if a.json {
		printJSON(a.out, map[string]any{
			"type": "report", "command": "backup", "done": failed == nil, "snapshot": r.Info.Sequence, "time": r.Info.Time, "parent": r.Info.Parent,
			"entries": r.Info.Totals.Entries, "files": r.Info.Totals.Files, "bytes": r.Info.Totals.Bytes,
			"new": r.New, "changed": r.Changed, "unchanged": r.Unchanged, "read": r.Read, "sent": r.Sent,
			"packs": r.Packs, "lost_packs": r.Lost, "resumed_packs": r.Resumed, "weak_packs": r.Weak, "rolled_back": r.RolledBack,
			"problems": problems, "problem_count": r.ProblemCount, "left_out": r.LeftOut, "dropped": append([]string{}, r.Dropped...), "seconds": r.Elapsed.Seconds(),
		})
		return
	}
	for _, p := range r.Problems {
		fmt.Fprintf(a.err, "Not backed up as it should be: %s: %v\n", shown(p.Path), p.Err)
	}
	if failed != nil {
		return
	}
	if r.RolledBack {
		fmt.Fprintln(a.err, "Warning: the grid answered with a state older than the manifest's pin. Servers with the newer state are away, or somebody hides it.")
	}
	for _, err := range r.ParentProblems {
		fmt.Fprintf(a.err, "Warning: an earlier snapshot could not be built upon: %v\n", err)
	}
	fmt.Fprintf(a.out, "Snapshot %d: %s, %s, in %s.\n", r.Info.Sequence, plural(r.Info.Totals.Files, "file", "files"), size(int64(r.Info.Totals.Bytes)), seconds(r.Elapsed))
	fmt.Fprintf(a.out, "%s new, %s changed, %s unchanged; %s sent, %s.\n",
		count(r.New), count(r.Changed), count(r.Unchanged), size(r.Sent), plural(r.Packs, "new pack", "new packs"))
	if r.Resumed > 0 {
		fmt.Fprintf(a.out, "Continued an unfinished run: %s already stored.\n", plural(r.Resumed, "pack was", "packs were"))
	}
	for reason, n := range r.LeftOut {
		fmt.Fprintf(a.out, "Left out (%s): %s.\n", reason, count(n))
	}
	if len(r.Dropped) > 0 {
		fmt.Fprintf(a.out, "Not in it any more, and kept by the snapshots before: %s.\n", shown(strings.Join(r.Dropped, ", ")))
	}
	if r.Weak > 0 {
		fmt.Fprintf(a.out, "%s on fewer servers than planned.\n", plural(r.Weak, "pack is", "packs are"))
	}
	if r.Lost > 0 {
		fmt.Fprintf(a.out, "%s gone from the grid; what they held was stored again.\n", plural(r.Lost, "pack was", "packs were"))
	}
	fmt.Fprintln(a.out, "The snapshot and its list of files were read back and compared; the servers confirmed every pack it needs.")
	if r.ProblemCount > 0 {
		fmt.Fprintf(a.out, "%s could not be backed up as they should be; they are named above.\n", plural(r.ProblemCount, "entry", "entries"))
	}
}

func (a *app) estimateBackup(c *cobra.Command, plan core.BackupPlan) error {
	ctx := c.Context()
	var e backup.Estimate
	if err := a.withWriter(ctx, func(g *core.Grid, t *progress.Tracker) error {
		var err error
		e, err = g.EstimateBackup(ctx, plan)
		return err
	}); err != nil {
		return err
	}
	if a.json {
		problems := make([]string, 0, len(e.Problems))
		for _, p := range e.Problems {
			problems = append(problems, shown(p.Path)+": "+p.Err.Error())
		}
		printJSON(a.out, map[string]any{
			"type": "estimate", "command": "backup", "parent": e.Parent, "entries": e.Entries, "files": e.Files, "bytes": e.Bytes,
			"new": e.New, "changed": e.Changed, "unchanged": e.Unchanged, "to_read": e.ToRead, "left_out": e.LeftOut, "problems": problems,
		})
		return nil
	}
	for _, p := range e.Problems {
		fmt.Fprintf(a.err, "Cannot be read: %s: %v\n", shown(p.Path), p.Err)
	}
	fmt.Fprintf(a.out, "Would back up %s, %s: %s new, %s changed, %s unchanged since snapshot %d.\n",
		plural(e.Files, "file", "files"), size(e.Bytes), count(e.New), count(e.Changed), count(e.Unchanged), e.Parent)
	fmt.Fprintf(a.out, "At most %s would be read and sent; compression and content already stored make it less.\n", size(e.ToRead))
	for reason, n := range e.LeftOut {
		fmt.Fprintf(a.out, "Would be left out (%s): %s.\n", reason, count(n))
	}
	fmt.Fprintln(a.out, "Nothing was changed.")
	a.skipped = len(e.Problems) > 0
	return nil
}
