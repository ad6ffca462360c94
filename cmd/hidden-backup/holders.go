package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"hiddenbackup/core"
	"hiddenbackup/core/manifest"
	"hiddenbackup/core/progress"
)

func (a *app) holdersCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "holders",
		Short: "Who has the manifest, and when she last confirmed it",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			opened, err := a.open(c.Context())
			if err != nil {
				return err
			}
			m, err := opened.NeedOwner()
			if err != nil {
				return err
			}
			var p core.Proofs
			if err := a.withOpened(c.Context(), opened, func(g *core.Grid, _ *progress.Tracker) (err error) {
				p, err = g.Proofs(c.Context())
				return err
			}); err != nil {
				return err
			}
			a.printHolders(p, m.Generation)
			return nil
		},
	}
	c.AddCommand(a.confirmCommand(), a.dropCommand())
	return c
}

func (a *app) confirmCommand() *cobra.Command {
	var words, on string
	var caretaker bool
	c := &cobra.Command{
		Use:   "confirm NAME",
		Short: "Note that somebody confirmed to have this manifest",
		Long: `Note that somebody confirmed to have this manifest: she runs “manifest check” on her
copy and reads its four words to you, and you give them with --words. They are those
of one generation only, so an old or damaged copy is found out.

With --caretaker it notes that a caretaker looks after the backup, as she told you.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			r := core.Receipt{Role: core.RoleHolder, Name: args[0], Confirmed: time.Now().UTC().Truncate(time.Second)}
			if caretaker {
				r.Role = core.RoleCaretaker
			}
			if !caretaker && words == "" {
				return usage("give the four words she reads out with --words “one two three four”")
			}
			if err := checkPerson(r.Name); err != nil {
				return err
			}
			if on != "" {
				var err error
				if r.Confirmed, err = parseDay(on); err != nil {
					return err
				}
			}
			data, err := a.manifestBytes()
			if err != nil {
				return err
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
			if err := a.withOpened(c.Context(), opened, func(g *core.Grid, _ *progress.Tracker) error {
				return g.Confirm(c.Context(), a.config, r, data, words)
			}); err != nil {
				return err
			}
			a.done("manifest holders confirm", fmt.Sprintf("Noted: %s, %s.", r.Name, day(r.Confirmed)))
			return nil
		},
	}
	c.Flags().StringVar(&words, "words", "", "the four `WORDS` she reads out")
	c.Flags().StringVar(&on, "on", "", "the `DAY` of it, if not today: 2026-12-31")
	c.Flags().BoolVar(&caretaker, "caretaker", false, "it is a caretaker who confirmed")
	return c
}

func (a *app) dropCommand() *cobra.Command {
	var caretaker bool
	c := &cobra.Command{
		Use:   "remove NAME",
		Short: "Take somebody off the list; what she has she keeps",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			role := core.RoleHolder
			if caretaker {
				role = core.RoleCaretaker
			}
			if err := a.withWriter(c.Context(), func(g *core.Grid, _ *progress.Tracker) error {
				return g.DropHolder(c.Context(), a.config, role, args[0])
			}); err != nil {
				return err
			}
			a.done("manifest holders remove", fmt.Sprintf("%s is off the list. A copy she has still opens with its passphrase.", args[0]))
			return nil
		},
	}
	c.Flags().BoolVar(&caretaker, "caretaker", false, "it is a caretaker")
	return c
}

// done reports the end of a command that has nothing more to tell.
func (a *app) done(command, text string) {
	if a.json {
		printJSON(a.out, map[string]any{"type": "report", "command": command})
		return
	}
	fmt.Fprintln(a.out, shown(text))
}

// checkPerson bounds what is kept about people.
func checkPerson(name string) error {
	if strings.TrimSpace(name) != name || name == "" || len(name) > 128 || shown(name) != name {
		return usage("a name has 1 to 128 printable characters")
	}
	return nil
}

func parseDay(s string) (time.Time, error) {
	t, err := time.ParseInLocation(time.DateOnly, s, time.Local)
	if err != nil {
		return t, usage("%q is not a day; write it as 2026-12-31", s)
	}
	return t, nil
}

func (a *app) printHolders(p core.Proofs, generation uint64) {
	if a.json {
		receipts := make([]map[string]any, 0, len(p.Receipts))
		for _, r := range p.Receipts {
			o := map[string]any{"name": r.Name, "caretaker": r.Role == core.RoleCaretaker, "generation": r.Generation, "current": r.Generation == generation}
			if !r.Confirmed.IsZero() {
				o["confirmed"] = r.Confirmed
			}
			receipts = append(receipts, o)
		}
		printJSON(a.out, map[string]any{"type": "report", "command": "manifest holders", "generation": generation, "receipts": receipts})
		return
	}
	if len(p.Receipts) == 0 {
		fmt.Fprintln(a.out, "Nobody has confirmed to have this manifest. “manifest holders confirm NAME --words …” notes who does.")
	}
	for _, r := range p.Receipts {
		role, when := "holder", "never confirmed"
		if r.Role == core.RoleCaretaker {
			role = "caretaker"
		}
		if !r.Confirmed.IsZero() {
			when = "confirmed " + day(r.Confirmed)
		}
		note := ""
		if r.Role == core.RoleHolder && r.Generation != generation {
			note = fmt.Sprintf("; an older one: this is generation %d", generation)
		}
		fmt.Fprintf(a.out, "%-9s  %-20s  %s, generation %d%s\n", role, shown(r.Name), when, r.Generation, note)
	}
}

func (a *app) recallCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "recall",
		Short: "Type the passphrase from memory; the day is noted in the vault",
		Long: `Type the passphrase from memory; the day is noted in the vault. A rehearsal for which
you type it counts, too.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if a.passphraseFile != "" || a.passphraseFD >= 0 {
				return usage("recalling is typing it from memory, at the terminal; a file or a descriptor proves nothing")
			}
			tty, err := terminal()
			if err != nil {
				return usage("recalling is typing the passphrase from memory, and there is no terminal to type it at")
			}
			tty.Close()
			opened, err := a.open(c.Context())
			if err != nil {
				return err
			}
			if _, err := opened.NeedOwner(); err != nil {
				return err
			}
			fmt.Fprintln(a.err, "That is it. Noting the day in the vault.")
			if err := a.withOpened(c.Context(), opened, func(g *core.Grid, _ *progress.Tracker) error {
				return g.RecordRecall(c.Context(), a.config)
			}); err != nil {
				return err
			}
			a.done("manifest recall", fmt.Sprintf("You knew it by heart on %s.", day(time.Now())))
			return nil
		},
	}
}

