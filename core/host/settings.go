package host

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/BurntSushi/toml"

	"hiddenbackup/core/internal/rundir"
	"hiddenbackup/core/node"
)

// Setting is an option and its value.
type Setting struct {
	Option
	Value string
	Set   bool // by the operator; otherwise it is the default
}

// Settings are all options of the service, in the order of its description.
func (h *Host) Settings() ([]Setting, error) {
	dir, _ := h.dir()
	set, err := h.readOptions(dir)
	if err != nil {
		return nil, err
	}
	var all []Setting
	for _, o := range h.Service.Options {
		s := Setting{Option: o, Value: o.defaultOn(h.tails)}
		if value, ok := set[o.Name]; ok {
			s.Value, s.Set = value, true
		}
		if o.Name == optPersistence {
			_, there := h.dir()
			s.Value, s.Set = onOff(h.Persistent()), there
		}
		all = append(all, s)
	}
	return all, nil
}

// Setting is the one of that name.
func (h *Host) Setting(name string) (Setting, error) {
	all, err := h.Settings()
	if err != nil {
		return Setting{}, err
	}
	for _, s := range all {
		if s.Name == name {
			return s, nil
		}
	}
	return Setting{}, h.noOption(name)
}

func (h *Host) noOption(name string) error {
	return fmt.Errorf("%w: the %s has no option %q", ErrOption, h.Service.Name, name)
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

// values are what the mechanism goes by.
func (h *Host) values() (values, error) {
	all, err := h.Settings()
	v := values{}
	for _, s := range all {
		v[s.Name] = s.Value
	}
	return v, err
}

// Set sets an option. A running service takes it up at once; persistence can
// be changed only while it is not running, and autostart may be ErrAutostart.
func (h *Host) Set(name, value string) error {
	o := h.Service.option(name)
	if o == nil {
		return h.noOption(name)
	}
	value, err := o.canonical(value)
	if err != nil {
		return err
	}
	if name == optPersistence {
		return h.persist(value == "on")
	}
	if name == optAutostart {
		// First, so that the option says what is so.
		if err := h.arrange(value == "on"); err != nil {
			return err
		}
	}
	return h.inState(func(dir string) error {
		set, err := h.readOptions(dir)
		if err != nil {
			return err
		}
		set[name] = value
		var text bytes.Buffer
		if err := toml.NewEncoder(&text).Encode(set); err != nil {
			return err
		}
		return write(filepath.Join(dir, optionsName), text.Bytes())
	})
}

// readOptions returns what the operator set. Somebody may have edited the file.
func (h *Host) readOptions(dir string) (map[string]string, error) {
	text, err := read(filepath.Join(dir, optionsName))
	if err != nil {
		return nil, err
	}
	set := map[string]string{}
	if _, err := toml.Decode(string(text), &set); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrState, optionsName, err)
	}
	for name, value := range set {
		o := h.Service.option(name)
		if o == nil || name == optPersistence {
			return nil, fmt.Errorf("%w: %s: %w", ErrState, optionsName, h.noOption(name))
		}
		if set[name], err = o.canonical(value); err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrState, optionsName, err)
		}
	}
	return set, nil
}

// persist moves the state to where it stays, or to where it does not.
func (h *Host) persist(stay bool) error {
	dir, there := h.dir()
	to := h.memory
	if stay {
		to = h.data
	}
	if there && dir == to {
		return nil
	}
	if h.Running() {
		return fmt.Errorf("%w: its state cannot be moved meanwhile", ErrRunning)
	}
	if !stay && node.HostedUse(filepath.Join(dir, nodeName)) > 0 {
		return fmt.Errorf("%w: memory is no place for them", ErrHoldsShares)
	}
	if !there {
		return h.make(to) // its place is the option
	}
	// A lock of our own keeps a start away while it is moved.
	lock, err := rundir.TryLock(filepath.Join(dir, lockName))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRunning, err)
	}
	defer rundir.Unlock(lock)
	return h.move(dir, to)
}

// Forget removes the state: keys, addresses, invitations, and all that others
// stored. The service must not be running. ErrReturns means that all of it is
// removed, and that systemd will start a new service at the next login.
func (h *Host) Forget() error {
	if h.Running() {
		return fmt.Errorf("%w: it cannot be forgotten meanwhile", ErrRunning)
	}
	_, err := h.cancelAutostart()
	if err != nil {
		err = fmt.Errorf("%w: %w", ErrReturns, err)
	}
	os.Remove(h.note)
	for _, place := range []string{h.data, h.memory} {
		for _, suffix := range []string{"", nextSuffix, oldSuffix} {
			err = errors.Join(err, rundir.RemoveAll(place+suffix))
		}
	}
	return err
}
