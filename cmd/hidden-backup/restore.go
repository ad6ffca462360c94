package main

import (
	"bufio"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"hiddenbackup/core"
	"hiddenbackup/core/progress"
	"hiddenbackup/core/restore"
	"hiddenbackup/core/snapshot"
)

// pick is the flags that choose a snapshot and where its folders are.
type pick struct {
	number   uint64
	target   string
	original bool
	tier     uint8
}

func (p *pick) flags(c *cobra.Command, verb string) {
	f := c.Flags()
	f.Uint64Var(&p.number, "snapshot", 0, "the snapshot's `NUMBER`; the newest by default")
	f.StringVarP(&p.target, "target", "t", "", verb+" below `DIR`, each folder under its own name")
	f.BoolVar(&p.original, "original", false, verb+" the places the folders came from")
	f.Uint8Var(&p.tier, "tier", 0, "only folders up to this tier: 1 first hour, 2 work, 3 rest")
}

func (p *pick) places(s *snapshot.Snapshot) (map[string]string, error) {
	if p.target != "" {
		dir, err := filepath.Abs(p.target)
		if err != nil {
			return nil, err
		}
		return restore.ResolvePlaces(s, dir), nil
	}
	return restore.OriginalPlaces(s)
}

func (p *pick) check() error {
	if (p.target == "") == !p.original {
		return usage("say where: --target DIR, or --original for the places the folders came from")
	}
	return nil
}

func (a *app) restoreCommand() *cobra.Command {
	var (
		p         pick
		o         restore.Options
		overwrite string
		dryRun    bool
	)
	c := &cobra.Command{
		Use:   "restore [PATH...]",
		Short: "Restore a snapshot, or the paths named, below a target or to where it came from",
		Long: `Restore a snapshot, or the paths named, below a target or to where it came from.

PATH is a path as “ls” prints it; a folder brings everything below it. Files are
written under a temporary name and renamed when they are complete and on the disk.
A file that is there with the right content is not fetched again, so a restore that
was stopped continues. A different file is left alone unless --overwrite says else.`,
		RunE: func(c *cobra.Command, args []string) error {
			if err := p.check(); err != nil {
				return err
			}
			switch overwrite {
			case "never":
				o.Overwrite = restore.OverwriteNever
			case "changed":
				o.Overwrite = restore.OverwriteChanged
			case "always":
				o.Overwrite = restore.OverwriteAlways
			default:
				return usage("--overwrite is never, changed or always, not %q", overwrite)
			}
			if err := between("--downloads", o.Downloads, 1, maxParallel); err != nil {
				return err
			}
			o.Select, o.Tier, o.Follow = unquoted(args), p.tier, p.original
			return a.restore(c, p, o, dryRun)
		},
	}
	p.flags(c, "restore to")
	f := c.Flags()
	f.StringVar(&overwrite, "overwrite", "never", "replace files that are there: `WHEN` is never, changed or always")
	f.BoolVar(&o.KeepSetID, "keep-setid", false, "restore setuid and setgid bits and file capabilities")
	f.IntVar(&o.Downloads, "downloads", restore.DefaultDownloads, "how many packs are fetched at once")
	f.BoolVarP(&dryRun, "dry-run", "n", false, "only say what would be done")
	return c
}

func (a *app) restore(c *cobra.Command, p pick, o restore.Options, dryRun bool) error {
	ctx := c.Context()
	var report restore.Report
	var estimate restore.Estimate
	var chosen *core.Chosen
	err := a.withGrid(ctx, func(g *core.Grid, t *progress.Tracker) error {
		var err error
		if chosen, err = g.Choose(ctx, p.number); err != nil {
			return err
		}
		if o.Places, err = p.places(chosen.Snapshot); err != nil {
			return err
		}
		if dryRun {
			estimate, err = g.EstimateRestore(ctx, chosen.Snapshot, o)
			return err
		}
		report, err = g.Restore(ctx, chosen.Snapshot, o, t)
		return err
	})
	if chosen != nil {
		a.warnAbout(chosen)
	}
	if dryRun && err == nil {
		a.printRestoreEstimate(estimate)
		return nil
	}
	if report.Info.Sequence != 0 {
		a.printRestore(report, err)
	}
	a.skipped = report.ProblemCount > 0 || report.WarningCount > 0
	return err
}

