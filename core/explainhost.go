package core

import "hiddenbackup/core/host"

// hostExplanations are about lending this machine to others. They stand before
// the rest: each of these errors is precise.
var hostExplanations = []explanation{
	{host.ErrService, Message{
		Title: "No such service can be offered.",
		Safe:  "Nothing was started.",
		Hint:  "Name one with --service: storage or introducer.", Exit: ExitUsage}},
	{host.ErrState, Message{
		Title: "What this computer remembers of its service cannot be used.",
		Safe:  "It was left as it is; what others stored is untouched.",
		Hint:  "Correct the file that is named below, or put back a copy of it.", Exit: ExitFailed}},
	{host.ErrOption, Message{
		Title: "That cannot be set.",
		Safe:  "Nothing was changed.",
		Hint:  "“host info --details” explains every option.", Exit: ExitUsage}},
	{host.ErrConsent, Message{
		Title: "Hosting on Tails has a risk that must be agreed to first.",
		Safe:  "Nothing was started and no packet was sent.",
		Hint:  "Read what “host enable” says in a terminal, or add --yes if you know it.", Exit: ExitUsage}},
	{host.ErrTails, Message{
		Title: "Tails lets only its own tor use the network, and that takes no commands from this program.",
		Safe:  "Nothing was started and no packet was sent.",
		Hint:  "Install the package of this program: it brings the filter profile /etc/onion-grater.d/hidden-backup.yml, which allows it. Or host on a computer with Debian.", Exit: ExitFailed}},
	{host.ErrNoPersistence, Message{
		Title: "There is no Persistent Folder, and on Tails nothing else outlives the session.",
		Safe:  "Nothing was changed.",
		Hint:  "Restart Tails and unlock the Persistent Storage, or leave persistence off.", Exit: ExitFailed}},
	{host.ErrRunning, Message{
		Title: "The service is running.",
		Safe:  "It goes on undisturbed.",
		Hint:  "Stop it first: host disable.", Exit: ExitFailed}},
	{host.ErrEarly, Message{
		Title: "The service ended before it ran.",
		Safe:  "Keys, and what others stored, are as they were.",
		Hint:  "“host run” runs it in this terminal and shows why.", Exit: ExitFailed}},
	{host.ErrNotRunning, Message{
		Title: "The service is not running.",
		Safe:  "Keys, and what others stored, are as they were.",
		Hint:  "Start it with “host enable”.", Exit: ExitFailed}},
	{host.ErrNeverRan, Message{
		Title: "The service has not run yet, so there is no address to invite anybody to.",
		Safe:  "Nothing was changed.",
		Hint:  "Start it with “host enable”, then invite.", Exit: ExitFailed}},
	{host.ErrHoldsShares, Message{
		Title: "It stores shares of other people, which would be lost.",
		Safe:  "Nothing was changed.",
		Hint:  "Tell them, and let them move elsewhere first. “host disable --forget” then removes all of it.", Exit: ExitFailed}},
	{host.ErrInvited, Message{
		Title: "Somebody of that name is invited already.",
		Safe:  "Nothing was changed; that invite stays good.",
		Hint:  "Choose another name, or revoke the first one. An invite cannot be shown again, because its key is not kept.", Exit: ExitUsage}},
	{host.ErrNobody, Message{
		Title: "Nobody of that name is invited.",
		Safe:  "Nothing was changed.",
		Hint:  "“host people” shows who is.", Exit: ExitUsage}},
	{host.ErrNotApplied, Message{
		Title: "The running service has not taken up the change.",
		Safe:  "It is noted and holds from the next start on; until then the person may still get in.",
		Hint:  "“host disable” shuts everybody out at once; “host enable” then lets the others in again.", Exit: ExitFailed}},
	{host.ErrReturns, Message{
		Title: "The service is stopped, but systemd will start it again at the next login.",
		Safe:  "Nothing of it runs now.",
		Hint:  "Log in on this computer itself and repeat the command there: systemd could not be asked from here.", Exit: ExitFailed}},
	{host.ErrOccupied, Message{
		Title: "There is another state of this service in the place where it would be kept.",
		Safe:  "Nothing was changed.",
		Hint:  "Look at the directory that is named below. If you do not need its keys, move it away and try again.", Exit: ExitFailed}},
	{host.ErrAutostart, Message{
		Title: "Starting at every login cannot be arranged on this computer.",
		Safe:  "Nothing was changed.",
		Hint:  "Start it by hand with “host enable” after each login.", Exit: ExitFailed}},

	{host.ErrInviteVersion, Message{
		Title: "This invite was made by a newer version of Hidden Backup.",
		Safe:  "Nothing was changed.",
		Hint:  "Install the newer version and use it there.", Exit: ExitFailed}},
	{host.ErrElsewhere, Message{
		Title: "This invite leads to an address outside of Tor, where everybody on the way would see you.",
		Safe:  "Nothing was changed, and no packet was sent.",
		Hint:  "Do not use it. Ask whoever sent it, on a way you trust, whether it is theirs.", Exit: ExitFailed}},
	{host.ErrExpired, Message{
		Title: "This invite is too old.",
		Safe:  "Nothing was changed, and no packet was sent.",
		Hint:  "Ask for a new one. If the date cannot be, check this computer's clock.", Exit: ExitFailed}},
	{host.ErrSameServer, Message{
		Title: "Two different addresses claim to be one server, so one of them is false.",
		Safe:  "Nothing was changed, and no packet was sent.",
		Hint:  "Ask those who sent the invites, each on a way you trust.", Exit: ExitFailed}},
	{host.ErrInvite, Message{
		Title: "This is not a whole invite.",
		Safe:  "Nothing was changed, and no packet was sent.",
		Hint:  "Copy the text again, from its first line to its last, or ask for it again.", Exit: ExitFailed}},
}
