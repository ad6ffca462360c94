package main

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"hiddenbackup/core/host"
	"hiddenbackup/core/manifest"
)

func (a *app) getOptionCommand(open openHost) *cobra.Command {
	return &cobra.Command{
		Use:   "get-option [NAME]",
		Short: "Print an option's value, or all of them",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			h, err := open()
			if err != nil {
				return err
			}
			settings, err := h.Settings()
			if err == nil && len(args) == 1 {
				var s host.Setting
				if s, err = h.Setting(args[0]); err == nil && !a.json {
					fmt.Fprintln(a.out, s.Value)
					return nil
				}
				settings = []host.Setting{s}
			}
			if err != nil {
				return err
			}
			options := map[string]string{}
			for _, s := range settings {
				if options[s.Name] = s.Value; !a.json {
					fmt.Fprintf(a.out, "%s = %s\n", s.Name, shown(s.Value))
				}
			}
			if a.json {
				printJSON(a.out, map[string]any{"type": "report", "command": "host get-option", "service": h.Service.Name, "options": options})
			}
			return nil
		},
	}
}

func (a *app) setOptionCommand(open openHost) *cobra.Command {
	return &cobra.Command{
		Use:   "set-option NAME VALUE",
		Short: "Set an option; a running service takes it up at once",
		Args:  cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			h, err := open()
			if err != nil {
				return err
			}
			if err := h.Set(args[0], args[1]); err != nil {
				return err
			}
			s, err := h.Setting(args[0])
			if err != nil {
				return err
			}
			if a.json {
				printJSON(a.out, map[string]any{"type": "report", "command": "host set-option", "service": h.Service.Name, "options": map[string]string{s.Name: s.Value}})
				return nil
			}
			fmt.Fprintf(a.out, "%s = %s\n", s.Name, shown(s.Value))
			return nil
		},
	}
}

func (a *app) inviteCommand(open openHost) *cobra.Command {
	var output, qr string
	var i host.Invitation
	c := &cobra.Command{
		Use:   "invite NAME",
		Short: "Invite a person: print what lets her use the service",
		Long: `Invite a person. The invite is a secret, printed once and not kept: send it on a
way you trust. Whoever has it can store here until you revoke NAME; its date only
keeps old ones from being used by mistake.

An invite holds a personal key, without which nobody gets in. The tor at the other
end must take keys. Tails' own tor does so only with the onion-grater profile of this
program; without that, use --without-key. Such an invite has an address of its own,
and whoever learns that address gets in: keep it as secret as a key.`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if qr != "" && !strings.EqualFold(filepath.Ext(qr), ".png") {
				return usage("the QR code is a picture: name a file that ends in .png")
			}
			h, err := open()
			if err != nil {
				return err
			}
			i.Name = args[0]
			invite, err := h.Invite(i)
			if err != nil {
				return err
			}
			if err := a.printInvite(invite, output, qr); err != nil {
				fmt.Fprintf(a.err, "%s is invited, but the invite is lost: revoke, and invite again.\n", shown(i.Name))
				return err
			}
			return nil
		},
	}
	c.Flags().StringVarP(&output, "output", "o", "", "write the invite to `FILE` instead of standard output")
	c.Flags().StringVar(&qr, "qr", "", "write it as a QR code to `FILE`.png")
	c.Flags().IntVar(&i.Days, "days", host.DefaultDays, "until it expires, in days")
	c.Flags().BoolVar(&i.WithoutKey, "without-key", false, "for a tor that takes no keys: an address of its own is the secret")
	return c
}

func (a *app) printInvite(i *host.Invite, output, qr string) error {
	text, err := i.Text()
	if err != nil {
		return err
	}
	kind := "It holds a key: whoever has the text gets in."
	if !i.HasKey() {
		kind = "It holds no key: whoever learns the address in it gets in."
	}
	what := "a storage node"
	if i.Service == "introducer" {
		what = "an introducer"
	}
	head := fmt.Sprintf("Invite to %s of Hidden Backup, to be used until %s.\nA secret. %s\n\n", what, dateOf(i.Expires), kind)
	if output != "" {
		if err := manifest.Save(output, []byte(head+text)); err != nil {
			return err
		}
	}
	if qr != "" {
		var picture bytes.Buffer
		if err := i.WritePNG(&picture); err != nil {
			return err
		}
		if err := manifest.Save(qr, picture.Bytes()); err != nil {
			return err
		}
	}
	switch {
	case a.json:
		o := map[string]any{"type": "report", "command": "host invite", "kind": i.Service, "key": i.HasKey(), "expires": i.Expires, "output": output, "qr": qr}
		if output == "" && qr == "" {
			o["text"] = text
		}
		printJSON(a.out, o)
	case output == "" && qr == "":
		fmt.Fprint(a.out, head+text)
	default:
		fmt.Fprintf(a.err, "The invite is a secret, good until %s. %s Send it on a way you trust, and delete it here.\n", dateOf(i.Expires), kind)
	}
	return nil
}

func (a *app) peopleCommand(open openHost) *cobra.Command {
	return &cobra.Command{
		Use:   "people",
		Short: "List who is invited",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			h, err := open()
			if err != nil {
				return err
			}
			people, err := h.People()
			if err != nil {
				return err
			}
			if a.json {
				list := make([]map[string]any, 0, len(people))
				for _, p := range people {
					list = append(list, map[string]any{"name": p.Name, "key": p.HasKey(), "invited": p.Invited})
				}
				printJSON(a.out, map[string]any{"type": "report", "command": "host people", "service": h.Service.Name, "people": list})
				return nil
			}
			for _, p := range people {
				kind := "a key"
				if !p.HasKey() {
					kind = "an address of their own"
				}
				fmt.Fprintf(a.out, "%-20s invited %s, gets in by %s\n", shown(p.Name), dateOf(p.Invited), kind)
			}
			if len(people) == 0 {
				fmt.Fprintln(a.out, "Nobody is invited.")
			}
			return nil
		},
	}
}

func (a *app) revokeCommand(open openHost) *cobra.Command {
	return &cobra.Command{
		Use:   "revoke NAME",
		Short: "Shut a person out; all others stay",
		Long: `Shut a person out. Where the service runs, her connections are closed when this
returns. What she stored stays until its leases end, if they do at all. Others who have
a key are connected again within seconds.

With allow-lan on, she still gets in from the local network. Exit code 3 says so.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			h, err := open()
			if err != nil {
				return err
			}
			if err := h.Revoke(c.Context(), args[0]); err != nil {
				return err
			}
			lan, err := h.OpenInLAN()
			if err != nil {
				return fmt.Errorf("%s is shut out of the onion service; whether of the local network as well is unknown: %w", shown(args[0]), err)
			}
			a.skipped = lan
			switch {
			case a.json:
				printJSON(a.out, map[string]any{"type": "report", "command": "host revoke", "service": h.Service.Name, "name": args[0], "open-in-lan": lan})
			case lan:
				fmt.Fprintf(a.out, "%s is shut out of the onion service, but not of the local network: allow-lan is on, and there who\n"+
					"knows the furl gets in without a key. To close that as well: hidden-backup host set-option allow-lan off\n", shown(args[0]))
			default:
				fmt.Fprintf(a.out, "%s is shut out.\n", shown(args[0]))
			}
			return nil
		},
	}
}
