package core

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"hiddenbackup/core/host"
	"hiddenbackup/core/manifest"
)

// errNoGrid: a text that describes no grid.
var errNoGrid = errors.New("this describes no grid")

// The usual numbers where only introducers are known: Tahoe's own defaults are
// for ten servers, which few grids have.
const (
	usualNeeded = 3
	usualHappy  = 5
	usualTotal  = 6

	mostIntroducers = 8
)

// JoinGrid reads how to reach a grid from what somebody was given: invites of
// several hosts, the description of a grid (JSON), or the furls of introducers.
// The addresses are checked, and nothing is connected to.
func JoinGrid(text []byte) (manifest.Grid, error) {
	text = bytes.TrimSpace(text)
	switch {
	case bytes.HasPrefix(text, []byte("{")):
		return manifest.DecodeGrid(text)
	case bytes.Contains(text, []byte("pb://")):
		return introducedGrid(text)
	}
	invites, err := host.ParseInvites(text)
	if err != nil {
		return manifest.Grid{}, err
	}
	return host.Grid(invites, host.Numbers{}, time.Now())
}

// introducedGrid takes furls that stand one a line.
func introducedGrid(text []byte) (manifest.Grid, error) {
	g := manifest.Grid{Network: manifest.NetworkTor, Needed: usualNeeded, Happy: usualHappy, Total: usualTotal}
	for _, field := range bytes.Fields(text) {
		if !bytes.HasPrefix(field, []byte("pb://")) || len(g.Introducers) == mostIntroducers {
			return g, fmt.Errorf("%w: %w", manifest.ErrInvalid, errNoGrid)
		}
		furl, err := manifest.ParseFurl(string(field))
		if err != nil {
			return g, err
		}
		g.Introducers = append(g.Introducers, manifest.Introducer{Name: fmt.Sprintf("introducer-%d", len(g.Introducers)+1), Furl: furl})
	}
	return g, g.Validate()
}