// warnAbout prints what is strange about the state of the vault, loudly.
func (a *app) warnAbout(c *core.Chosen) {
	if c.RolledBack {
		fmt.Fprintln(a.err, "WARNING: the grid answered with a state older than this manifest's pin. Servers with the newer state are away, or somebody hides it.")
	}
	if c.NoVault != nil {
		fmt.Fprintln(a.err, "WARNING: the vault directory is not to be had from the grid. Using the snapshot pinned in the manifest; newer ones, if any, are not visible.")
	}
	if len(c.Missing) > 0 {
		for i := range c.Missing {
			c.Missing[i] = shown(c.Missing[i])
		}
		fmt.Fprintf(a.err, "WARNING: this snapshot does not hold %s; an older one may. “snapshots” shows which.\n", strings.Join(c.Missing, ", "))
	}
	for _, err := range c.Unreadable {
		fmt.Fprintf(a.err, "WARNING: a newer snapshot could not be read: %v\n", err)
	}
}

func (a *app) printRestore(r restore.Report, failed error) {
	if a.json {
		printJSON(a.out, map[string]any{
			"type": "report", "command": "restore", "done": failed == nil, "snapshot": r.Info.Sequence, "files": r.Files, "folders": r.Folders,
			"links": r.Links, "others": r.Others, "bytes": r.Bytes, "present": r.Present, "present_bytes": r.PresentBytes, "fetched": r.Fetched, "continued": r.Continued,
			"problems": problemList(r.Problems), "problem_count": r.ProblemCount,
			"warnings": problemList(r.Warnings), "warning_count": r.WarningCount, "seconds": r.Elapsed.Seconds(),
		})
		return
	}
	for _, p := range r.Problems {
		fmt.Fprintf(a.err, "Not restored: %s: %v\n", shown(p.Path), p.Err)
	}
	for _, p := range r.Warnings {
		fmt.Fprintf(a.err, "Restored without some metadata: %s: %v\n", shown(p.Path), p.Err)
	}
	done := r.Files + r.Links + r.Others + r.Folders
	if failed == nil || done > 0 {
		what := plural(r.Files, "file", "files")
		if r.Links > 0 {
			what += " and " + plural(r.Links, "link", "links")
		}
		fmt.Fprintf(a.out, "Restored %s, %s, from snapshot %d of %s, in %s.\n",
			what, size(r.Bytes), r.Info.Sequence, r.Info.Time.Local().Format("2 January 2006 15:04"), seconds(r.Elapsed))
	}
	if r.Continued > 0 {
		fmt.Fprintf(a.out, "Continued unfinished files: %s of them stood already and were right.\n", size(r.Continued))
	}
	if r.Present > 0 {
		fmt.Fprintf(a.out, "%s already there with the right content.\n", plural(r.Present, "entry was", "entries were"))
	}
	if failed != nil {
		return
	}
	switch r.ProblemCount {
	case 0:
		if r.Files > 0 {
			fmt.Fprintln(a.out, "Every piece was compared with its SHA-256 before it was written.")
		}
	case 1:
		fmt.Fprintln(a.out, "1 entry was not restored; it is named above.")
	default:
		fmt.Fprintf(a.out, "%s entries were not restored; they are named above.\n", count(r.ProblemCount))
	}
	if slices.ContainsFunc(r.Problems, func(p restore.Problem) bool { return errors.Is(p, restore.ErrDifferent) }) {
		fmt.Fprintln(a.out, "To replace files that differ, add --overwrite changed.")
	}
	a.lacking(r.Info)
}

// lacking says that a snapshot is not all there was.
func (a *app) lacking(i snapshot.Info) {
	if i.Skipped > 0 {
		fmt.Fprintf(a.out, "Snapshot %d itself lacks %s that could not be read when it was made.\n", i.Sequence, plural(i.Skipped, "entry", "entries"))
	}
}

func problemList(problems []restore.Problem) []map[string]any {
	list := make([]map[string]any, 0, len(problems))
	for _, p := range problems {
		list = append(list, map[string]any{"path": shown(p.Path), "error": p.Err.Error()})
	}
	return list
}

func (a *app) printRestoreEstimate(e restore.Estimate) {
	if a.json {
		printJSON(a.out, map[string]any{
			"type": "estimate", "command": "restore", "snapshot": e.Info.Sequence, "entries": e.Entries, "files": e.Files,
			"bytes": e.Bytes, "to_write": e.ToWrite, "to_fetch": e.ToFetch,
		})
		return
	}
	fmt.Fprintf(a.out, "Would restore %s, %s, from snapshot %d; at most %s would be fetched, less what is already there.\nNothing was changed.\n",
		plural(e.Files, "file", "files"), size(e.Bytes), e.Info.Sequence, size(e.ToFetch))
}

