package tails

// data is where Tails mounts an unlocked Persistent Storage. We may open what
// we know the name of below it; listing is not allowed.
const data = "/live/persistence/TailsData_unlocked"

// msg marks text that front ends translate.
func msg(text string) string { return text }

// table is every feature in the order of Tails' own window. Titles are its
// titles, keys its names on the system bus. What belongs to root or to the
// login screen has no path: we run without an administration password.
var table = []Feature{
	{Key: "PersistentDirectory", Title: msg("Persistent Folder"), Paths: []string{"~/Persistent"},
		Contains: msg("The files in your Persistent folder.")},
	{Key: "WelcomeScreen", Title: msg("Welcome Screen"),
		Contains: msg("Language, keyboard and the other settings of the Welcome Screen."),
		ByHand:   msg("Choose language, keyboard and settings on the Welcome Screen.")},
	{Key: "Printers", Title: msg("Printers"),
		Contains: msg("The printers you have set up."),
		ByHand:   msg("Add your printers in Settings.")},
	{Key: "NetworkConnections", Title: msg("Network Connections"),
		Contains: msg("The Wi-Fi networks you have used and their passwords."),
		ByHand:   msg("Type your Wi-Fi passwords again.")},
	{Key: "TorConfiguration", Title: msg("Tor Bridge"),
		Contains: msg("The last bridge that connected you to Tor."),
		ByHand:   msg("Set up your bridge in Tor Connection.")},
	{Key: "BrowserBookmarks", Title: msg("Tor Browser Bookmarks"), Paths: []string{"~/.mozilla/firefox/bookmarks"}, Program: "Tor Browser",
		Contains: msg("The bookmarks of Tor Browser.")},
	{Key: "Electrum", Title: msg("Electrum Bitcoin Wallet"), Paths: []string{"~/.electrum"}, Program: "Electrum",
		Contains: msg("Your Bitcoin wallet and the settings of Electrum.")},
	{Key: "Thunderbird", Title: msg("Thunderbird Email Client"), Paths: []string{"~/.thunderbird"}, Program: "Thunderbird",
		Contains: msg("Emails, contacts, OpenPGP keys and the settings of Thunderbird.")},
	{Key: "GnuPG", Title: msg("GnuPG"), Paths: []string{"~/.gnupg"},
		Contains: msg("The OpenPGP keys that GnuPG and Kleopatra use.")},
	{Key: "Pidgin", Title: msg("Pidgin Internet Messenger"), Paths: []string{"~/.purple"}, Program: "Pidgin",
		Contains: msg("Accounts, contacts and OTR keys of Pidgin.")},
	{Key: "SSHClient", Title: msg("SSH Client"), Paths: []string{"~/.ssh"},
		Contains: msg("SSH keys and the servers you know.")},
	{Key: "AdditionalSoftware", Title: msg("Additional Software"),
		Contains: msg("The software that is installed at each start."),
		ByHand:   msg("Install your additional software again, and choose Install Every Time.")},
	{Key: "Dotfiles", Title: msg("Dotfiles"), Paths: []string{data + "/dotfiles"},
		Contains: msg("Configuration files that are linked into your home folder.")},
}
