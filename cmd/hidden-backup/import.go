package main

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"hiddenbackup/core"
	"hiddenbackup/core/manifest"
)

func (a *app) importCommand() *cobra.Command {
	var output string
	var choose bool
	c := &cobra.Command{
		Use:   "import FILE",
		Short: "Read a manifest of the first hidden-tahoe-backup and make a new one from it",
		Long: `Read a manifest of the first hidden-tahoe-backup, sealed or plain, and show what it
holds. With --output, make a vault on the same grid and seal a new manifest.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			data, err := manifest.Load(args[0])
			if err != nil {
				return err
			}
			var pass []byte
			if trimmed := bytes.TrimSpace(data); !bytes.HasPrefix(trimmed, []byte("{")) {
				if pass, err = a.passphrase(c.Context(), "Passphrase of the old manifest: "); err != nil {
					return err
				}
				defer clear(pass)
			}
			legacy, err := manifest.OpenLegacy(data, pass)
			if err != nil {
				return err
			}
			m := legacy.Draft()
			a.showLegacy(legacy)
			if output == "" {
				return nil
			}
			b := *a
			b.passphraseFile, b.passphraseFD = "", -1
			return b.create(c.Context(), core.Draft{Name: m.Name, Grid: m.Grid, Folders: m.Folders}, output, false, choose)
		},
	}
	c.Flags().StringVarP(&output, "output", "o", "", "write the new sealed manifest to `FILE`")
	c.Flags().BoolVar(&choose, "choose-passphrase", false, "make the new passphrase up yourself")
	return c
}

func (a *app) showLegacy(l *manifest.Legacy) {
	if a.json {
		targets := make([]map[string]any, 0, len(l.Targets))
		for _, t := range l.Targets {
			targets = append(targets, map[string]any{"path": t.Path, "remote": strings.Join(t.Remote, "/"), "version": t.Version})
		}
		printJSON(a.out, map[string]any{"type": "report", "command": "manifest import", "name": l.Name, "description": l.Description,
			"servers": len(l.Grid.Servers), "introducers": len(l.Grid.Introducers), "unreachable": len(l.Unreachable), "targets": targets})
		return
	}
	fmt.Fprintf(a.out, "Manifest of the first hidden-tahoe-backup: %s\n", shown(l.Name))
	if l.Description != "" {
		fmt.Fprintln(a.out, shown(l.Description))
	}
	fmt.Fprintf(a.out, "Grid: %s, %s.\n", plural(len(l.Grid.Servers), "server", "servers"), plural(len(l.Grid.Introducers), "introducer", "introducers"))
	for _, name := range l.Unreachable {
		fmt.Fprintf(a.out, "No longer reachable (its onion address is of the version Tor gave up in 2021): %s\n", shown(name))
	}
	for _, t := range l.Targets {
		fmt.Fprintf(a.out, "Folder: %s, stored as %s (%s)\n", shown(t.Path), shown(strings.Join(t.Remote, "/")), shown(t.Version))
	}
}
