package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"hiddenbackup/core"
	"hiddenbackup/core/host"
)

func (a *app) hostCommand() *cobra.Command {
	var service string
	c := &cobra.Command{
		Use:   "host",
		Short: "Lend this computer's disk to people you invite, behind an onion service",
		Long: `Make this computer a storage node (or an introducer) of other people's grids,
reachable through Tor only. You cannot read what they store.

  hidden-backup host enable
  hidden-backup host invite Anna --output anna.invite
  hidden-backup host status

“host invite” makes what a person needs, as text or a QR code. With it she makes
a manifest: hidden-backup manifest create --invite anna.invite --invite …`,
	}
	c.PersistentFlags().StringVar(&service, "service", host.Services[0], "what to offer: "+strings.Join(host.Services, " or "))
	open := func() (*host.Host, error) {
		if tor := a.config.Tor; tor.Socks != "" || a.tor == "system" {
			return nil, usage("a host needs a tor of its own, which --tor own starts")
		}
		return host.Open(host.Config{Service: service, Bridges: a.config.Tor.Bridges, Private: a.config.Tor.Private})
	}
	c.AddCommand(a.hostInfoCommand(open), a.hostStatusCommand(open), a.hostEnableCommand(open), a.hostDisableCommand(open),
		a.getOptionCommand(open), a.setOptionCommand(open),
		a.inviteCommand(open), a.peopleCommand(open), a.revokeCommand(open), a.hostRunCommand(open))
	return c
}

type openHost func() (*host.Host, error)

func (a *app) hostStatusCommand(open openHost) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Show whether the service is installed, running and published",
		Long: `Show whether the service is installed, running and published.

Exit codes: 0 it is published, so that people reach it; 3 it runs and is not
published yet, or not any more; 1 it does not run.`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			h, err := open()
			if err != nil {
				return err
			}
			s, err := h.Status()
			if err != nil && !s.Running {
				return err
			}
			a.printHostStatus(s)
			if err != nil {
				return err
			}
			if !s.Running {
				return errNotReady
			}
			a.skipped = !s.Published
			return nil
		},
	}
}

func (a *app) printHostStatus(s host.Status) {
	if a.json {
		o := map[string]any{"type": "report", "command": "host", "service": s.Service, "installed": s.Missing == nil, "running": s.Running, "published": s.Published,
			"phase": s.Phase, "percent": s.Percent, "problem": s.Problem, "pid": s.PID,
			"directory": s.Directory, "persistent": s.Persistent, "people": s.People, "stored": s.Stored}
		printJSON(a.out, o)
		return
	}
	installed := "yes"
	if s.Missing != nil {
		installed = "no: " + core.Explain(s.Missing).Hint
	}
	running := "no"
	if s.Running {
		running = fmt.Sprintf("yes (process %d)", s.PID)
	}
	fmt.Fprintf(a.out, "Installed:  %s\nRunning:    %s\nPublished:  %s\n", installed, running, published(s))
	where := "in memory, gone with the session"
	if s.Persistent {
		where = "in " + shown(s.Directory)
	}
	fmt.Fprintf(a.out, "Invited:    %s\nStored:     %s, %s\n", plural(s.People, "person", "people"), size(s.Stored), where)
}

// published says how far the service is on its way to being found.
func published(s host.Status) string {
	text := "no"
	switch {
	case !s.Running:
	case s.Published:
		return "yes"
	case s.Phase == host.Connecting:
		text = fmt.Sprintf("not yet: tor is on its way into the network, at %d %%", s.Percent)
	case s.Phase == host.Starting:
		text = "not yet: the node starts"
	case s.Phase == host.Announcing:
		text = "not yet: tor announces it"
	case s.Phase == host.Pausing:
		text = "no: something ended, and is started again in a while"
	}
	if s.Problem != "" {
		text += " (" + shown(s.Problem) + ")"
	}
	return text
}

