package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"hiddenbackup/core"
	"hiddenbackup/core/progress"
	"hiddenbackup/core/upkeep"
)

func (a *app) checkCommand() *cobra.Command {
	var p core.CheckPlan
	c := &cobra.Command{
		Use:   "check",
		Short: "Ask the servers for everything the backup needs; repair and renew it",
		Long: `Ask the servers for every pack, every snapshot and the vault directory: how many
shares are there, on how many servers, and how many may vanish before anything is
lost. That takes a round trip for each object and downloads nothing.

With --download every share on every server is fetched and compared, and each pack
is opened down to its last chunk, as a restore would. --sample N does that with N
packs chosen at random.

--repair makes missing shares again. Corrupt ones it finds only with --download or
--sample; what they belong to is then stored anew under another name, because Tahoe
does not mend it in place. --renew renews all leases: servers that delete old shares
keep these for another month.

The exit code is 0 when everything is whole, 3 when something is weaker than planned
and can be read, 1 when something is lost.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if c.Flags().Changed("sample") {
				if p.Sample <= 0 {
					return usage("--sample needs a number of packs above 0, not %d", p.Sample)
				}
				p.Download = true
			}
			return a.check(c, p)
		},
	}
	f := c.Flags()
	f.BoolVar(&p.Download, "download", false, "fetch and verify every byte")
	f.IntVar(&p.Sample, "sample", 0, "fetch and verify `N` packs chosen at random")
	f.BoolVar(&p.Repair, "repair", false, "make again what is missing or damaged")
	f.BoolVar(&p.Renew, "renew", false, "renew all leases")
	return c
}

func (a *app) check(c *cobra.Command, p core.CheckPlan) error {
	var r core.CheckReport
	err := a.withGrid(c.Context(), func(g *core.Grid, t *progress.Tracker) error {
		var err error
		r, err = g.Check(c.Context(), a.config, p, t)
		return err
	})
	if err != nil {
		return err
	}
	if a.json {
		a.printCheckJSON(r)
	} else {
		a.printCheck(r, p)
	}
	a.skipped = r.Weak()
	return r.Err()
}

func (a *app) printCheckJSON(r core.CheckReport) {
	findings := make([]map[string]any, 0, len(r.Findings))
	for _, f := range r.Findings {
		findings = append(findings, findingObject(f))
	}
	broken := make(map[string]string)
	for n, err := range r.Broken {
		broken[fmt.Sprint(n)] = err.Error()
	}
	o := map[string]any{
		"type": "report", "command": "check", "objects": r.Objects, "packs": r.Packs, "bytes": r.Bytes, "read": r.Read, "states": r.States,
		"snapshots": r.Snapshots, "newest": r.Newest.Sequence, "broken": broken, "servers": r.Servers, "away": r.Away, "worst": findingObject(r.Worst),
		"findings": findings, "replaced": r.Replaced, "reissued": r.Reissued, "renewed": r.Renewed, "rolled_back": r.RolledBack,
		"stale_pin": r.Stale, "seconds": r.Elapsed.Seconds(),
	}
	if r.Proof.Of > 0 {
		o["sample"] = map[string]any{"packs": r.Proof.Sampled, "of": r.Proof.Of, "finds": r.Proof.Damaged}
	}
	if r.Unrecorded != nil {
		o["unrecorded"] = r.Unrecorded.Error()
	}
	printJSON(a.out, o)
}

func findingObject(f upkeep.Finding) map[string]any {
	o := map[string]any{
		"name": f.Object.Name, "kind": f.Object.Kind, "state": f.State, "snapshots": f.Object.Snapshots,
		"shares": f.Health.SharesGood, "of": f.Health.SharesTotal, "needed": f.Health.SharesNeeded, "hosts": f.Health.GoodHosts,
		"corrupt": f.Health.CorruptShares, "servers_to_lose": f.Servers, "repaired": f.Repaired,
	}
	if f.Operators >= 0 {
		o["operators_to_lose"] = f.Operators
	}
	if f.Err != nil {
		o["error"] = f.Err.Error()
	}
	return o
}

func (a *app) printCheck(r core.CheckReport, p core.CheckPlan) {
	if r.RolledBack {
		fmt.Fprintln(a.err, "Warning: the grid answered with a state older than the manifest's pin. Servers with the newer state are away, or somebody hides it.")
	}
	if r.NoVault != nil {
		fmt.Fprintln(a.err, "Warning: the vault directory cannot be read; only the pinned snapshot was checked.")
	}
	for _, n := range sortedKeys(r.Broken) {
		fmt.Fprintf(a.err, "Snapshot %d cannot be opened: %v\n", n, r.Broken[n])
	}
	a.printFindings(r.Report)
	fmt.Fprintf(a.out, "%s, %s and the vault's own lists: %s in all, asked for in %s.\n",
		plural(r.Snapshots, "snapshot", "snapshots"), plural(r.Packs, "pack", "packs"), size(r.Bytes), seconds(r.Elapsed))
	if len(r.Replaced) > 0 {
		fmt.Fprintf(a.out, "Stored anew, because Tahoe does not mend it in place: %s.\n", strings.Join(r.Replaced, ", "))
	}
	if len(r.Reissued) > 0 {
		fmt.Fprintf(a.out, "%s now %s the new place.\n", numbered("Snapshot", "Snapshots", r.Reissued), verb(len(r.Reissued), "names", "name"))
	}
	if r.Away > 0 {
		fmt.Fprintf(a.out, "%s away.\n", plural(r.Away, "server is", "servers are"))
	}
	a.printMargin(r.Worst)
	switch {
	case r.Read == 0:
		fmt.Fprintln(a.out, "Nothing was downloaded: that the servers have the shares is what they say. --download or --sample 30 proves it.")
	case r.Proof.Of > 0:
		fmt.Fprintf(a.out, "Every byte of %s of %d chosen at random was read. If %d or more of them (%.1f %%) were damaged, this would have found it with a probability of at least 95 %%.\n",
			plural(r.Proof.Sampled, "pack", "packs"), r.Proof.Of, r.Proof.Damaged, r.Proof.Percent())
	case r.Read < r.Packs:
		fmt.Fprintf(a.out, "%s of %s could be read down to the last chunk.\n", count(r.Read), plural(r.Packs, "pack", "packs"))
	default:
		fmt.Fprintf(a.out, "Every byte of every share was fetched, and %s opened down to the last chunk.\n", plural(r.Read, "pack was", "packs were"))
	}
	if p.Renew && !r.Renewed {
		fmt.Fprintln(a.out, "Not all leases could be renewed: some servers are away or keep an answer back.")
	}
	if r.Renewed {
		fmt.Fprintf(a.out, "All leases are renewed until %s.\n", day(time.Now().Add(core.LeaseTime)))
	}
	if r.Stale {
		fmt.Fprintln(a.out, "The snapshot in the form that your manifest pins has damaged shares. Pin the next backup (“backup --pin”) and give the new manifest to its holders.")
	}
	if r.Unrecorded != nil {
		fmt.Fprintf(a.err, "This outcome could not be noted in the vault: %s\n", core.Explain(r.Unrecorded).Title)
	}
	switch {
	case p.Repair:
	case r.States[upkeep.Damaged] > 0:
		fmt.Fprintln(a.out, "“check --download --repair” stores anew what is corrupt.")
	case r.States[upkeep.Weak] > 0:
		fmt.Fprintln(a.out, "“check --repair” makes again what is missing.")
	}
}

// printFindings names what is not whole, the worst first.
func (a *app) printFindings(r upkeep.Report) {
	const most = 20
	named := 0
	for _, state := range []upkeep.State{upkeep.Lost, upkeep.Unknown, upkeep.Damaged, upkeep.Weak, upkeep.Whole} {
		for _, f := range r.Of(state) {
			if named++; named <= most {
				a.printFinding(f)
			}
		}
	}
	if named > most {
		fmt.Fprintf(a.out, "… and %s more.\n", count(named-most))
	}
}

func (a *app) printFinding(f upkeep.Finding) {
	line := fmt.Sprintf("%s: %d of %d shares on %s", sentenceStart(f.Object.Name), f.Health.SharesGood, f.Health.SharesTotal, plural(f.Health.GoodHosts, "server", "servers"))
	if f.Health.CorruptShares > 0 {
		line += fmt.Sprintf(", %d corrupt", f.Health.CorruptShares)
	}
	switch {
	case f.State == upkeep.Lost && f.Object.Kind == "snapshot" && len(f.Object.Snapshots) > 0:
		line += fmt.Sprintf("; it cannot be read. “forget %d” takes it off the list.", f.Object.Snapshots[0])
	case f.State == upkeep.Lost && len(f.Object.Snapshots) > 0:
		line += "; it cannot be read. " + numbered("Snapshot", "Snapshots", f.Object.Snapshots) + " " + verb(len(f.Object.Snapshots), "needs", "need") +
			" it. If the files are still there, the next backup stores their content again; older snapshots stay broken until they are forgotten."
	case f.State == upkeep.Unknown:
		line = sentenceStart(f.Object.Name) + ": a server keeps the answer back; nothing is known of it."
	case f.State == upkeep.Lost:
		line += "; it cannot be read."
	case f.Repaired && f.State == upkeep.Whole:
		line += "; repaired."
	case f.Repaired:
		line += "; better than it was, not yet as planned."
	default:
		line += "; it can be read."
	}
	fmt.Fprintln(a.out, line)
	if f.Err != nil {
		fmt.Fprintf(a.out, "  (%v)\n", f.Err)
	}
}

// printMargin says what the weakest object can stand.
func (a *app) printMargin(worst upkeep.Finding) {
	switch {
	case worst.State == "" || worst.State == upkeep.Lost || worst.State == upkeep.Unknown:
		return
	case worst.Servers == 0:
		fmt.Fprintf(a.out, "No server may vanish: the weakest object is %s.\n", worst.Object.Name)
	case worst.State == upkeep.Whole:
		fmt.Fprintf(a.out, "Everything is whole. Any %s may vanish before anything is lost.\n", plural(worst.Servers, "server", "servers"))
	default:
		fmt.Fprintf(a.out, "Any %s may vanish before anything is lost; the weakest object is %s.\n", plural(worst.Servers, "server", "servers"), worst.Object.Name)
	}
	switch {
	case worst.Operators == 0:
		fmt.Fprintln(a.out, "But all of it depends on one operator: without her servers something is lost.")
	case worst.Operators > 0:
		fmt.Fprintf(a.out, "Any %s may vanish with all their servers.\n", plural(worst.Operators, "operator", "operators"))
	}
}

func sortedKeys[V any](m map[uint64]V) []uint64 {
	var keys []uint64
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// numbered names some numbers: "Snapshots 1, 2 and 5".
func numbered(one, many string, numbers []uint64) string {
	sorted := slices.Sorted(slices.Values(numbers))
	if len(sorted) == 1 {
		return fmt.Sprintf("%s %d", one, sorted[0])
	}
	if n := len(sorted); sorted[n-1]-sorted[0] == uint64(n-1) && n > 2 {
		return fmt.Sprintf("%s %d to %d", many, sorted[0], sorted[n-1])
	}
	words := make([]string, len(sorted))
	for i, n := range sorted {
		words[i] = fmt.Sprint(n)
	}
	return many + " " + strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}

func verb(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

func day(t time.Time) string { return t.Local().Format(time.DateOnly) }
