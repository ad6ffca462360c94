package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"hiddenbackup/assets"
	"hiddenbackup/core/internal/rundir"
)

const (
	unitFile    = "hidden-backup-host@.service"
	systemdWait = 2 * time.Minute // “disable --now” waits for the service to end
)

// arrange lets a running service start again at every login, or not. One that
// is not running is arranged for when it is enabled; until then it is enough
// to know that it can be.
func (h *Host) arrange(on bool) error {
	switch {
	case on && h.tails:
		return fmt.Errorf("%w: Tails forgets it with the session", ErrAutostart)
	case !on:
		_, err := h.cancelAutostart()
		return err
	case h.Running():
		return h.unit("enable")
	}
	return systemctl("show-environment")
}

// cancelAutostart takes the service off systemd's list, whatever the option
// says and whether it runs or not. was reports whether it was on it. What
// systemctl complains of is an error only if the service is still on the list.
func (h *Host) cancelAutostart(flags ...string) (was bool, err error) {
	path, err := unitPath()
	if err != nil {
		return false, err
	}
	was = len(wanted(path, h.Service.Name)) > 0
	if _, missing := os.Lstat(path); missing != nil && !was {
		return false, nil
	}
	err = h.unit("disable", flags...)
	if len(wanted(path, h.Service.Name)) == 0 {
		err = nil
	}
	return was, err
}

// wanted are the links by which systemd starts instances of the unit at login.
func wanted(path, instance string) []string {
	links, _ := filepath.Glob(filepath.Join(rundir.GlobEscape(filepath.Dir(path)), "*.wants", strings.Replace(unitFile, "@", "@"+instance, 1)))
	return links
}

// unit enables or disables the user unit of this service.
func (h *Host) unit(verb string, flags ...string) error {
	path, err := unitPath()
	if err != nil {
		return err
	}
	if verb == "enable" {
		self, err := os.Executable()
		if err != nil {
			return fmt.Errorf("finding this program: %w", err)
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return fmt.Errorf("%w: %w", ErrAutostart, err)
		}
		text := strings.Replace(assets.HostUnit, "ExecStart=/usr/bin/hidden-backup ", "ExecStart="+unitQuoted(self)+" ", 1)
		if err := write(path, []byte(text)); err != nil {
			return fmt.Errorf("%w: %w", ErrAutostart, err)
		}
		if err := systemctl("daemon-reload"); err != nil {
			return err
		}
	}
	instance := strings.Replace(unitFile, "@", "@"+h.Service.Name, 1)
	if err := systemctl(append(append([]string{verb}, flags...), instance)...); err != nil {
		return err
	}
	if verb == "disable" {
		if len(wanted(path, "*")) == 0 {
			os.Remove(path)
			return systemctl("daemon-reload")
		}
	}
	return nil
}

func unitPath() (string, error) {
	config, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrAutostart, err)
	}
	return filepath.Join(config, "systemd", "user", unitFile), nil
}

// unitQuoted is a path as systemd's units want it.
func unitQuoted(path string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, `%`, `%%`, `$`, `$$`).Replace(path) + `"`
}

// systemctl asks the user's systemd.
func systemctl(arguments ...string) error {
	program, err := exec.LookPath("systemctl")
	if err != nil {
		return fmt.Errorf("%w: there is no systemd on this computer", ErrAutostart)
	}
	ctx, cancel := context.WithTimeout(context.Background(), systemdWait)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, append([]string{"--user"}, arguments...)...)
	cmd.WaitDelay = time.Second
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Run(); err != nil {
		line, _, _ := strings.Cut(strings.TrimSpace(said.String()), "\n")
		return fmt.Errorf("%w: systemctl --user %s: %w", ErrAutostart, arguments[0], errors.Join(err, errors.New(line)))
	}
	return nil
}
