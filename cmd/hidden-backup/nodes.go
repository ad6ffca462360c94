package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"hiddenbackup/core"
	"hiddenbackup/core/progress"
)

func (a *app) statusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Show the grid: each server, and what that allows",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			var s core.Status
			var p core.Proofs
			var waited, unread error
			err := a.withGrid(c.Context(), func(g *core.Grid, _ *progress.Tracker) error {
				waited = g.WaitToWrite(c.Context())
				if c.Context().Err() != nil {
					return waited
				}
				var err error
				if s, err = g.Status(c.Context()); err != nil || s.Usable < s.Needed {
					return err
				}
				p, unread = g.Proofs(c.Context())
				return context.Cause(c.Context())
			})
			if err != nil {
				return err
			}
			a.printStatus(s, p, unread)
			if s.Usable < s.Needed {
				return waited
			}
			return nil
		},
	}
}

func (a *app) printStatus(s core.Status, p core.Proofs, unread error) {
	if a.json {
		servers := make([]map[string]any, 0, len(s.Servers))
		for _, v := range s.Servers {
			heard := ""
			if !v.LastHeard.IsZero() {
				heard = v.LastHeard.UTC().Format(time.RFC3339)
			}
			servers = append(servers, map[string]any{"name": v.Name, "operator": v.Operator, "place": v.Place,
				"connected": v.Connected, "silent": v.Silent, "last_heard": heard, "status": v.Text, "space": v.AvailableSpace, "lease_days": v.LeaseDays})
		}
		o := map[string]any{"type": "report", "command": "status", "usable": s.Usable, "needed": s.Needed, "happy": s.Happy, "total": s.Total, "to_write": s.ToWrite, "servers": servers}
		o["introducers"] = introducersThere(s)
		if s.Tor != nil {
			o["tor"] = map[string]any{"own": s.Tor.Own, "percent": s.Tor.Percent, "away": s.TorAway != nil}
		}
		if p.Newest.Sequence > 0 {
			o["newest"], o["newest_time"], o["leases_until"] = p.Newest.Sequence, p.Newest.Time, p.Leases
		}
		printJSON(a.out, o)
		return
	}
	a.printWay(s)
	for _, v := range s.Servers {
		mark, note := "away     ", ""
		switch {
		case v.Silent:
			mark, note = "silent   ", "nothing heard for "+time.Since(v.LastHeard).Round(time.Second).String()
		case v.Connected:
			mark = "connected"
			switch {
			case v.AvailableSpace == 0:
				note = "full, or takes nothing"
			case v.AvailableSpace > 0:
				note = size(v.AvailableSpace) + " free"
			}
		}
		fmt.Fprintf(a.out, "%s  %-16s %s\n", mark, shown(v.Name), note)
	}
	fmt.Fprintf(a.out, "%d of %d servers answer. Restoring needs %d, backing up %d.\n", s.Usable, len(s.Servers), s.Needed, s.ToWrite)
	fmt.Fprintf(a.out, "A backup reaches at least %d servers, so any %d of them may vanish for good; when it reaches all, any %d may.\n", s.Happy, s.Happy-s.Needed, s.Total-s.Needed)
	if s.Usable >= s.Needed {
		a.printPromises(s, p, unread)
	}
}

// printWay says how the grid is reached, and who tells of its servers.
func (a *app) printWay(s core.Status) {
	if s.Tor != nil {
		whose, state := "this computer's", "connected"
		if s.Tor.Own {
			whose = "our own"
		}
		switch {
		case s.TorAway != nil:
			state = "away"
		case s.Tor.Percent >= 0 && !s.Tor.Connected():
			state = fmt.Sprintf("at %d %%, %s", s.Tor.Percent, s.Tor.Summary)
		case s.Tor.Percent < 0:
			state = "there"
		}
		fmt.Fprintf(a.out, "Tor: %s, %s.\n", whose, state)
	}
	if n := len(s.Introducers); n > 0 {
		fmt.Fprintf(a.out, "Introducers: %d of %d there; pinned servers are found without.\n", introducersThere(s), n)
	}
}

func introducersThere(s core.Status) (there int) {
	for _, i := range s.Introducers {
		if i.Connected {
			there++
		}
	}
	return there
}

// printPromises says until when what is stored is kept.
func (a *app) printPromises(s core.Status, p core.Proofs, unread error) {
	if unread != nil {
		fmt.Fprintf(a.err, "What the vault remembers cannot be read: %s\n", core.Explain(unread).Title)
		return
	}
	if p.Newest.Sequence == 0 {
		return
	}
	fmt.Fprintf(a.out, "Newest snapshot: %d of %s. Its leases last until %s.\n", p.Newest.Sequence, moment(p.Newest.Time), day(p.Leases))
	if !p.Checked.Time.IsZero() {
		fmt.Fprintf(a.out, "Last check: %s, snapshot %d; any %s may vanish.\n", moment(p.Checked.Time), p.Checked.Snapshot, plural(p.Checked.Servers, "server", "servers"))
	}
	forever, unknown := 0, 0
	for _, v := range s.Servers {
		switch {
		case v.LeaseDays > 0:
			fmt.Fprintf(a.out, "%s deletes what was not renewed for %s.\n", shown(v.Name), plural(v.LeaseDays, "day", "days"))
		case v.LeaseDays < 0:
			forever++
		default:
			unknown++
		}
	}
	if forever > 0 {
		fmt.Fprintf(a.out, "%s nothing by %s, as far as is known.\n", plural(forever, "server deletes", "servers delete"), verb(forever, "itself", "themselves"))
	}
	if unknown > 0 {
		fmt.Fprintf(a.out, "Of %s it is not known whether they delete old shares.\n", plural(unknown, "server", "servers"))
	}
}

