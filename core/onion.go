package core

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"hiddenbackup/core/manifest"
	"hiddenbackup/core/progress"
	"hiddenbackup/core/tor"
)

// TorConfig says which tor to use; see package tor.
type TorConfig = tor.Config

// ParseTor reads which tor to use, as a person writes it: "any", "system",
// "own", or where a running one takes connections: 127.0.0.1:9050, unix:/path.
func ParseTor(text string) (TorConfig, error) {
	switch text {
	case "", "any":
		return TorConfig{}, nil
	case "system":
		return TorConfig{Source: tor.System}, nil
	case "own":
		return TorConfig{Source: tor.Own}, nil
	}
	if strings.HasPrefix(text, "/") {
		text = "unix:" + text
	} else if !strings.HasPrefix(text, "unix:") && !strings.HasPrefix(text, "tcp:") {
		text = "tcp:" + text
	}
	return TorConfig{Source: tor.System, Socks: text}, nil
}

// needsTor reports whether a grid is reached through tor.
func needsTor(g manifest.Grid) bool {
	return g.Network == manifest.NetworkTor || g.Network == manifest.NetworkTorToClearnet
}

// startTor returns a tor that is connected, nil for a grid that needs none. It
// returns only when tor is certain: without it nothing else is started.
func startTor(ctx context.Context, c Config, g manifest.Grid, wait time.Duration, t *progress.Tracker) (*tor.Tor, error) {
	if !needsTor(g) {
		return nil, nil
	}
	t.SetPhase(progress.PhaseTor)
	config := c.Tor
	config.Logger = c.Logger
	if config.Dir == "" {
		config.Dir, config.AllowDisk = c.Directory, c.AllowDisk
	}
	running, err := tor.Start(ctx, config)
	if err != nil {
		return nil, err
	}
	connected, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	if err := running.WaitBootstrapped(connected); err != nil {
		return nil, errors.Join(err, running.Close())
	}
	if err := unlock(ctx, running, g); err != nil {
		return nil, errors.Join(err, running.Close())
	}
	t.SetPhase(progress.PhaseConnect)
	return running, nil
}

// unlock gives tor the keys of servers that let only those in who have one. The
// system's tor takes none from us: such servers stay away then, and the status
// shows it.
func unlock(ctx context.Context, running *tor.Tor, g manifest.Grid) error {
	if !running.Own() {
		return nil
	}
	for _, s := range g.Servers {
		if s.OnionKey.IsZero() {
			continue
		}
		key, err := tor.ParseClientKey(strings.ToUpper(s.OnionKey.Base32()))
		if err != nil {
			return fmt.Errorf("server %q: %w", s.Nickname, err)
		}
		for _, host := range s.Furl.Onions() {
			if err := running.AddClientAuth(ctx, host, key); err != nil {
				return fmt.Errorf("server %q: %w", s.Nickname, err)
			}
		}
	}
	return nil
}