func (a *app) snapshotsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "snapshots",
		Short: "List the snapshots in the vault",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			var list *core.Snapshots
			if err := a.withGrid(c.Context(), func(g *core.Grid, _ *progress.Tracker) error {
				var err error
				list, err = g.Snapshots(c.Context())
				return err
			}); err != nil {
				return err
			}
			a.printSnapshots(list)
			return nil
		},
	}
}

func (a *app) printSnapshots(list *core.Snapshots) {
	a.warnAbout(&core.Chosen{RolledBack: list.RolledBack, NoVault: list.NoVault})
	if a.json {
		rows := make([]map[string]any, 0, len(list.Infos))
		for _, i := range list.Infos {
			rows = append(rows, map[string]any{"snapshot": i.Sequence, "time": i.Time.Format(time.RFC3339), "files": i.Totals.Files,
				"bytes": i.Totals.Bytes, "skipped": i.Skipped, "folders": folderNames(i), "pinned": i.Sequence == list.Pinned})
		}
		printJSON(a.out, map[string]any{"type": "report", "command": "snapshots", "snapshots": rows, "unreadable": len(list.Broken), "rolled_back": list.RolledBack})
		return
	}
	switch {
	case len(list.Infos)+len(list.Broken) == 0:
		fmt.Fprintln(a.out, "There is no snapshot yet. “backup” makes one.")
	case len(list.Infos) == 0:
		fmt.Fprintln(a.out, "The vault holds no snapshot that can be read.")
	default:
		fmt.Fprintf(a.out, "%8s  %-17s %10s %10s  %s\n", "snapshot", "date", "files", "size", "folders")
	}
	for _, i := range list.Infos {
		notes := ""
		if i.Skipped > 0 {
			notes += fmt.Sprintf(" (%s skipped)", count(i.Skipped))
		}
		if i.Sequence == list.Pinned {
			notes += " (pinned)"
		}
		fmt.Fprintf(a.out, "%8d  %-17s %10s %10s  %s%s\n", i.Sequence, i.Time.Local().Format("2006-01-02 15:04"),
			count(i.Totals.Files), size(int64(i.Totals.Bytes)), strings.Join(folderNames(i), ", "), notes)
	}
	for n, err := range list.Broken {
		fmt.Fprintf(a.err, "Snapshot %d cannot be read: %v\n", n, err)
	}
}

func folderNames(i snapshot.Info) []string {
	names := make([]string, 0, len(i.Folders))
	for _, f := range i.Folders {
		names = append(names, shown(f.Name))
	}
	return names
}

func (a *app) lsCommand() *cobra.Command {
	var number uint64
	var long bool
	c := &cobra.Command{
		Use:   "ls [PATH...]",
		Short: "List what a snapshot holds",
		RunE: func(c *cobra.Command, args []string) error {
			args = unquoted(args)
			found := false
			quiet := *a
			quiet.quiet, quiet.json = true, false // the list is the output
			err := quiet.withGrid(c.Context(), func(g *core.Grid, _ *progress.Tracker) error {
				chosen, err := g.Choose(c.Context(), number)
				if err != nil {
					return err
				}
				out := bufio.NewWriter(a.out)
				defer out.Flush()
				return g.Entries(c.Context(), chosen.Snapshot, func(e *snapshot.Entry) error {
					if len(args) > 0 && !within(string(e.Path), args) {
						return nil
					}
					found = true
					if a.json {
						printJSON(out, entryObject(e))
						return nil
					}
					_, err := fmt.Fprintln(out, entryLine(e, long))
					return err
				})
			})
			if err == nil && len(args) > 0 && !found {
				return fmt.Errorf("%w: %q", restore.ErrSelection, args)
			}
			return err
		},
	}
	c.Flags().Uint64Var(&number, "snapshot", 0, "the snapshot's `NUMBER`; the newest by default")
	c.Flags().BoolVarP(&long, "long", "l", false, "show mode, owner, size and time")
	return c
}

// unquoted accepts names as “ls” prints them, quoted where they are not plain
// text.
func unquoted(args []string) []string {
	names := make([]string, len(args))
	for i, arg := range args {
		if plain, err := strconv.Unquote(arg); err == nil && strings.HasPrefix(arg, `"`) {
			arg = plain
		}
		names[i] = strings.Trim(arg, "/")
	}
	return names
}