// shareCare makes a caretaker's file.
func (a *app) shareCare(ctx context.Context, f shareFlags) error {
	if len(f.qr) > 0 || f.text != "" || f.copy != "" || f.to != "" {
		return usage("--caretaker makes a file of another kind; share the manifest's copies with a command of its own")
	}
	if f.person != "" {
		if err := checkPerson(f.person); err != nil {
			return err
		}
	}
	if _, err := os.Lstat(f.caretaker); err == nil {
		return fmt.Errorf("%w: %s", manifest.ErrExists, f.caretaker)
	}
	var file *manifest.Caretaker
	if err := a.withWriter(ctx, func(g *core.Grid, _ *progress.Tracker) (err error) {
		file, err = g.ShareCare(ctx, a.config, f.label, f.person)
		return err
	}); err != nil {
		return err
	}
	plain, err := manifest.EncodePlain(file)
	if err != nil {
		return err
	}
	if err := manifest.Save(f.caretaker, plain); err != nil {
		return err
	}
	if a.json {
		printJSON(a.out, map[string]any{"type": "report", "command": "manifest share", "caretaker": f.caretaker})
		return nil
	}
	fmt.Fprintf(a.out, `Written to %s: a caretaker's file.

Whoever has it keeps the backup alive with “hidden-backup care FILE” and reads
nothing of it: no name, no content. It is not sealed, because her computer works
unattended. It tells which servers the backup is on and allows to store there:
give it to somebody you trust with that, over a private channel.
`, shown(f.caretaker))
	return nil
}
