package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"hiddenbackup/core"
	"hiddenbackup/core/host"
	"hiddenbackup/core/manifest"
	"hiddenbackup/core/progress"
)

func (a *app) manifestCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "manifest",
		Short: "Make, show, seal and open manifests",
	}
	c.AddCommand(a.createCommand(), a.showCommand(), a.openCommand(), a.sealCommand(), a.changeCommand(), a.importCommand(), a.readerCommand(), a.armourCommand(), a.shareCommand(), a.inspectCommand(), a.holdersCommand(), a.recallCommand(), a.gridCommand(), a.foldersCommand())
	return c
}

func (a *app) createCommand() *cobra.Command {
	var (
		name, output, dir, gridFile string
		practice, armour, choose    bool
		folders                     folderFlags
		invites                     inviteFlags
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
			if d.Folders, err = folders.to(nil); err != nil {
				return err
			}
			switch {
			case practice && gridFile != "", len(invites.files) > 0 && (practice || gridFile != ""):
				return usage("give either --practice or --grid or --invite")
			case len(invites.files) > 0:
				d.Grid, err = a.grid(&invites)
			case invites.numbers != host.Numbers{}:
				return usage("--needed, --happy and --total belong to --invite")
			case practice:
				d.Grid, err = core.PracticeGrid(dir)
			case gridFile != "":
				d.Grid, err = readGrid(gridFile)
			default:
				return usage("which grid? --practice for the practice grid on this computer, --invite FILE for each server you are invited to, or --grid FILE")
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
	invites.add(f)
	f.StringVar(&gridFile, "grid", "", "the grid's description: `FILE` with the “grid” part of a manifest in JSON")
	folders.add(f)
	f.BoolVar(&choose, "choose-passphrase", false, "make the passphrase up yourself instead of having it generated")
	return c
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
		fmt.Fprintln(a.err, "No manifest was made. Forget the passphrase: the next try makes another one.")
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
	fmt.Fprintf(a.out, "Its four words: %s. A holder sees the same words with “manifest check”.\n", words)
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
