package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"hiddenbackup/core"
	"hiddenbackup/core/manifest"
	"hiddenbackup/core/progress"
)

func (a *app) manifestCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "manifest",
		Short: "Make, show, seal and open manifests",
	}
	c.AddCommand(a.createCommand(), a.showCommand(), a.openCommand(), a.sealCommand(), a.changeCommand(), a.importCommand(), a.readerCommand(), a.armourCommand())
	return c
}

func (a *app) createCommand() *cobra.Command {
	var (
		name, output, dir, gridFile string
		practice, armour, choose    bool
		byTier                      [4][]string
	)
	c := &cobra.Command{
		Use:   "create",
		Short: "Make a manifest: secrets, a vault on the grid, a passphrase",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if output == "" {
				return usage("name the file to write with --output FILE")
			}
			if _, err := os.Lstat(output); err == nil {
				return fmt.Errorf("%w: %s", manifest.ErrExists, output)
			}
			d := core.Draft{Name: name}
			var err error
			if d.Folders, err = tieredFolders(byTier); err != nil {
				return err
			}
			switch {
			case practice && gridFile != "":
				return usage("give either --practice or --grid")
			case practice:
				d.Grid, err = core.PracticeGrid(dir)
			case gridFile != "":
				d.Grid, err = readGrid(gridFile)
			default:
				return usage("which grid? --practice for the practice grid on this computer, or --grid FILE")
			}
			if err != nil {
				return err
			}
			return a.create(c.Context(), d, output, armour, choose)
		},
	}
	f := c.Flags()
	f.StringVar(&name, "name", "My backup", "what people call it")
	f.StringVarP(&output, "output", "o", "", "write the sealed manifest to `FILE`")
	f.BoolVar(&armour, "armour", false, "write the text form, for e-mail and chat")
	f.BoolVar(&practice, "practice", false, "use the practice grid that runs on this computer")
	f.StringVar(&dir, "dir", "", "the practice grid's `DIR`, if not the usual one")
	f.StringVar(&gridFile, "grid", "", "the grid's description: `FILE` with the “grid” part of a manifest in JSON")
	f.StringArrayVar(&byTier[2], "folder", nil, "back up the folder at `PATH`; may be repeated")
	f.StringArrayVar(&byTier[1], "first-hour", nil, "back up the folder at `PATH`, which is needed in the first hour after the journey")
	f.StringArrayVar(&byTier[3], "rest", nil, "back up the folder at `PATH`, which may come back last")
	f.BoolVar(&choose, "choose-passphrase", false, "make the passphrase up yourself instead of having it generated")
	return c
}

func tieredFolders(byTier [4][]string) ([]manifest.Folder, error) {
	var paths []string
	var tiers []int
	for tier, list := range byTier {
		for _, p := range list {
			paths, tiers = append(paths, p), append(tiers, tier)
		}
	}
	folders, err := foldersOf(paths, 0)
	for i := range folders {
		folders[i].Tier = tiers[i]
	}
	return folders, err
}

func readGrid(file string) (manifest.Grid, error) {
	data, err := manifest.Load(file)
	if err != nil {
		return manifest.Grid{}, err
	}
	return manifest.DecodeGrid(data)
}

func (a *app) create(ctx context.Context, d core.Draft, output string, armour, choose bool) error {
	pass, err := a.newPassphrase(ctx, choose)
	if err != nil {
		return err
	}
	defer clear(pass)
	t := new(progress.Tracker)
	stop := a.watch(t)
	m, err := core.CreateManifest(ctx, a.config, d, t)
	stop()
	if err != nil {
		return err
	}
	sealed, err := manifest.Seal(m, pass, nil)
	if err != nil {
		return err
	}
	if armour {
		if sealed, err = manifest.Armour(sealed); err != nil {
			return err
		}
	}
	return a.saveSealed(output, sealed, m, false)
}

// saveSealed writes a sealed manifest and says how to recognise it.
func (a *app) saveSealed(output string, sealed []byte, m *manifest.Manifest, replace bool) error {
	save := manifest.Save
	if replace {
		save = manifest.Replace
	}
	if err := save(output, sealed); err != nil {
		return err
	}
	words, err := manifest.Words(sealed)
	if err != nil {
		return err
	}
	if a.json {
		printJSON(a.out, map[string]any{"type": "report", "command": "manifest", "file": output, "bytes": len(sealed), "generation": m.Generation, "words": words})
		return nil
	}
	fmt.Fprintf(a.out, "Manifest written to %s (%s, generation %d).\n", shown(output), size(int64(len(sealed))), m.Generation)
	fmt.Fprintf(a.out, "Its four words: %s. A holder sees the same words with “manifest show --words”.\n", words)
	return nil
}