func within(path string, roots []string) bool {
	for _, r := range roots {
		if path == r || strings.HasPrefix(path, r+"/") {
			return true
		}
	}
	return false
}

// entryLine is one line of “ls”.
func entryLine(e *snapshot.Entry, long bool) string {
	name := shown(string(e.Path))
	if !long {
		if e.Type == snapshot.TypeDir {
			name += "/"
		}
		return name
	}
	switch e.Type {
	case snapshot.TypeSymlink:
		name += " -> " + shown(string(e.Target))
	case snapshot.TypeHardlink:
		name += " = " + shown(string(e.Target))
	}
	owner := e.User
	if owner == "" {
		owner = fmt.Sprint(e.UID)
	}
	return fmt.Sprintf("%c%04o %-10s %12s  %s  %s", typeLetter(e.Type), e.Mode, owner, count(e.Size),
		time.Unix(e.ModTime.Sec, int64(e.ModTime.Nsec)).Format("2006-01-02 15:04"), name)
}

func entryObject(e *snapshot.Entry) map[string]any {
	o := map[string]any{"type": "entry", "path": shown(string(e.Path)), "kind": e.Type.String(), "mode": fmt.Sprintf("%04o", e.Mode),
		"size": e.Size, "time": time.Unix(e.ModTime.Sec, int64(e.ModTime.Nsec)).UTC().Format(time.RFC3339Nano)}
	if len(e.Target) > 0 {
		o["target"] = shown(string(e.Target))
	}
	return o
}

func typeLetter(t snapshot.Type) byte {
	return map[snapshot.Type]byte{snapshot.TypeDir: 'd', snapshot.TypeSymlink: 'l', snapshot.TypeHardlink: 'h',
		snapshot.TypeFIFO: 'p', snapshot.TypeCharDevice: 'c', snapshot.TypeBlockDevice: 'b', snapshot.TypeFile: '-'}[t]
}

func (a *app) compareCommand() *cobra.Command {
	var p pick
	c := &cobra.Command{
		Use:   "compare [PATH...]",
		Short: "Hold a snapshot against the files on disk",
		Long: `Hold a snapshot against the files on disk: content by hash, mode, time, links and
attributes, and what is missing or new. Only the list of files is fetched.
The exit code is 3 when anything differs.`,
		RunE: func(c *cobra.Command, args []string) error {
			if err := p.check(); err != nil {
				return err
			}
			var result restore.Comparison
			err := a.withGrid(c.Context(), func(g *core.Grid, t *progress.Tracker) error {
				chosen, err := g.Choose(c.Context(), p.number)
				if err != nil {
					return err
				}
				o := restore.Options{Select: unquoted(args), Tier: p.tier, Follow: p.original}
				if o.Places, err = p.places(chosen.Snapshot); err != nil {
					return err
				}
				result, err = g.Compare(c.Context(), chosen.Snapshot, o, t)
				return err
			})
			if err != nil {
				return err
			}
			a.printComparison(result)
			a.skipped = result.Count > 0
			return nil
		},
	}
	p.flags(c, "compare with")
	return c
}

func (a *app) printComparison(r restore.Comparison) {
	if a.json {
		rows := make([]map[string]any, 0, len(r.Differences))
		for _, d := range r.Differences {
			rows = append(rows, map[string]any{"path": shown(d.Path), "how": d.How, "what": d.What})
		}
		printJSON(a.out, map[string]any{"type": "report", "command": "compare", "snapshot": r.Info.Sequence, "entries": r.Entries,
			"same": r.Same, "bytes": r.Bytes, "differences": rows, "difference_count": r.Count, "seconds": r.Elapsed.Seconds()})
		return
	}
	for _, d := range r.Differences {
		line := fmt.Sprintf("%-9s %s", d.How, shown(d.Path))
		if d.What != "" {
			line += " (" + d.What + ")"
		}
		fmt.Fprintln(a.out, line)
	}
	if r.Count == 0 {
		fmt.Fprintf(a.out, "No differences: %s, %s, are as snapshot %d has them.\n", plural(r.Same, "entry", "entries"), size(r.Bytes), r.Info.Sequence)
		a.lacking(r.Info)
		return
	}
	fmt.Fprintf(a.out, "%s; %s the same, compared with snapshot %d.\n", plural(r.Count, "difference", "differences"), plural(r.Same, "entry is", "entries are"), r.Info.Sequence)
}
