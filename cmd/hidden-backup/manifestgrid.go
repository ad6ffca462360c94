package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"hiddenbackup/core/host"
	"hiddenbackup/core/manifest"
)

// inviteFlags are the invites that a grid is made of, and its numbers.
type inviteFlags struct {
	files   []string
	numbers host.Numbers
}

func (i *inviteFlags) add(f *pflag.FlagSet) {
	f.StringArrayVar(&i.files, "invite", nil, "use the server of the invite in `FILE`, as “host invite” makes them; may be repeated")
	f.IntVar(&i.numbers.Needed, "needed", 0, "how many shares restore a file")
	f.IntVar(&i.numbers.Happy, "happy", 0, "how many servers must take shares")
	f.IntVar(&i.numbers.Total, "total", 0, "how many shares are made of each file")
}

// read returns the invites in all files.
func (i *inviteFlags) read() (invites []*host.Invite, err error) {
	for _, n := range []int{i.numbers.Needed, i.numbers.Happy, i.numbers.Total} {
		if n < 0 || n > 255 {
			return nil, usage("--needed, --happy and --total are from 1 to 255")
		}
	}
	for _, file := range i.files {
		text, err := manifest.Load(file)
		if err != nil {
			return nil, err
		}
		found, err := host.ParseInvites(text)
		clear(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		invites = append(invites, found...)
	}
	return invites, nil
}

// grid is the grid of the invites for a new manifest.
func (a *app) grid(i *inviteFlags) (manifest.Grid, error) {
	invites, err := i.read()
	if err != nil {
		return manifest.Grid{}, err
	}
	a.showInvites(invites)
	nodes := 0
	for _, invite := range invites {
		if invite.Service == "storage" {
			nodes++
		}
	}
	if n := i.numbers; nodes == 0 && (n.Needed == 0 || n.Happy == 0 || n.Total == 0) {
		return manifest.Grid{}, usage("how many storage nodes an introducer tells of is not known here: give --needed, --happy and --total")
	}
	return host.Grid(invites, i.numbers, time.Now())
}

// showInvites says what their makers promise.
func (a *app) showInvites(invites []*host.Invite) {
	if a.quiet || a.json {
		return
	}
	for _, i := range invites {
		s := i.Server
		about := []string{shown(s.Nickname)}
		for _, label := range []string{s.Operator, s.Place} {
			if label != "" {
				about = append(about, shown(label))
			}
		}
		if i.Service == "introducer" {
			about = append(about, "an introducer")
		} else {
			about = append(about, size(i.Space)+" free when it was invited to")
		}
		if s.LeaseDays > 0 {
			about = append(about, "deletes what was not renewed for "+plural(s.LeaseDays, "day", "days"))
		}
		if i.HasKey() {
			about = append(about, "opens to a key only")
		} else {
			about = append(about, "opens to whoever knows its address")
		}
		fmt.Fprintln(a.err, strings.Join(about, ", "))
	}
}

func (a *app) gridCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "grid",
		Short: "Change the grid that a manifest names",
	}
	c.AddCommand(a.gridAddCommand())
	return c
}

func (a *app) gridAddCommand() *cobra.Command {
	var flags inviteFlags
	c := &cobra.Command{
		Use:   "add",
		Short: "Add servers to a manifest's grid, by their invites",
		Long: `Add servers to a manifest's grid, by their invites, and seal the manifest again as
its next generation. A server that is there already gets the invite's address and key.

There will be one share more for each new server; with --needed, --happy and --total
you choose. Copies that holders have do not know the new servers: replace them. What is
stored already stays where it is.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if len(flags.files) == 0 {
				return usage("name the invites with --invite FILE")
			}
			invites, err := flags.read()
			if err != nil {
				return err
			}
			a.showInvites(invites)
			return a.reseal(c.Context(), "adding servers", func(m *manifest.Manifest) error {
				grid, changes, err := host.AddToGrid(m.Grid, invites, flags.numbers, time.Now())
				if err != nil {
					return err
				}
				m.Grid = grid
				if a.json {
					return nil
				}
				for _, change := range changes {
					what := "added"
					if change.Renewed {
						what = "was there already, and has a new address and key now"
					}
					fmt.Fprintf(a.out, "%s: %s.\n", shown(change.Server), what)
				}
				fmt.Fprintf(a.out, "Of %d shares of each new file, any %d bring it back.\n", grid.Total, grid.Needed)
				return nil
			})
		},
	}
	flags.add(c.Flags())
	return c
}
