package ui

import "hiddenbackup/core"

// msg marks text that is translated where it is shown.
func msg(text string) string { return text }

// hints are what the window says where core advises a command or an option of
// the command line. hints_test.go finds advice that is missing here.
var hints = map[string]string{
	"Run the same command again; a backup or restore continues from here.":                                                                              msg("Begin again when you like: a backup or restore goes on from here."),
	"If the font is missing, install the package fonts-dejavu-core. Otherwise leave --to out: the card then has lines to write on by hand.":             msg("If the font is missing, install the package fonts-dejavu-core. Otherwise leave the words for the card empty: it then has lines to write on by hand."),
	"Install it (“make deps” in the source tree does), version 1.20 or newer.":                                                                          msg("Open a terminal, and type or paste the line that stands under Details. On Tails this takes an administration password, which is set on the Welcome Screen. Then try again."),
	"Install the Debian package that is named.":                                                                                                         msg("Open a terminal, and type or paste the line that stands under Details. On Tails this takes an administration password, which is set on the Welcome Screen. Then try again."),
	"Log in on a desktop session, or name a directory with --node-directory and accept with --allow-disk that traces may stay on it.":                   msg("Log in on a desktop session, which has such a place."),
	"Remove it, or name another one with --node-directory.":                                                                                             msg("Remove it, and start Hidden Backup again."),
	"Name a directory with a shorter path with --node-directory.":                                                                                       msg("Log in on a desktop session, which has a place with a shorter path."),
	"Install it: sudo apt install tor.":                                                                                                                 msg("Install the package tor."),
	"Start Tor Browser, or install tor: sudo apt install tor. On Tails, connect to Tor first.":                                                          msg("On Tails, connect to Tor first. Elsewhere start Tor Browser, or install the package tor."),
	"Start tor (on Tails: connect to Tor), or name its address with --tor ADDRESS.":                                                                     msg("On Tails, connect to Tor. Elsewhere start tor."),
	"Check --tor ADDRESS; tor's own default is 127.0.0.1:9050, Tor Browser's 127.0.0.1:9150.":                                                           msg("Another program has taken tor's place: stop it, then start tor."),
	"Check the connection to the internet. Where Tor is blocked, use bridges: --bridge, or Tor Connection on Tails.":                                    msg("Check the connection to the internet. Where Tor is blocked, use a bridge: in Tor Connection on Tails, in Tor Browser elsewhere."),
	"Run the same command again: it starts tor anew and continues.":                                                                                     msg("Try again: that starts tor anew and goes on from here."),
	"Install it: sudo apt install obfs4proxy.":                                                                                                          msg("Install the package obfs4proxy."),
	"Try again in a while; “status” shows each server.":                                                                                                 msg("Try again in a while; the page of the grid shows each server."),
	"Use a tor of our own: --tor own. On Tails, install the package of this program: it allows it.":                                                     msg("Start the window again without the running tor: it then uses one of its own."),
	"Run the command again; the line below is what tor said.":                                                                                           msg("Try again; the details are what tor said."),
	"Name a router on this computer, such as --i2p 127.0.0.1:7656.":                                                                                     msg("Start the I2P router and switch its SAM bridge on."),
	"Start the I2P router and switch its SAM bridge on, or name its address with --i2p ADDRESS.":                                                        msg("Start the I2P router and switch its SAM bridge on."),
	"Try again in a while, or give the filters anew with --remember.":                                                                                   msg("Try again in a while."),
	"Wait for it. If you are sure that nothing runs any more, add --take-over.":                                                                         msg("Wait for it. If it was cut off, its claim ends by itself within 15 minutes."),
	"Check the network and try again in a while; “status” shows each server.":                                                                           msg("Check the network and try again in a while; the page of the grid shows each server."),
	"Try again in a while; “status” shows each server and its space.":                                                                                   msg("Try again in a while; the page of the grid shows each server and its space."),
	"Waiting does not help. Choose an older snapshot (“snapshots” lists them), and tell those who run the servers.":                                     msg("Waiting does not help. Choose an older snapshot, and tell those who run the servers."),
	"Wait until more storage servers answer; “status” shows each.":                                                                                      msg("Wait until more storage servers answer; the page of the grid shows each."),
	"Try again when more servers are there; “status” shows each.":                                                                                       msg("Try again when more servers are there; the page of the grid shows each."),
	"Stop a gateway that “gateway start” keeps, then run the command again. If it stays so, a server answers nonsense: tell those who run the servers.": msg("Lock the manifest, unlock it and try again. If it stays so, a server answers nonsense: tell those who run the servers."),
	"Run the command again: it starts the gateway anew.":                                                                                                msg("Lock the manifest, unlock it and try again: that starts the gateway anew."),
	"Run the same command again: it continues from here.":                                                                                               msg("Try again: it goes on from here."),
	"Choose an older snapshot; “snapshots” lists them.":                                                                                                 msg("Choose an older snapshot."),
	"Start one with “gateway start”; without it each command starts its own.":                                                                           msg("Lock the manifest and unlock it again: that starts one."),
	"Start it with “practice start”.":                                                                                                                   msg("Start it: “Practice on This Computer”."),
	"“snapshots” lists what there is.":                                                                                                                  msg("Choose one that is there."),
	"Run the same command again.":                                                                                                                       msg("Try again."),
	"Close other programs, or name a directory on a disk with --target. There the files lie in plain until the end.":                                    msg("Close other programs, or rehearse with a sample only."),
	"Most often memory runs out: close other programs and try again, or name a directory on a disk with --target.":                                      msg("Most often memory runs out: close other programs and try again, or rehearse with a sample only."),
	"“manifest holders” shows it.":                                                                                                                      msg("Check the name."),
	"Say what is to stay, with numbers from 1 up: --keep-last, --keep-daily, --keep-weekly, --keep-monthly, or a time span with --keep-within.":         msg("Say what is to stay."),
	"Leave their numbers out. After another “backup --pin” these two can go.":                                                                           msg("Leave them out."),
	"Try again when all servers answer; “status” shows each. If it stays so, forget that snapshot by its number first; if it is the newest or the pinned one, make another with “backup --pin” before.": msg("Try again when all servers answer; the page of the grid shows each."),
	"Wait until the servers with the newer state are back; “status” shows each. Or somebody hides it: then ask those who run the servers.":                                                              msg("Wait until the servers with the newer state are back; the page of the grid shows each. Or somebody hides it: then ask those who run the servers."),
	"Name one on the command line, or put folders into the manifest.":                    msg("Make a new backup with the folders you want."),
	"Free some space or choose another target, then run the same command: it continues.": msg("Free some space or choose another folder, then try again: it goes on from here."),
	"“ls” shows the names.":                                                                              msg("Choose something that is there."),
	"Name a directory with --target.":                                                                    msg("Choose a folder."),
	"Restore elsewhere, or add --overwrite changed.":                                                     msg("Restore elsewhere, or choose to replace what is different."),
	"Free some space and run the same command again.":                                                    msg("Free some space and try again."),
	"Name one with --service: storage or introducer.":                                                    msg("Try again."),
	"“host info --details” explains every option.":                                                       msg("Write it in another way."),
	"Read what “host enable” says in a terminal, or add --yes if you know it.":                           msg("Read what stands on the page, and agree to it."),
	"Stop it first: host disable.":                                                                       msg("Stop it first."),
	"“host run” runs it in this terminal and shows why.":                                                 msg("Try again; the details are what it said."),
	"Start it with “host enable”.":                                                                       msg("Start it first."),
	"Start it with “host enable”, then invite.":                                                          msg("Start it first."),
	"Tell them, and let them move elsewhere first. “host disable --forget” then removes all of it.":      msg("Tell them, and let them move elsewhere first."),
	"“host people” shows who is.":                                                                        msg("Check the name."),
	"“host disable” shuts everybody out at once; “host enable” then lets the others in again.":           msg("Stop it: that shuts everybody out at once. Start it again to let the others in."),
	"Log in on this computer itself and repeat the command there: systemd could not be asked from here.": msg("Log in on this computer itself and stop it there: systemd could not be asked from here."),
	"Start it by hand with “host enable” after each login.":                                              msg("Start it by hand after each login."),
}

// explain is core.Explain in the words of the window, translated.
func explain(err error) core.Message {
	m := core.Explain(err)
	if hint, ok := hints[m.Hint]; ok {
		m.Hint = hint
	}
	if core.LacksTahoe(err) {
		m.Detail = lines(core.InstallTahoe, m.Detail)
	}
	m.Title, m.Safe, m.Hint = T(m.Title), T(m.Safe), T(m.Hint)
	return m
}
