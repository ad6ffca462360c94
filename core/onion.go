package core

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"hiddenbackup/core/manifest"
	"hiddenbackup/core/tor"
)

// TorConfig says which tor to use; see package tor.
type TorConfig = tor.Config

// ParseTor reads which tor to use, as a person writes it: "any", "system",
// "own", where a running one takes connections (127.0.0.1:9050, unix:/path), or
// "practice" and "practice:DIR" for the Tor network of a practice grid.
func ParseTor(text string) (TorConfig, error) {
	switch text {
	case "any":
		return TorConfig{}, nil
	case "system":
		return TorConfig{Source: tor.System}, nil
	case "own":
		return TorConfig{Source: tor.Own}, nil
	}
	if text == "" {
		return TorConfig{}, fmt.Errorf("%w: it is not said which tor", tor.ErrConfig)
	}
	if dir, ok := strings.CutPrefix(text+":", "practice:"); ok {
		return practiceTor(strings.TrimSuffix(dir, ":"))
	}
	if strings.HasPrefix(text, "/") {
		text = "unix:" + text
	} else if !strings.HasPrefix(text, "unix:") && !strings.HasPrefix(text, "tcp:") {
		text = "tcp:" + text
	}
	return TorConfig{Source: tor.System, Socks: text}, nil
}

// overTor reports whether a grid is reached through tor.
func overTor(g manifest.Grid) bool {
	return g.Network == manifest.NetworkTor || g.Network == manifest.NetworkTorToClearnet
}

// throughTor is what keeping a tor for a grid takes. It holds secrets.
type throughTor struct {
	Config TorConfig
	Wait   time.Duration
	Keys   []clientKey
}

// clientKey opens an onion service that lets only those in who have one.
type clientKey struct{ Server, Host, Key string }

func (c Config) throughTor(g manifest.Grid) (s throughTor, err error) {
	s = throughTor{Config: c.Tor, Wait: c.wait()}
	s.Config.Logger = c.Logger
	if s.Config.Dir == "" {
		s.Config.Dir, s.Config.AllowDisk = c.Directory, c.AllowDisk
	}
	for _, dir := range []*string{&s.Config.Dir, &s.Config.Guards} { // a keeper works elsewhere
		if *dir == "" {
			continue
		}
		if *dir, err = filepath.Abs(*dir); err != nil {
			return s, err
		}
	}
	s.Keys = clientKeys(g)
	if len(s.Keys) > 0 && s.Config.Source == tor.Any && s.Config.Socks == "" && !tor.OnTails() {
		s.Config.Source = tor.Own // one that runs already takes no keys from us
	}
	return s, nil
}

func clientKeys(g manifest.Grid) (keys []clientKey) {
	for _, v := range g.Servers {
		if v.OnionKey.IsZero() {
			continue
		}
		for _, host := range v.Furl.Onions() {
			keys = append(keys, clientKey{v.Nickname, host, strings.ToUpper(v.OnionKey.Base32())})
		}
	}
	return keys
}

// keep returns a tor that is connected: without it nothing else is started.
func (s throughTor) keep(ctx context.Context) (*tor.Kept, error) {
	return tor.Keep(ctx, s.Config, s.Wait, s.unlock)
}

// unlock gives tor the keys. Where the system's tor takes none from us those
// servers stay away, and the status shows it. So does one whose address or key
// is wrong: it must not keep the others away.
func (s throughTor) unlock(ctx context.Context, t *tor.Tor) error {
	if !t.TakesCommands() {
		return nil
	}
	for _, k := range s.Keys {
		key, err := tor.ParseClientKey(k.Key)
		if err != nil || tor.CheckOnion(k.Host) != nil {
			continue
		}
		if err := t.AddClientAuth(ctx, k.Host, key); err != nil {
			return fmt.Errorf("server %q: %w", k.Server, err)
		}
	}
	return nil
}

// connector is what a keeper has of tor.
type connector struct{}

// Connect is node.Connector's.
func (connector) Connect(ctx context.Context, settings json.RawMessage) (socks string, close func() error, err error) {
	var s throughTor
	if err := json.Unmarshal(settings, &s); err != nil {
		return "", nil, fmt.Errorf("reading which tor to use: %w", err)
	}
	kept, err := s.keep(ctx)
	if err != nil {
		return "", nil, err
	}
	return kept.Socks(), kept.Close, nil
}
