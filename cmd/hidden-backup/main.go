// Command hidden-backup backs folders up to a Tahoe-LAFS grid and brings them
// back on a blank machine from a sealed manifest and a passphrase.
//
// It turns flags into calls of package core, and results into sentences and
// exit codes. It has no logic of its own.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"hiddenbackup/core"
)

// version is set by the build.
var version = "0.1"

func main() { os.Exit(run()) }

// softMemoryLimit makes the collector work harder before a run grows past what
// a small machine has to spare; the key derivation alone needs twice as much.
const softMemoryLimit = 180 << 20

func run() int {
	// Everything we create is for its owner only.
	syscall.Umask(0o077)
	debug.SetMemoryLimit(softMemoryLimit)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		<-signals
		cancel() // a second signal ends us at once
		signal.Reset()
	}()
	a := &app{in: os.Stdin, out: os.Stdout, err: os.Stderr}
	root := a.root()
	err := root.ExecuteContext(ctx)
	return a.finish(err)
}

// app is the state of one command: its global flags and where it prints.
type app struct {
	in       *os.File
	out, err *os.File

	manifest       string
	passphraseFile string
	passphraseFD   int
	config         core.Config
	tor            string
	bridges        []string
	guards         string
	uploadRate     string
	downloadRate   string
	json           bool
	quiet          bool
	skipped        bool // done, but not everything
}

// usageError is a wrong use of the command line.
type usageError struct{ error }

func (u usageError) Unwrap() error { return u.error }

func usage(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "hidden-backup",
		Short: "Back up to an onion grid; restore with a manifest and a passphrase",
		Long: `Hidden Backup stores folders on a Tahoe-LAFS grid so that nothing has to be
carried across a border: no files, no keys. What brings everything back is a small
sealed manifest, kept by somebody you trust, and a passphrase in your head.

Exit codes: 0 done, 1 failed, 2 wrong use, 3 done but some files were skipped or
something is weaker than planned, 4 the manifest did not open, 5 the grid is out of
reach, 130 stopped.`,
		Version:       version,
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(*cobra.Command, []string) error {
			return a.parseGlobals()
		},
		RunE: func(c *cobra.Command, args []string) error { return c.Help() },
	}
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usage("%w; “%s --help” lists the options", err, c.CommandPath())
	})
	f := root.PersistentFlags()
	f.StringVarP(&a.manifest, "manifest", "m", "", "the manifest `FILE`, or - to read it from standard input")
	f.StringVar(&a.passphraseFile, "passphrase-file", "", "read the passphrase from the first line of `FILE`")
	f.IntVar(&a.passphraseFD, "passphrase-fd", -1, "read the passphrase from the open file descriptor `N`")
	f.StringVar(&a.config.Directory, "node-directory", "", "run the gateway below `DIR` instead of a directory in memory")
	f.BoolVar(&a.config.AllowDisk, "allow-disk", false, "accept a --node-directory on a disk, where traces may stay")
	f.StringVar(&a.tor, "tor", "any", "which tor to use for an onion grid: system, own, practice, or the `ADDRESS` of a running one")
	f.StringArrayVar(&a.bridges, "bridge", nil, "a bridge `LINE` for a tor of our own, where Tor is blocked; may be repeated")
	f.StringVar(&a.guards, "tor-guards", "", "let a tor of our own remember its entries to the network in `DIR`")
	f.StringVar(&a.config.SAM, "i2p", core.DefaultSAM, "where the I2P router takes SAM connections, for a grid over I2P")
	f.StringVar(&a.uploadRate, "limit-upload", "", "send `RATE` bytes a second on average, as 500k or 2M")
	f.StringVar(&a.downloadRate, "limit-download", "", "fetch `RATE` bytes a second on average")
	f.DurationVar(&a.config.Wait, "wait", core.DefaultWait, "how long to wait for storage servers")
	f.BoolVar(&a.json, "json", false, "print JSON: one object a second, then a report")
	f.BoolVarP(&a.quiet, "quiet", "q", false, "print no progress")

	root.AddCommand(
		a.manifestCommand(), a.passphraseCommand(), a.statusCommand(),
		a.backupCommand(), a.snapshotsCommand(), a.lsCommand(), a.restoreCommand(), a.compareCommand(), a.rehearseCommand(), a.blankCommand(),
		a.checkCommand(), a.forgetCommand(), a.readyCommand(), a.careCommand(),
		a.gatewayCommand(), a.practiceCommand(), a.hostCommand(), a.manCommand(), a.keeperCommand(),
	)
	for _, c := range root.Commands() {
		withUsage(c)
	}
	return root
}

// withUsage makes wrong arguments of every command a usage error.
func withUsage(c *cobra.Command) {
	if check := c.Args; check != nil {
		c.Args = func(c *cobra.Command, args []string) error {
			if err := check(c, args); err != nil {
				return usage("%w; usage: %s", err, c.UseLine())
			}
			return nil
		}
	}
	if c.HasSubCommands() && c.RunE == nil {
		c.Args = cobra.ArbitraryArgs
		c.RunE = func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage("%s has no command %q; “%s --help” lists them", c.CommandPath(), args[0], c.CommandPath())
			}
			return c.Help()
		}
	}
	for _, sub := range c.Commands() {
		withUsage(sub)
	}
}

func (a *app) parseGlobals() error {
	var err error
	if a.config.UploadRate, err = parseRate(a.uploadRate); err != nil {
		return usage("--limit-upload: %w", err)
	}
	if a.config.DownloadRate, err = parseRate(a.downloadRate); err != nil {
		return usage("--limit-download: %w", err)
	}
	if a.config.Tor, err = core.ParseTor(a.tor); err != nil {
		return err
	}
	a.config.Tor.Bridges, a.config.Tor.Guards = a.bridges, a.guards
	if a.passphraseFile != "" && a.passphraseFD >= 0 {
		return usage("give either --passphrase-file or --passphrase-fd")
	}
	return nil
}

// finish prints what went wrong and returns the exit code.
func (a *app) finish(err error) int {
	if err == nil {
		if a.skipped {
			return core.ExitSkipped
		}
		return core.ExitDone
	}
	if errors.Is(err, errNotReady) {
		return core.ExitFailed
	}
	var wrong usageError
	if errors.As(err, &wrong) || isUnknownCommand(err) {
		text, suggestion, _ := strings.Cut(err.Error(), "\n\nDid you mean this?\n")
		a.explain(core.Message{Title: sentence(text), Exit: core.ExitUsage})
		if name := strings.TrimSpace(suggestion); name != "" {
			fmt.Fprintf(a.err, "Did you mean “%s”?\n", strings.Join(strings.Fields(name), "” or “"))
		}
		return core.ExitUsage
	}
	m := core.Explain(err)
	a.explain(m)
	return m.Exit
}

func (a *app) explain(m core.Message) {
	if a.json {
		printJSON(a.out, map[string]any{"type": "error", "title": m.Title, "safe": m.Safe, "hint": m.Hint, "detail": m.Detail, "exit": m.Exit})
	}
	fmt.Fprintln(a.err, m.Title)
	for _, line := range []string{m.Safe, m.Hint} {
		if line != "" {
			fmt.Fprintln(a.err, line)
		}
	}
	if m.Detail != "" && m.Exit != core.ExitStopped {
		fmt.Fprintf(a.err, "(%s)\n", m.Detail)
	}
}