func (a *app) hostEnableCommand(open openHost) *cobra.Command {
	var yes bool
	c := &cobra.Command{
		Use:   "enable",
		Short: "Start the service in the background",
		Long: `Start the service in the background, where it goes on after this command. What
ends by itself is started again. It ends with “host disable”, or when the computer does.

This waits until the service is published, at most as long as --wait says. Exit
code 3 means that it runs and is not published yet.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			h, err := open()
			if err != nil {
				return err
			}
			if !yes {
				if yes, err = a.agree(c.Context(), h); err != nil {
					return err
				}
			}
			if !a.quiet && !a.json {
				fmt.Fprintf(a.err, "Starting tor and the %s; on the public network this takes some minutes at times.\n", strings.ToLower(h.Service.Title))
			}
			s, err := h.Enable(c.Context(), yes, a.config.Wait)
			if err != nil {
				return err
			}
			a.printHostStatus(s)
			a.skipped = !s.Published
			if !a.json && s.People == 0 {
				fmt.Fprintln(a.out, "Nobody is invited yet. Invite somebody with: hidden-backup host invite NAME")
			}
			return nil
		},
	}
	c.Flags().BoolVarP(&yes, "yes", "y", false, "I know what hosting on Tails risks")
	return c
}

// agree shows what hosting risks here, if there is something, and waits for a
// typed yes.
func (a *app) agree(ctx context.Context, h *host.Host) (bool, error) {
	risk, err := h.Risk()
	if err != nil || risk == "" {
		return false, err
	}
	fmt.Fprintln(a.err, risk)
	return a.typedYes(ctx, "\nHost nevertheless? Type yes: ")
}

func (a *app) typedYes(ctx context.Context, question string) (bool, error) {
	tty, err := terminal()
	if err != nil {
		return false, usage("there is no terminal to ask; if you know what it means, add --yes")
	}
	fmt.Fprint(tty, question)
	typed := make(chan string, 1)
	go func() { // the read itself ends with the process
		line, _ := bufio.NewReader(io.LimitReader(tty, 100)).ReadString('\n')
		typed <- strings.ToLower(strings.TrimSpace(line))
	}()
	select {
	case line := <-typed:
		return line == "yes", tty.Close()
	case <-ctx.Done():
		return false, context.Cause(ctx)
	}
}

func (a *app) hostDisableCommand(open openHost) *cobra.Command {
	var forget, yes bool
	c := &cobra.Command{
		Use:   "disable",
		Short: "Stop the service, also for the next login",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			h, err := open()
			if err != nil {
				return err
			}
			persistent := h.Persistent()
			if forget && !yes {
				s, err := h.Status()
				if err != nil {
					return err
				}
				fmt.Fprintf(a.err, "This removes the keys, the address, %s, and %s that others stored here. For some it may be the only copy.\n",
					plural(s.People, "invitation", "invitations"), size(s.Stored))
				if yes, err = a.typedYes(c.Context(), "Remove all of it? Type yes: "); err != nil {
					return err
				}
				if !yes {
					fmt.Fprintln(a.err, "Nothing was changed.")
					return nil
				}
			}
			err = h.Disable()
			if forget && (err == nil || errors.Is(err, host.ErrNotRunning) || errors.Is(err, host.ErrReturns)) {
				err = h.Forget()
			}
			if err != nil {
				return err
			}
			switch {
			case a.json:
				printJSON(a.out, map[string]any{"type": "report", "command": "host disable", "service": h.Service.Name, "running": false, "forgotten": forget || !persistent})
			case forget || !persistent:
				fmt.Fprintln(a.out, "The service is stopped, and nothing of it is left.")
			default:
				fmt.Fprintln(a.out, "The service is stopped. Its keys and what others stored stay.")
			}
			return nil
		},
	}
	c.Flags().BoolVar(&forget, "forget", false, "also remove keys, address, invitations, and what others stored")
	c.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask before --forget")
	return c
}

// hostRunCommand is for systemd, and for those who want to see it run.
func (a *app) hostRunCommand(open openHost) *cobra.Command {
	return &cobra.Command{
		Use:   "run",
		Short: "Run the service here, until it is stopped",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			h, err := open()
			if err != nil {
				return err
			}
			return h.Run(c.Context())
		},
	}
}

func (a *app) hostInfoCommand(open openHost) *cobra.Command {
	var details bool
	c := &cobra.Command{
		Use:   "info",
		Short: "Show what the service is, how it is set, and how it is reached",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			h, err := open()
			if err != nil {
				return err
			}
			settings, err := h.Settings()
			if err != nil {
				return err
			}
			var ways []host.Address
			if details {
				if ways, err = h.Addresses(); err != nil && !errors.Is(err, host.ErrNeverRan) {
					return err
				}
			}
			a.printHostInfo(h, settings, ways, details)
			return nil
		},
	}
	c.Flags().BoolVar(&details, "details", false, "explain every option, and show the addresses, which are secrets")
	return c
}

func (a *app) printHostInfo(h *host.Host, settings []host.Setting, ways []host.Address, details bool) {
	s := h.Service
	if a.json {
		options := map[string]string{}
		for _, o := range settings {
			options[o.Name] = o.Value
		}
		o := map[string]any{"type": "report", "command": "host info", "service": s.Name, "title": s.Title, "summary": s.Summary,
			"packages": s.Packages, "directory": h.Directory(), "options": options}
		if details {
			addresses := map[string]string{}
			for _, w := range ways {
				addresses[w.For] = w.Furl.Secret()
			}
			o["addresses"] = addresses
		}
		printJSON(a.out, o)
		return
	}
	fmt.Fprintf(a.out, "%s: %s\n\nDebian packages: %s\nDirectory:       %s\n\n", s.Title, s.Summary, strings.Join(s.Packages, ", "), shown(h.Directory()))
	for _, o := range settings {
		value := shown(o.Value)
		if !o.Set {
			value = strings.TrimSpace(value + " (default)")
		}
		fmt.Fprintf(a.out, "%-21s %s\n", o.Name, value)
		if details {
			fmt.Fprintf(a.out, "    %s\n", o.Text)
		}
	}
	if len(ways) > 0 {
		fmt.Fprintln(a.out, "\nThese addresses are secrets. Give nobody the onion one: “host invite” makes one for each person.")
	}
	for _, w := range ways {
		fmt.Fprintf(a.out, "%-10s %s\n", w.For, w.Furl.Secret())
	}
}

func dateOf(t time.Time) string { return t.Format(time.DateOnly) }
