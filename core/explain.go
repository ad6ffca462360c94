package core

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"syscall"

	"hiddenbackup/core/backup"
	"hiddenbackup/core/manifest"
	"hiddenbackup/core/node"
	"hiddenbackup/core/paper"
	"hiddenbackup/core/restore"
	"hiddenbackup/core/retain"
	"hiddenbackup/core/snapshot"
	"hiddenbackup/core/tor"
	"hiddenbackup/core/tor/tornet"
	"hiddenbackup/core/vault"
	"hiddenbackup/tahoeclient"
)

// Exit codes of every front end; documented, never renumbered.
const (
	ExitDone     = 0
	ExitFailed   = 1
	ExitUsage    = 2
	ExitSkipped  = 3 // done, but some files are not as they should be
	ExitManifest = 4 // the manifest would not open
	ExitGrid     = 5 // the grid is out of reach
	ExitStopped  = 130
)

// Message explains an error to a person: what happened, what is safe, what to do.
type Message struct {
	Title string
	// Safe says what is not affected.
	Safe string
	// Hint says what to do.
	Hint string
	// Detail is the error's own text, for a bug report; it holds no secrets.
	Detail string
	Exit   int
}

// explanations: the first row whose error is in the chain decides, so causes
// stand before their symptoms.
var explanations = append(hostExplanations, []explanation{
	{context.Canceled, Message{
		Title: "Stopped.", Safe: "Nothing was lost.",
		Hint: "Run the same command again; a backup or restore continues from here.", Exit: ExitStopped}},

	{manifest.ErrPassphrase, Message{
		Title: "The manifest did not open: the passphrase is wrong, or the file is damaged.",
		Safe:  "Nothing was changed. A wrong try costs nothing but time.",
		Hint:  "Type the passphrase again; if it is surely right, get the manifest from another holder.", Exit: ExitManifest}},
	{manifest.ErrArmour, Message{
		Title: "The manifest's text form is damaged.",
		Safe:  "Nothing was changed.",
		Hint:  "Correct what is named below (each line begins with its number), or get the text again from the holder.", Exit: ExitManifest}},
	{manifest.ErrNotManifest, Message{
		Title: "This file is not a manifest.",
		Safe:  "Nothing was changed.",
		Hint:  "Choose the manifest file, or paste its whole text form.", Exit: ExitManifest}},
	{manifest.ErrVersion, Message{
		Title: "This manifest was made by a newer version of Hidden Backup.",
		Safe:  "Nothing was changed.",
		Hint:  "Install the newer version and open it there.", Exit: ExitManifest}},
	{manifest.ErrPower, Message{
		Title: "This file does not give the power to do that.",
		Safe:  "Nothing was changed.",
		Hint:  "The line below says which kind of file it is, and which is needed.", Exit: ExitManifest}},
	{manifest.ErrNetwork, Message{
		Title: "The manifest names an address outside its network, so nothing was started.",
		Safe:  "No packet was sent.",
		Hint:  "Do not use this manifest before its maker has explained the address; a grid over Tor has only onion addresses.", Exit: ExitManifest}},
	{manifest.ErrInvalid, Message{
		Title: "The manifest is not valid.",
		Safe:  "Nothing was changed.",
		Hint:  "Correct the field that is named.", Exit: ExitManifest}},
	{manifest.ErrWeak, Message{
		Title: "This passphrase could be guessed.",
		Safe:  "Nothing was sealed with it.",
		Hint:  "Use the generated one, or a longer one of unrelated words.", Exit: ExitUsage}},
	{paper.ErrNoCode, Message{
		Title: "No QR code in this picture could be read.",
		Safe:  "Nothing was changed.",
		Hint:  "Take the picture again: the sheet flat and well lit, the camera straight above, the whole code sharp and as large as it fits. Or let a telephone scan the code, and use the text it shows.", Exit: ExitManifest}},
	{paper.ErrOtherCode, Message{
		Title: "The QR code in this picture is something else than a manifest.",
		Safe:  "Nothing was changed, and no address in it was opened.",
		Hint:  "Take a picture of the large code on the holder's card, with no other code in it.", Exit: ExitManifest}},
	{paper.ErrParts, Message{
		Title: "This manifest has several QR codes, and not all of them are here.",
		Safe:  "Nothing was changed.",
		Hint:  "Scan those that are named below as well, and put the texts of all of them into one file, in any order.", Exit: ExitManifest}},
	{paper.ErrMixed, Message{
		Title: "These QR codes belong to different manifests.",
		Safe:  "Nothing was changed.",
		Hint:  "Use the codes of one card at a time: the four words at the foot of its pages are the same.", Exit: ExitManifest}},
	{paper.ErrDamaged, Message{
		Title: "The text of the QR code is damaged.",
		Safe:  "Nothing was changed.",
		Hint:  "Scan the code again and take the whole text, from “HIDDEN BACKUP QR” to its end.", Exit: ExitManifest}},
	{paper.ErrPicture, Message{
		Title: "This picture cannot be read.",
		Safe:  "Nothing was changed.",
		Hint:  "Save it as PNG or JPEG; of a PDF, take a screenshot. If it came over a bad line, fetch it again.", Exit: ExitManifest}},
	{paper.ErrTooLarge, Message{
		Title: "This file or picture is larger than anything a manifest comes in.",
		Safe:  "Nothing was changed.",
		Hint:  "Cut the picture down to the QR code, or take it with fewer pixels.", Exit: ExitManifest}},
	{paper.ErrLetters, Message{
		Title: "The words for the card have letters that cannot be printed here.",
		Safe:  "Nothing was written.",
		Hint:  "If the font is missing, install the package fonts-dejavu-core. Otherwise leave --to out: the card then has lines to write on by hand.", Exit: ExitUsage}},
	{paper.ErrDifferent, Message{
		Title: "This is not the copy that these words name.",
		Safe:  "Nothing was changed.",
		Hint:  "Have the words read out once more. If they stay different, this copy is of another generation or damaged: ask for a new one, and keep this until it is there.", Exit: ExitManifest}},
	{manifest.ErrExists, Message{
		Title: "A file of that name exists already.",
		Safe:  "It was not touched.",
		Hint:  "Choose another name, or move the file away.", Exit: ExitUsage}},
	{ErrReadOnly, Message{
		Title: "This manifest allows restoring, not backing up.",
		Safe:  "Nothing was changed.",
		Hint:  "Use the owner's manifest.", Exit: ExitManifest}},

	{node.ErrNoTahoe, Message{
		Title: "Tahoe-LAFS is not installed, or too old.",
		Safe:  "Nothing was started.",
		Hint:  "Install it (“make deps” in the source tree does), version 1.20 or newer.", Exit: ExitFailed}},
	{node.ErrMissingModule, Message{
		Title: "Tahoe-LAFS lacks a part that its package forgot to ask for.",
		Safe:  "Nothing was started.",
		Hint:  "Install the Debian package that is named.", Exit: ExitFailed}},
	{node.ErrNoMemoryDir, Message{
		Title: "There is no place in memory to run the gateway in.",
		Safe:  "Nothing was written to disk.",
		Hint:  "Log in on a desktop session, or name a directory with --node-directory and accept with --allow-disk that traces may stay on it.", Exit: ExitFailed}},
	{node.ErrUnsafeDir, Message{
		Title: "The runtime directory belongs to somebody else or is open to others.",
		Safe:  "Nothing was started in it.",
		Hint:  "Remove it, or name another one with --node-directory.", Exit: ExitFailed}},
	{node.ErrSocketPath, Message{
		Title: "The path of the runtime directory is too long.",
		Safe:  "Nothing was started.",
		Hint:  "Name a directory with a shorter path with --node-directory.", Exit: ExitFailed}},
	{node.ErrConfig, Message{
		Title: "The manifest describes a grid that no gateway can be set up for.",
		Safe:  "Nothing was started and no packet was sent.",
		Hint:  "Get the manifest from another holder, or correct what is named below.", Exit: ExitManifest}},

	{tornet.ErrNoTor, Message{
		Title: "A practice grid behind onion services needs tor on this computer.",
		Safe:  "Nothing was started.",
		Hint:  "Install it: sudo apt install tor.", Exit: ExitGrid}},
	{tor.ErrNoTor, Message{
		Title: "There is no tor on this computer, and this grid is reached through Tor only.",
		Safe:  "Nothing was sent anywhere.",
		Hint:  "Start Tor Browser, or install tor: sudo apt install tor. On Tails, connect to Tor first.", Exit: ExitGrid}},
	{tor.ErrNoSocks, Message{
		Title: "Nothing answers where tor should be.",
		Safe:  "Nothing was sent anywhere.",
		Hint:  "Start tor (on Tails: connect to Tor), or name its address with --tor ADDRESS.", Exit: ExitGrid}},
	{tor.ErrNotTor, Message{
		Title: "What answers at tor's address is not tor.",
		Safe:  "Nothing was sent through it.",
		Hint:  "Check --tor ADDRESS; tor's own default is 127.0.0.1:9050, Tor Browser's 127.0.0.1:9150.", Exit: ExitGrid}},
	{tor.ErrClock, Message{
		Title: "Tor does not connect because this computer's clock is wrong.",
		Safe:  "Nothing was sent to the grid.",
		Hint:  "Set the clock and the time zone, then try again.", Exit: ExitGrid}},
	{tor.ErrNotBootstrapped, Message{
		Title: "Tor is not connected to its network yet.",
		Safe:  "Nothing was sent to the grid.",
		Hint:  "Check the connection to the internet. Where Tor is blocked, use bridges: --bridge, or Tor Connection on Tails.", Exit: ExitGrid}},
	{tor.ErrEnded, Message{
		Title: "Our tor ended.",
		Safe:  "Nothing went anywhere else; what is stored stays stored.",
		Hint:  "Run the same command again: it starts tor anew and continues.", Exit: ExitGrid}},
	{tor.ErrBridge, Message{
		Title: "That is not a bridge line.",
		Safe:  "Nothing was sent anywhere.",
		Hint:  "Copy the whole line as you were given it: obfs4 ADDRESS:PORT FINGERPRINT cert=… iat-mode=0.", Exit: ExitUsage}},
	{tor.ErrNoPlugin, Message{
		Title: "The program for this kind of bridge is not installed.",
		Safe:  "Nothing was sent anywhere.",
		Hint:  "Install it: sudo apt install obfs4proxy.", Exit: ExitGrid}},
	{tor.ErrOnion, Message{
		Title: "An onion service cannot be reached.",
		Safe:  "Nothing went anywhere else.",
		Hint:  "Try again in a while; “status” shows each server.", Exit: ExitGrid}},
	{tor.ErrOnionAddress, Message{
		Title: "That is not the address of an onion service.",
		Safe:  "Nothing was sent anywhere.",
		Hint:  "It has 56 letters and digits and ends in .onion. Copy it whole.", Exit: ExitUsage}},
	{tor.ErrNotOwn, Message{
		Title: "The running tor takes no keys and no services from us, and this needs it.",
		Safe:  "It goes on undisturbed.",
		Hint:  "Use a tor of our own: --tor own. On Tails, install the package of this program: it allows it.", Exit: ExitGrid}},
	{tor.ErrControl, Message{
		Title: "Our tor did not do what it was told.",
		Safe:  "Nothing went anywhere else.",
		Hint:  "Run the command again; the line below is what tor said.", Exit: ExitFailed}},
	{tor.ErrConfig, Message{
		Title: "Tor cannot be used like that.",
		Safe:  "Nothing was sent anywhere.",
		Hint:  "The line below says what does not go together.", Exit: ExitUsage}},
	{ErrSAM, Message{
		Title: "An I2P router elsewhere cannot be used: others would see where you go.",
		Safe:  "Nothing was sent anywhere.",
		Hint:  "Name a router on this computer, such as --i2p 127.0.0.1:7656.", Exit: ExitUsage}},
	{ErrNoI2P, Message{
		Title: "No I2P router answers on this computer, and this grid is reached through I2P only.",
		Safe:  "Nothing was sent anywhere.",
		Hint:  "Start the I2P router and switch its SAM bridge on, or name its address with --i2p ADDRESS.", Exit: ExitGrid}},

	{ErrFilters, Message{
		Title: "What to leave out, as the vault remembers it, cannot be read.",
		Safe:  "Nothing was changed; nothing that should be left out was stored.",
		Hint:  "Try again in a while, or give the filters anew with --remember.", Exit: ExitGrid}},

	{vault.ErrBusy, Message{
		Title: "Another computer is backing up to this vault, or was cut off doing so less than 15 minutes ago.",
		Safe:  "Everything stored is safe.",
		Hint:  "Wait for it. If you are sure that nothing runs any more, add --take-over.", Exit: ExitFailed}},
	{ErrRunning, Message{
		Title: "Another backup of the same vault is running on this computer.",
		Safe:  "It goes on undisturbed.",
		Hint:  "Wait until it is done.", Exit: ExitFailed}},
	{ErrTooFewServers, Message{
		Title: "Too few storage servers answer.",
		Safe:  "Your files are unchanged, and so is what is stored.",
		Hint:  "Check the network and try again in a while; “status” shows each server.", Exit: ExitGrid}},
	{vault.ErrTooFewServers, Message{
		Title: "Too few storage servers answer for a safe change.",
		Safe:  "Your files are unchanged; what is stored stays stored, and a backup continues from there.",
		Hint:  "Try again in a while; “status” shows each server.", Exit: ExitGrid}},
	{tahoeclient.ErrUnhappy, Message{
		Title: "The grid did not take the data: too few storage servers have room and answer.",
		Safe:  "Your files are unchanged; what is stored stays stored, and a backup continues from there.",
		Hint:  "Try again in a while; “status” shows each server and its space.", Exit: ExitGrid}},
	{tahoeclient.ErrDamaged, Message{
		Title: "All storage servers answer, but too much of this data is lost or damaged on them.",
		Safe:  "Nothing wrong was written; what was restored stands.",
		Hint:  "Waiting does not help. Choose an older snapshot (“snapshots” lists them), and tell those who run the servers.", Exit: ExitFailed}},
	{vault.ErrNoVault, Message{
		Title: "The grid does not give the vault directory back at the moment.",
		Safe:  "A manifest with a pinned snapshot can still restore that snapshot.",
		Hint:  "Wait until more storage servers answer; “status” shows each.", Exit: ExitGrid}},
	{tahoeclient.ErrNotEnoughShares, Message{
		Title: "Too few of the storage servers that hold this data answer.",
		Safe:  "Nothing wrong was written; what was restored stands.",
		Hint:  "Try again when more servers are there; “status” shows each.", Exit: ExitGrid}},
	{tahoeclient.ErrGone, Message{
		Title: "No storage server that answers holds this data.",
		Safe:  "Nothing wrong was written; what was restored stands.",
		Hint:  "Try again when more servers are there; “status” shows each.", Exit: ExitGrid}},
	{node.ErrGaveUp, Message{
		Title: "The gateway stopped several times in a row.",
		Safe:  "Your files are unchanged, and so is what is stored.",
		Hint:  "The last lines it wrote are below; try again, with more free memory if they speak of it.", Exit: ExitGrid}},
	{tahoeclient.ErrStuck, Message{
		Title: "A storage server keeps the gateway waiting.",
		Safe:  "Your files are unchanged; what is stored stays stored, and nothing wrong was written.",
		Hint:  "Stop a gateway that “gateway start” keeps, then run the command again. If it stays so, a server answers nonsense: tell those who run the servers.", Exit: ExitGrid}},
	{tahoeclient.ErrNotAnswering, Message{
		Title: "The gateway does not answer.",
		Safe:  "Your files are unchanged; what is stored stays stored, and a backup continues from there.",
		Hint:  "Run the command again: it starts the gateway anew.", Exit: ExitGrid}},
	{tahoeclient.ErrConflict, Message{
		Title: "Somebody else changed the vault at the same moment.",
		Safe:  "Everything stored is safe.",
		Hint:  "Make sure that no other computer backs up to it, then try again.", Exit: ExitGrid}},
	{tahoeclient.ErrShortRead, Message{
		Title: "The connection to the grid broke off.",
		Safe:  "Nothing wrong was written.",
		Hint:  "Run the same command again: it continues from here.", Exit: ExitGrid}},
	{tahoeclient.ErrNotWritable, Message{
		Title: "The manifest's capability does not allow writing.",
		Safe:  "Nothing was changed.",
		Hint:  "Use the owner's manifest.", Exit: ExitManifest}},
	{tahoeclient.ErrBadCap, Message{
		Title: "A capability is not one, or of the wrong kind.",
		Safe:  "Nothing was changed.",
		Hint:  "Get the manifest from another holder.", Exit: ExitFailed}},
	{tahoeclient.ErrNoChild, Message{
		Title: "Something that should be in the vault is not there.",
		Safe:  "Nothing was changed.",
		Hint:  "Choose an older snapshot; “snapshots” lists them.", Exit: ExitFailed}},
	{node.ErrNoGateway, Message{
		Title: "No gateway is running for this manifest.",
		Safe:  "Nothing was changed.",
		Hint:  "Start one with “gateway start”; without it each command starts its own.", Exit: ExitFailed}},
	{node.ErrNoPractice, Message{
		Title: "No practice grid is running.",
		Safe:  "What it stores is kept.",
		Hint:  "Start it with “practice start”.", Exit: ExitGrid}},
	{node.ErrAlreadyRunning, Message{
		Title: "It is running already.",
		Safe:  "It goes on undisturbed.",
		Hint:  "Stop it first if you want to start it anew.", Exit: ExitFailed}},

	{vault.ErrNoSnapshot, Message{
		Title: "There is no such snapshot.",
		Safe:  "Nothing was changed.",
		Hint:  "“snapshots” lists what there is.", Exit: ExitFailed}},
	{vault.ErrNotStored, Message{
		Title: "What was stored did not read back the same, so no snapshot was made of it.",
		Safe:  "Older snapshots are untouched.",
		Hint:  "Run the same command again.", Exit: ExitFailed}},
	{snapshot.ErrVersion, Message{
		Title: "This backup was made by a newer version of Hidden Backup.",
		Safe:  "Nothing was changed.",
		Hint:  "Install the newer version.", Exit: ExitFailed}},
	{snapshot.ErrSeal, Message{
		Title: "Data from the grid is damaged or belongs to another backup.",
		Safe:  "Nothing wrong was written.",
		Hint:  "Choose an older snapshot; “snapshots” lists them.", Exit: ExitFailed}},
	{snapshot.ErrChunk, Message{
		Title: "Data from the grid is not what it claims to be.",
		Safe:  "Nothing wrong was written.",
		Hint:  "Choose an older snapshot; “snapshots” lists them.", Exit: ExitFailed}},
	{snapshot.ErrFormat, Message{
		Title: "Stored data does not make sense to this version.",
		Safe:  "Nothing wrong was written.",
		Hint:  "Choose an older snapshot; “snapshots” lists them.", Exit: ExitFailed}},

	{ErrLost, Message{
		Title: "Something the backup needs cannot be read any more; it is named above.",
		Safe:  "What is left is untouched, and nothing was deleted.",
		Hint:  "If your files are still there, back up now: what is lost is stored again. Do not wipe before a check is clean.", Exit: ExitFailed}},
	{ErrRehearsal, Message{
		Title: "The rehearsal failed: not everything would come back as it was. The reasons are above.",
		Safe:  "Your files were not touched.",
		Hint:  "Do not wipe. Back up again, which stores anew what is lost, and rehearse again.", Exit: ExitFailed}},
	{ErrNoRoom, Message{
		Title: "There is not enough room for this rehearsal.",
		Safe:  "Nothing was restored.",
		Hint:  "Close other programs, or name a directory on a disk with --target. There the files lie in plain until the end.", Exit: ExitFailed}},
	{ErrBlank, Message{
		Title: "The part of the program that plays the blank computer ended early.",
		Safe:  "Your files were not touched, and what it had restored is removed.",
		Hint:  "Most often memory runs out: close other programs and try again, or name a directory on a disk with --target.", Exit: ExitFailed}},
	{ErrWords, Message{
		Title: "These are not the four words of this manifest.",
		Safe:  "Nothing was noted.",
		Hint:  "First see whether a word is mistyped. If none is, the other side has another generation or a damaged copy: send this one again, and compare the words after that.", Exit: ExitManifest}},
	{ErrNobody, Message{
		Title: "Nobody of that name is on the list.",
		Safe:  "Nothing was changed.",
		Hint:  "“manifest holders” shows it.", Exit: ExitUsage}},
	{ErrDate, Message{
		Title: "That date cannot be right.",
		Safe:  "Nothing was noted.",
		Hint:  "Write it as 2026-12-31, and check this computer's clock.", Exit: ExitUsage}},

	{retain.ErrRules, Message{
		Title: "No keep rule says what is to stay.",
		Safe:  "Nothing was forgotten.",
		Hint:  "Say what is to stay, with numbers from 1 up: --keep-last, --keep-daily, --keep-weekly, --keep-monthly, or a time span with --keep-within.", Exit: ExitUsage}},
	{ErrStays, Message{
		Title: "The newest snapshot and the one the manifest pins are never forgotten.",
		Safe:  "Nothing was forgotten.",
		Hint:  "Leave their numbers out. After another “backup --pin” these two can go.", Exit: ExitUsage}},
	{ErrUnread, Message{
		Title: "A snapshot that stays cannot be read, so nobody knows what it needs.",
		Safe:  "Nothing was forgotten.",
		Hint:  "Try again when all servers answer; “status” shows each. If it stays so, forget that snapshot by its number first; if it is the newest or the pinned one, make another with “backup --pin” before.", Exit: ExitFailed}},
	{ErrRolledBack, Message{
		Title: "The grid shows an older state than this manifest's pin. To forget now would bury the newer one.",
		Safe:  "Nothing was forgotten.",
		Hint:  "Wait until the servers with the newer state are back; “status” shows each. Or somebody hides it: then ask those who run the servers.", Exit: ExitGrid}},

	{backup.ErrNoFolders, Message{
		Title: "There is no folder to back up.",
		Safe:  "Nothing was changed.",
		Hint:  "Name one on the command line, or put folders into the manifest.", Exit: ExitUsage}},
	{ErrFolder, Message{
		Title: "A folder to back up is missing or cannot be read.",
		Safe:  "Nothing was changed; no snapshot was made without it.",
		Hint:  "Connect the disk it is on, or correct the manifest's folders.", Exit: ExitFailed}},
	{ErrRule, Message{
		Title: "A filter rule is not valid.",
		Safe:  "Nothing was changed.",
		Hint:  "Write “- PATTERN” to leave out and “+ PATTERN” to keep, as rsync does.", Exit: ExitUsage}},
	{backup.ErrChanging, Message{
		Title: "A file changed while it was read.",
		Safe:  "Everything else is stored.",
		Hint:  "Close the program that writes it and back up again.", Exit: ExitSkipped}},

	{restore.ErrNoSpace, Message{
		Title: "There is not enough free space at the restore target.",
		Safe:  "Every file that was restored is complete; no half file was left.",
		Hint:  "Free some space or choose another target, then run the same command: it continues.", Exit: ExitFailed}},
	{restore.ErrInsideSource, Message{
		Title: "The restore target is inside a folder that is backed up.",
		Safe:  "Nothing was written.",
		Hint:  "Choose a target outside of it.", Exit: ExitUsage}},
	{restore.ErrTargetBusy, Message{
		Title: "Another restore is writing to the same place.",
		Safe:  "It goes on undisturbed.",
		Hint:  "Wait until it is done, or choose another target.", Exit: ExitFailed}},
	{restore.ErrSelection, Message{
		Title: "The snapshot holds nothing of that name.",
		Safe:  "Nothing was changed.",
		Hint:  "“ls” shows the names.", Exit: ExitUsage}},
	{restore.ErrNoPlace, Message{
		Title: "There is no usable place to restore to.",
		Safe:  "Nothing was changed.",
		Hint:  "Name a directory with --target.", Exit: ExitUsage}},
	{restore.ErrDifferent, Message{
		Title: "A different file is already there.",
		Safe:  "It was left alone.",
		Hint:  "Restore elsewhere, or add --overwrite changed.", Exit: ExitSkipped}},
	{restore.ErrInTheWay, Message{
		Title: "Something else stands where a file or folder belongs.",
		Safe:  "It was left alone.",
		Hint:  "Move it away, or restore elsewhere.", Exit: ExitSkipped}},
	{restore.ErrLinkGone, Message{
		Title: "A file of several names was not restored.",
		Safe:  "Everything else stands.",
		Hint:  "Restore it with the file it belongs to.", Exit: ExitSkipped}},

	{syscall.EISDIR, Message{
		Title: "A directory stands where a file is needed.",
		Safe:  "It was left alone.",
		Hint:  "Check the name.", Exit: ExitFailed}},
	{syscall.ENOTDIR, Message{
		Title: "A file stands where a directory is needed.",
		Safe:  "It was left alone.",
		Hint:  "Check the name.", Exit: ExitFailed}},
	{syscall.ENOSPC, Message{
		Title: "A disk is full.",
		Safe:  "What is stored stays stored.",
		Hint:  "Free some space and run the same command again.", Exit: ExitFailed}},
	{fs.ErrPermission, Message{
		Title: "A file or directory may not be used by you.",
		Safe:  "What is stored stays stored; what was restored stands.",
		Hint:  "Check its owner and permissions.", Exit: ExitFailed}},
	{fs.ErrNotExist, Message{
		Title: "A file or directory does not exist.",
		Safe:  "What is stored stays stored; what was restored stands.",
		Hint:  "Check its name.", Exit: ExitFailed}},
	{os.ErrDeadlineExceeded, Message{
		Title: "Something took too long.",
		Safe:  "What is stored stays stored.",
		Hint:  "Run the same command again.", Exit: ExitGrid}},
	{context.DeadlineExceeded, Message{
		Title: "Something took too long.",
		Safe:  "What is stored stays stored.",
		Hint:  "Run the same command again.", Exit: ExitGrid}},
}...)

type explanation struct {
	err error
	m   Message
}

// Explain turns an error into what a person needs to know. An error it does
// not know is shown as it is.
func Explain(err error) Message {
	for _, row := range explanations {
		if errors.Is(err, row.err) {
			m := row.m
			m.Detail = err.Error()
			return m
		}
	}
	return Message{
		Title: "Something went wrong that this program does not know.",
		Safe:  "What is stored stays stored.", Hint: "Try again; if it stays, report the text below.",
		Detail: err.Error(), Exit: ExitFailed,
	}
}