func (a *app) showCommand() *cobra.Command {
	var wordsOnly bool
	c := &cobra.Command{
		Use:   "show",
		Short: "Show what a manifest holds, without its secrets",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			data, err := a.manifestBytes()
			if err != nil {
				return err
			}
			if wordsOnly {
				words, err := manifest.Words(data)
				if err != nil {
					return err
				}
				if a.json {
					printJSON(a.out, map[string]any{"type": "report", "command": "manifest show", "words": words})
				} else {
					fmt.Fprintln(a.out, words)
				}
				return nil
			}
			pass, err := a.passphrase(c.Context(), "Passphrase: ")
			if err != nil {
				return err
			}
			defer clear(pass)
			opened, err := a.unseal(c.Context(), data, pass)
			if err != nil {
				return err
			}
			r, err := opened.NeedReader()
			if err != nil {
				return err
			}
			words, err := manifest.Words(data)
			if err != nil {
				return err
			}
			a.show(r, opened.Power, words)
			return nil
		},
	}
	c.Flags().BoolVar(&wordsOnly, "words", false, "only the four words that name this generation; needs no passphrase")
	return c
}

func (a *app) show(r *manifest.Reader, power manifest.Power, words string) {
	if a.json {
		folders := make([]map[string]any, 0, len(r.Folders))
		for _, f := range r.Folders {
			folders = append(folders, map[string]any{"name": f.Name, "path": f.Path, "tier": f.Priority()})
		}
		o := map[string]any{"type": "report", "command": "manifest show", "name": r.Name, "power": power, "generation": r.Generation, "created": r.Created,
			"words": words, "network": r.Grid.Network, "servers": len(r.Grid.Servers), "introducers": len(r.Grid.Introducers),
			"needed": r.Grid.Needed, "happy": r.Grid.Happy, "total": r.Grid.Total, "folders": folders}
		if r.Pin != nil {
			o["pinned"] = r.Pin.Sequence
		}
		printJSON(a.out, o)
		return
	}
	fmt.Fprintf(a.out, "Name:        %s\nPower:       %s\nGeneration:  %d of %s\nFour words:  %s\n", shown(r.Name), power, r.Generation, r.Created.Format("2006-01-02 15:04 UTC"), words)
	fmt.Fprintf(a.out, "Grid:        %s; of %d shares of each file, any %d bring it back\n", r.Grid.Network, r.Grid.Total, r.Grid.Needed)
	for _, s := range r.Grid.Servers {
		about := strings.Trim(strings.Join([]string{s.Operator, s.Place}, ", "), ", ")
		if about != "" {
			about = " (" + about + ")"
		}
		fmt.Fprintf(a.out, "  server     %s%s\n", shown(s.Nickname), shown(about))
	}
	for _, f := range r.Folders {
		fmt.Fprintf(a.out, "Folder:      %s: %s, tier %d\n", shown(f.Name), shown(f.Path), f.Priority())
	}
	if r.Pin != nil {
		fmt.Fprintf(a.out, "Pinned:      snapshot %d\n", r.Pin.Sequence)
	}
}

func (a *app) openCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "open",
		Short: "Print the manifest's plain JSON, all secrets included",
		Long: `Print the manifest's plain JSON, all secrets included, to be edited and sealed
again with “manifest seal”. Send it nowhere and keep it off any disk:

  hidden-backup manifest open -m my.manifest > /dev/shm/plain.json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			opened, err := a.open(c.Context())
			if err != nil {
				return err
			}
			var content manifest.Content = opened.Reader
			if opened.Owner != nil {
				content = opened.Owner
			} else if _, err := opened.NeedReader(); err != nil {
				return err
			}
			plain, err := manifest.EncodePlain(content)
			if err != nil {
				return err
			}
			defer clear(plain)
			fmt.Fprintln(a.err, "This is the whole secret in plain text. Keep it off any disk, and delete it when it is sealed again.")
			_, err = a.out.Write(plain)
			return err
		},
	}
}

func (a *app) sealCommand() *cobra.Command {
	var output string
	var armour, choose bool
	c := &cobra.Command{
		Use:   "seal [PLAIN.json]",
		Short: "Seal an edited plain manifest as the next generation",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if output == "" {
				return usage("name the file to write with --output FILE")
			}
			in := io.Reader(a.in)
			if len(args) == 1 && args[0] != "-" {
				f, err := os.Open(args[0])
				if err != nil {
					return err
				}
				defer f.Close()
				in = f
			}
			plain, err := manifest.Read(in)
			if err != nil {
				return err
			}
			defer clear(plain)
			opened, err := manifest.DecodePlain(plain)
			if err != nil {
				return err
			}
			m, err := opened.NeedOwner()
			if err != nil {
				return err
			}
			m.NextGeneration()
			pass, err := a.newPassphrase(c.Context(), choose)
			if err != nil {
				return err
			}
			defer clear(pass)
			sealed, err := manifest.Seal(m, pass, nil)
			if err != nil {
				return err
			}
			if armour {
				if sealed, err = manifest.Armour(sealed); err != nil {
					return err
				}
			}
			return a.saveSealed(output, sealed, m, false)
		},
	}
	c.Flags().StringVarP(&output, "output", "o", "", "write the sealed manifest to `FILE`")
	c.Flags().BoolVar(&armour, "armour", false, "write the text form, for e-mail and chat")
	c.Flags().BoolVar(&choose, "choose-passphrase", false, "make the passphrase up yourself")
	return c
}

func (a *app) changeCommand() *cobra.Command {
	var newFile string
	var newFD int
	var choose bool
	c := &cobra.Command{
		Use:   "passphrase",
		Short: "Change a manifest's passphrase",
		Long: `Change a manifest's passphrase. Copies that are already with holders still open
