package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"hiddenbackup/core/manifest"
	"hiddenbackup/core/paper"
)

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

// reseal changes the manifest file and writes it as its next generation, under
// the same passphrase. what is what the person does: "adding servers".
func (a *app) reseal(ctx context.Context, what string, change func(*manifest.Manifest) error) error {
	data, err := a.rewritable(what)
	if err != nil {
		return err
	}
	pass, err := a.passphrase(ctx, "Passphrase: ")
	if err != nil {
		return err
	}
	defer clear(pass)
	opened, err := a.unseal(ctx, data, pass)
	if err != nil {
		return err
	}
	m, err := opened.NeedOwner()
	if err != nil {
		return err
	}
	if err := change(m); err != nil {
		return err
	}
	m.NextGeneration()
	sealed, err := manifest.SealAs(data, m, pass)
	if err != nil {
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if now, err := a.rewritable(what); err != nil || !bytes.Equal(now, data) {
		return cmp.Or(err, fmt.Errorf("%s was changed by somebody else meanwhile; nothing was written", shown(a.manifest)))
	}
	return a.saveSealed(a.manifest, sealed, m, true)
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
			data, err := a.rewritable("changing the passphrase")
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
			sealed, err := manifest.SealAs(data, m, fresh)
			if err != nil {
				return err
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
			data, err := a.anyManifest()
			if err != nil {
				return err
			}
			whole, err := paper.Inspect(data)
			if err != nil {
				return err
			}
			data = whole.Sealed
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
