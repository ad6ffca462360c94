package tor

import (
	"errors"
	"fmt"
	"time"
)

// The rungs from nothing to an onion service that answers: each error means
// that all rungs above it are well.
var (
	// ErrConfig is a Config that no tor can be started with.
	ErrConfig = errors.New("tor cannot be configured like that")

	// ErrNoTor means that no tor runs on this machine and none is installed.
	ErrNoTor = errors.New("there is no tor on this machine")

	// ErrNoSocks means that nothing answers where tor should take connections.
	ErrNoSocks = errors.New("nothing answers at tor's SOCKS address")

	// ErrNotTor means that something else answers there.
	ErrNotTor = errors.New("what answers at the SOCKS address is not tor")

	// ErrEnded means that our own tor ended by itself, or never came up.
	ErrEnded = errors.New("our tor ended")

	// ErrClock is what every *ClockError is.
	ErrClock = errors.New("the clock of this computer is wrong")

	// ErrNotBootstrapped is what every *BootstrapError is.
	ErrNotBootstrapped = errors.New("tor is not connected")

	// ErrOnion is what every *OnionError is.
	ErrOnion = errors.New("the onion service cannot be reached")
)

var (
	// ErrBridge means that a line does not describe a bridge.
	ErrBridge = errors.New("not a bridge line")

	// ErrNoPlugin means that a bridge needs a program that is not installed.
	ErrNoPlugin = errors.New("the program for this kind of bridge is not installed")

	// ErrOnionAddress means that a name is not the address of an onion
	// service: mistyped, cut off, or of a kind that is no more.
	ErrOnionAddress = errors.New("not an onion address")

	// ErrNotOwn means that only a tor of our own can do this.
	ErrNotOwn = errors.New("the running tor is not ours to command")

	// ErrControl means that our own tor refused a command or did not answer it.
	ErrControl = errors.New("tor did not do what it was told")
)

func badConfig(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrConfig, fmt.Sprintf(format, args...))
}

// BootstrapError says how far tor came before the time was up. It is an
// ErrNotBootstrapped.
type BootstrapError struct{ Status Status }

func (e *BootstrapError) Error() string {
	text := ErrNotBootstrapped.Error()
	if e.Status.Percent >= 0 {
		text += fmt.Sprintf(": it came to %d %%", e.Status.Percent)
	}
	for _, more := range []string{e.Status.Summary, e.Status.Warning} {
		if more != "" {
			text += ", " + more
		}
	}
	return text
}

// Is makes it an ErrNotBootstrapped.
func (e *BootstrapError) Is(target error) bool { return target == ErrNotBootstrapped }

// ClockError means that tor does not connect and says that the clock is off.
// It is an ErrClock.
type ClockError struct {
	Skew time.Duration // positive: the clock is ahead
}

func (e *ClockError) Error() string {
	way := "ahead"
	if e.Skew < 0 {
		way = "behind"
	}
	return fmt.Sprintf("%v: it is about %v %s, says tor", ErrClock, e.Skew.Abs().Round(time.Minute), way)
}

// Is makes it an ErrClock.
func (e *ClockError) Is(target error) bool { return target == ErrClock }

// OnionError is tor's answer to a connection that did not come about. It is
// an ErrOnion, and does not repeat the address.
type OnionError struct {
	Code byte // of the SOCKS reply
}

// Those of 0xF0 and above come only from a tor that is told to give them: our
// own. Tails' tor says 1 or 4 for all of them.
var onionReasons = map[byte]string{
	0x01: "tor gives no reason",
	0x02: "tor is set up to refuse such connections",
	0x04: "it is switched off, or was never there",
	0x05: "it answers, but the program behind it is not running",
	0x06: "it did not answer in time",
	0xf0: "it has not announced itself: it is switched off, or was never there",
	0xf1: "its announcement is not valid",
	0xf2: "it does not answer an introduction",
	0xf3: "it did not come to the rendezvous",
	0xf4: "it lets only those in who have a key, and tor has none",
	0xf5: "it lets only those in who have a key, and tor has a wrong one",
	0xf6: "its address is not valid",
	0xf7: "introductions to it timed out",
}

func (e *OnionError) Error() string {
	reason, ok := onionReasons[e.Code]
	if !ok {
		reason = "tor does not know why"
	}
	return fmt.Sprintf("%v: %s (SOCKS code %#02x)", ErrOnion, reason, e.Code)
}

// Is makes it an ErrOnion.
func (e *OnionError) Is(target error) bool { return target == ErrOnion }

// Locked reports whether a key for the service is missing or wrong: then
// trying again is of no use.
func (e *OnionError) Locked() bool { return e.Code == 0xf4 || e.Code == 0xf5 }