with the old one: replace them too.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if a.manifest == "-" {
				return usage("changing the passphrase needs the manifest as a file")
			}
			data, err := a.manifestBytes()
			if err != nil {
				return err
			}
			old, err := a.passphrase(c.Context(), "Old passphrase: ")
			if err != nil {
				return err
			}
			defer clear(old)
			opened, err := a.unseal(c.Context(), data, old)
			if err != nil {
				return err
			}
			m, err := opened.NeedOwner()
			if err != nil {
				return err
			}
			b := *a
			b.passphraseFile, b.passphraseFD = newFile, newFD
			fresh, err := b.newPassphrase(c.Context(), choose)
			if err != nil {
				return err
			}
			defer clear(fresh)
			m.NextGeneration()
			sealed, err := manifest.Seal(m, fresh, nil)
			if err != nil {
				return err
			}
			if isText(data) {
				if sealed, err = manifest.Armour(sealed); err != nil {
					return err
				}
			}
			if ctx := c.Context(); ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if err := a.saveSealed(a.manifest, sealed, m, true); err != nil {
				return err
			}
			fmt.Fprintln(a.err, "Copies that holders have still open with the old passphrase: replace them.")
			return nil
		},
	}
	c.Flags().StringVar(&newFile, "new-passphrase-file", "", "read the new passphrase from the first line of `FILE`")
	c.Flags().IntVar(&newFD, "new-passphrase-fd", -1, "read the new passphrase from the open file descriptor `N`")
	c.Flags().BoolVar(&choose, "choose-passphrase", false, "make the new passphrase up yourself")
	return c
}

// isText tells the armoured form from the sealed bytes, which look random.
func isText(data []byte) bool {
	return !bytes.ContainsFunc(data[:min(len(data), 256)], func(r rune) bool { return r > 126 || r < 32 && r != '\n' && r != '\r' && r != '\t' })
}

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

func (a *app) readerCommand() *cobra.Command {
	var output, newFile string
	var newFD int
	var choose bool
	c := &cobra.Command{
		Use:   "reader",
		Short: "Seal a copy that can only restore, under a passphrase of its own",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if output == "" {
				return usage("name the file to write with --output FILE")
			}
			opened, err := a.open(c.Context())
			if err != nil {
				return err
			}
			m, err := opened.NeedOwner()
			if err != nil {
				return err
			}
			r, err := m.Reader()
			if err != nil {
				return err
			}
			b := *a
			b.passphraseFile, b.passphraseFD = newFile, newFD
			pass, err := b.newPassphrase(c.Context(), choose)
			if err != nil {
				return err
			}
			defer clear(pass)
			sealed, err := manifest.Seal(r, pass, nil)
			if err != nil {
				return err
			}
			return a.saveSealed(output, sealed, m, false)
		},
	}
	c.Flags().StringVarP(&output, "output", "o", "", "write the sealed copy to `FILE`")
	c.Flags().StringVar(&newFile, "new-passphrase-file", "", "read the copy's passphrase from the first line of `FILE`")
	c.Flags().IntVar(&newFD, "new-passphrase-fd", -1, "read the copy's passphrase from the open file descriptor `N`")
	c.Flags().BoolVar(&choose, "choose-passphrase", false, "make the copy's passphrase up yourself")
	return c
}

func (a *app) armourCommand() *cobra.Command {
	var output string
	var binary bool
	c := &cobra.Command{
		Use:   "convert",
		Short: "Turn a sealed manifest into its text form, or back",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			data, err := a.manifestBytes()
			if err != nil {
				return err
			}
			if isText(data) {
				if data, err = manifest.Dearmour(data); err != nil {
					return err
				}
			}
			if !binary {
				if data, err = manifest.Armour(data); err != nil {
					return err
				}
			}
			if output != "" {
				return manifest.Save(output, data)
			}
			_, err = a.out.Write(data)
			return err
		},
	}
	c.Flags().StringVarP(&output, "output", "o", "", "write to `FILE` instead of standard output")
	c.Flags().BoolVar(&binary, "binary", false, "write the sealed bytes instead of text")
	return c
}

func (a *app) passphraseCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "passphrase",
		Short: "Print a generated passphrase of seven words",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			pass, _, err := manifest.GeneratePassphrase()
			if err != nil {
				return err
			}
			defer clear(pass)
			_, err = a.out.Write(append(pass, '\n'))
			return err
		},
	}
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
