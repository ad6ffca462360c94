package host

import "errors"

var (
	// ErrService is a service that is unknown, or whose description is wrong.
	ErrService = errors.New("the service cannot be offered")

	// ErrOption is an option that is unknown, or a value it cannot have.
	ErrOption = errors.New("the option cannot be set like that")

	// ErrState means that what the host remembers cannot be read or used.
	ErrState = errors.New("what the host remembers cannot be used")

	// ErrConsent means that the operator must first agree to what hosting on
	// Tails risks: see Host.Risk.
	ErrConsent = errors.New("what it risks was not agreed to")

	// ErrTails means that Tails does not let us offer an onion service.
	ErrTails = errors.New("the tor of Tails takes no commands from this program")

	// ErrNoPersistence means that this Tails has no Persistent Folder to keep
	// keys and shares in.
	ErrNoPersistence = errors.New("there is no Persistent Folder")

	// ErrRunning means that it must be disabled first.
	ErrRunning = errors.New("the service is running")

	// ErrEarly means that the process that should run the service ended at once.
	ErrEarly = errors.New("the service ended before it ran")

	// ErrNotRunning means that the service is not enabled.
	ErrNotRunning = errors.New("the service is not running")

	// ErrNeverRan means that the service has no address yet to invite to.
	ErrNeverRan = errors.New("the service has never run")

	// ErrHoldsShares means that others' data would be lost.
	ErrHoldsShares = errors.New("it stores shares of others")

	// ErrInvited means that somebody of that name is invited already.
	ErrInvited = errors.New("somebody of that name is invited already")

	// ErrNobody means that nobody of that name is invited.
	ErrNobody = errors.New("nobody of that name is invited")

	// ErrNotApplied means that the running service did not take up a change.
	ErrNotApplied = errors.New("the running service did not take up the change")

	// ErrAutostart means that systemd did not do what it was asked.
	ErrAutostart = errors.New("starting at login cannot be arranged")

	// ErrReturns means that the service was stopped, and that systemd will start
	// it again at the next login.
	ErrReturns = errors.New("the service is stopped, but not for good")

	// ErrOccupied means that the state cannot be moved, because there is
	// another one already.
	ErrOccupied = errors.New("there is a state of this service already")
)

var (
	// ErrInvite is a text that is no invite, or a damaged one.
	ErrInvite = errors.New("not a whole invite")

	// ErrInviteVersion is an invite of a newer program.
	ErrInviteVersion = errors.New("the invite was made by a newer version of Hidden Backup")

	// ErrElsewhere is an invite that leads to an address outside of Tor.
	ErrElsewhere = errors.New("the invite leads past Tor")

	// ErrExpired is an invite whose time is over.
	ErrExpired = errors.New("the invite has expired")

	// ErrSameServer means that two invites, or an invite and the manifest,
	// name one server in different ways.
	ErrSameServer = errors.New("two different addresses claim to be the same server")
)