func (a *app) gatewayCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "gateway",
		Short: "Keep one gateway running for several commands",
		Long: `Every command starts the gateway it needs and stops it again. “gateway start” keeps
one running instead, which saves each command some seconds, until “gateway stop”.`,
	}
	c.AddCommand(&cobra.Command{
		Use:   "start",
		Short: "Start a gateway for the manifest and keep it running",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			access, err := a.access(c)
			if err != nil {
				return err
			}
			pid, err := core.StartGateway(c.Context(), a.config, access)
			if err != nil {
				return err
			}
			fmt.Fprintf(a.out, "The gateway runs (process %d). Stop it before you wipe or leave: gateway stop --manifest %s\n", pid, shown(a.manifest))
			return nil
		},
	}, &cobra.Command{
		Use:   "stop",
		Short: "Stop the gateway that “gateway start” started",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			access, err := a.access(c)
			if err != nil {
				return err
			}
			if err := core.StopGateway(a.config, access); err != nil {
				return err
			}
			fmt.Fprintln(a.out, "The gateway is stopped and its files are gone.")
			return nil
		},
	})
	return c
}

func (a *app) access(c *cobra.Command) (*core.Access, error) {
	opened, err := a.open(c.Context())
	if err != nil {
		return nil, err
	}
	return core.NewAccess(opened)
}

func (a *app) practiceCommand() *cobra.Command {
	var p core.Practice
	c := &cobra.Command{
		Use:   "practice",
		Short: "A practice grid on this computer: real storage nodes, nothing leaves the machine",
	}
	c.PersistentFlags().StringVar(&p.Directory, "dir", "", "keep the grid's data in `DIR` (default ~/.local/share/hidden-backup/practice)")
	start := &cobra.Command{
		Use:   "start",
		Short: "Start the practice grid in the background",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := between("--nodes", p.Nodes, 0, 64); err != nil {
				return err
			}
			if p.Nodes > 0 && (p.Needed > p.Nodes || p.Happy > p.Nodes) {
				return usage("--needed and --happy cannot be more than --nodes")
			}
			if !a.quiet && !a.json {
				fmt.Fprintln(a.err, "Starting an introducer and the storage nodes; this takes some seconds.")
			}
			s, err := core.StartPractice(c.Context(), p)
			if err != nil {
				return err
			}
			a.printPractice(s)
			return nil
		},
	}
	start.Flags().BoolVar(&p.Onions, "onion", false, "put the nodes behind onion services, in a Tor network of their own on this computer")
	start.Flags().IntVar(&p.Nodes, "nodes", 0, "how many storage nodes (default 6)")
	start.Flags().IntVar(&p.Needed, "needed", 0, "how many shares restore a file (default half of the nodes)")
	start.Flags().IntVar(&p.Happy, "happy", 0, "how many nodes must take shares")
	c.AddCommand(start, &cobra.Command{
		Use:   "status",
		Short: "Show the practice grid's nodes and what they store",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := core.StatusOfPractice(p.Directory)
			if err != nil {
				return err
			}
			a.printPractice(s)
			return nil
		},
	}, &cobra.Command{
		Use:   "stop",
		Short: "Stop the practice grid; what it stores stays",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := core.StopPractice(p.Directory); err != nil {
				return err
			}
			fmt.Fprintln(a.out, "The practice grid is stopped. What it stores stays.")
			return nil
		},
	})
	return c
}

func (a *app) printPractice(s core.PracticeStatus) {
	if a.json {
		nodes := make([]map[string]any, 0, len(s.Nodes))
		for _, n := range s.Nodes {
			nodes = append(nodes, map[string]any{"name": n.Name, "running": n.Running, "used": n.Used})
		}
		printJSON(a.out, map[string]any{"type": "report", "command": "practice", "directory": s.Directory, "running": s.Running, "onions": s.Onions,
			"needed": s.Needed, "happy": s.Happy, "total": s.Total, "used": s.Used(), "nodes": nodes})
		return
	}
	running := "stopped"
	if s.Running {
		running = "running"
	}
	fmt.Fprintf(a.out, "Practice grid in %s: %s. Of %d shares of each file, any %d bring it back.\n", shown(s.Directory), running, s.Total, s.Needed)
	for _, n := range s.Nodes {
		state := "stopped"
		if n.Running {
			state = "running"
		}
		fmt.Fprintf(a.out, "  %-12s %s  %s stored\n", n.Name, state, size(n.Used))
	}
}

// keeperCommand is not for people: see core.KeeperCommand.
func (a *app) keeperCommand() *cobra.Command {
	return &cobra.Command{
		Use:    core.KeeperCommand,
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE:   func(c *cobra.Command, _ []string) error { return core.RunKeeper(c.Context()) },
	}
}

func (a *app) manCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "man DIR",
		Short:  "Write the manual pages into DIR",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			root := c.Root()
			root.DisableAutoGenTag = true
			return doc.GenManTree(root, &doc.GenManHeader{Title: "HIDDEN-BACKUP", Section: "1", Source: "Hidden Backup " + version}, args[0])
		},
	}
}
