package main

import (
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"hiddenbackup/core"
	"hiddenbackup/core/manifest"
)

// folderFlags are folders on this computer, by tier.
type folderFlags [4][]string

func (o *folderFlags) add(f *pflag.FlagSet) {
	f.StringArrayVar(&o[2], "folder", nil, "back up the folder at `PATH`; may be repeated")
	f.StringArrayVar(&o[1], "first-hour", nil, "back up the folder at `PATH`, which is needed in the first hour after the journey")
	f.StringArrayVar(&o[3], "rest", nil, "back up the folder at `PATH`, which may come back last")
}

// to returns list with the folders in it.
func (o *folderFlags) to(list []manifest.Folder) (_ []manifest.Folder, err error) {
	for tier, paths := range o {
		for _, p := range paths {
			if list, err = withFolder(list, p, tier); err != nil {
				return nil, err
			}
		}
	}
	return list, nil
}

// withFolder is core.WithFolder for a command line argument.
func withFolder(list []manifest.Folder, path string, tier int) ([]manifest.Folder, error) {
	if path == "" {
		return nil, usage("a folder's name is empty")
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if list, err = core.WithFolder(list, abs, tier); err != nil {
		return nil, usage("the folder %s cannot be backed up: its path has characters or a length that no manifest takes", shown(path))
	}
	return list, nil
}

func (a *app) foldersCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "folders",
		Short: "Change the folders that a manifest backs up",
		Long: `Change the folders that a manifest backs up, and seal the manifest again as its next
generation. “manifest show” lists them. Copies that holders have still restore
everything; only a backup needs the new one.`,
	}
	c.AddCommand(a.foldersAddCommand(), a.foldersRemoveCommand())
	return c
}

func (a *app) foldersAddCommand() *cobra.Command {
	var flags folderFlags
	c := &cobra.Command{
		Use:   "add",
		Short: "Back up more folders, or give folders another place in the order",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			named := slices.Concat(flags[:]...)
			if len(named) == 0 {
				return usage("name the folders with --folder, --first-hour or --rest")
			}
			for _, path := range named {
				if info, err := os.Stat(path); err != nil || !info.IsDir() {
					return usage("there is no folder %s on this computer", shown(path))
				}
			}
			return a.reseal(c.Context(), "adding folders", func(m *manifest.Manifest) error {
				folders, err := flags.to(m.Folders)
				if err == nil && slices.Equal(folders, m.Folders) {
					return usage("the manifest has these folders already")
				}
				m.Folders = folders
				return err
			})
		},
	}
	flags.add(c.Flags())
	return c
}

func (a *app) foldersRemoveCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "remove NAME...",
		Short: "Back up folders no more; older snapshots keep them",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, names []string) error {
			return a.reseal(c.Context(), "removing folders", func(m *manifest.Manifest) error {
				for _, name := range names {
					i := slices.IndexFunc(m.Folders, func(f manifest.Folder) bool { return f.Name == name })
					if i < 0 {
						return usage("the manifest has no folder called %s; “manifest show” lists them", shown(name))
					}
					m.Folders = slices.Delete(m.Folders, i, i+1)
				}
				if len(m.Folders) == 0 {
					return usage("a manifest without any folder backs up nothing: add others first")
				}
				return nil
			})
		},
	}
}
