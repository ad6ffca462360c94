package core

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"hiddenbackup/core/internal/rundir"
	"hiddenbackup/core/manifest"
	"hiddenbackup/core/node"
	"hiddenbackup/core/tor"
	"hiddenbackup/core/tor/tornet"
)

// A practice grid behind onion services has a Tor network of its own in its directory.
const (
	networkDir  = "tor"
	networkFile = "network.json" // the lines of a tor that joins it
	keyFile     = "onion.key"    // of a node: its address
	lockFile    = "client.key"   // of a node that lets only those in who have it
	onionPort   = 3457           // as Tahoe's own documentation has it
)

// Onion is node.Connector's.
func (connector) Onion(ctx context.Context, dir string) (*node.Onion, func() error, error) {
	network, err := tornet.Start(ctx, tornet.Config{Dir: filepath.Join(dir, networkDir)})
	if err != nil {
		return nil, nil, err
	}
	lines, err := json.Marshal(network.ClientConfig())
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, networkFile), lines, 0o600)
	}
	if err != nil {
		network.Close()
		return nil, nil, fmt.Errorf("noting the practice grid's Tor network: %w", err)
	}
	offer := func(ctx context.Context, dir string, port int) (string, error) {
		return offerPractice(ctx, network.Host(), dir, port)
	}
	return &node.Onion{TorSocks: network.Host().Socks(), Offer: offer}, func() error {
		return errors.Join(network.Close(), os.Remove(filepath.Join(dir, networkFile)))
	}, nil
}

// offerPractice keeps the keys with the node. Storage nodes with even numbers
// are locked, so that a practice grid has both kinds.
func offerPractice(ctx context.Context, host *tor.Tor, dir string, port int) (string, error) {
	service := tor.OnionService{Port: onionPort, LocalPort: port}
	name := filepath.Base(dir)
	text, err := os.ReadFile(filepath.Join(dir, keyFile))
	if err == nil {
		service.Key, err = tor.ParseOnionKey(string(text))
	} else if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if err != nil {
		return "", fmt.Errorf("reading the address of %s: %w", name, err)
	}
	if strings.HasPrefix(name, "node-") && strings.ContainsAny(name[len(name)-1:], "02468") {
		key, err := practiceKey(dir)
		if err != nil {
			return "", err
		}
		service.Clients = []string{key.Public()}
	}
	address, key, err := host.AddOnion(ctx, service)
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(dir, keyFile), []byte(key.Secret()), 0o600); err != nil {
		return "", fmt.Errorf("keeping the address of %s: %w", name, err)
	}
	return fmt.Sprintf("tor:%s:%d", address, onionPort), nil
}

// practiceKey reads the key that opens a node, or makes one.
func practiceKey(dir string) (tor.ClientKey, error) {
	path := filepath.Join(dir, lockFile)
	text, err := os.ReadFile(path)
	if err == nil {
		return tor.ParseClientKey(string(text))
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return tor.ClientKey{}, fmt.Errorf("reading the key that opens %s: %w", filepath.Base(dir), err)
	}
	key, err := tor.NewClientKey()
	if err == nil {
		err = os.WriteFile(path, []byte(key.Secret()), 0o600)
	}
	return key, err
}

// practiceLock is that key as a manifest has it, zero for a node without.
func practiceLock(dir string) (manifest.Secret, error) {
	if _, err := os.Lstat(filepath.Join(dir, lockFile)); errors.Is(err, fs.ErrNotExist) {
		return manifest.Secret{}, nil
	}
	key, err := practiceKey(dir)
	if err != nil {
		return manifest.Secret{}, err
	}
	return manifest.SecretFromBytes(key.Bytes())
}

// practiceTor is a tor of our own in the network of a practice grid.
func practiceTor(dir string) (TorConfig, error) {
	c := TorConfig{Source: tor.Own}
	dir, err := node.PracticeDir(dir)
	if err != nil {
		return c, err
	}
	switch err := rundir.CheckPrivate(dir); {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return c, err
	case err != nil || !node.PracticeRuns(dir):
		return c, fmt.Errorf("%w in %s", node.ErrNoPractice, dir)
	}
	f, err := openOrdinary(filepath.Join(dir, networkFile))
	if err == nil {
		defer f.Close()
		err = json.NewDecoder(io.LimitReader(f, mostText)).Decode(&c.Private)
	}
	if err != nil || len(c.Private) == 0 {
		return c, fmt.Errorf("%w behind onion services in %s", node.ErrNoPractice, dir)
	}
	return c, nil
}
