package tor

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha3"
	"crypto/sha512"
	"encoding/base32"
	"encoding/base64"
	"fmt"
	"strings"
	"sync"
	"time"
)

// OnTails reports whether this system is Tails, where only the system's own
// tor may use the network.
func OnTails() bool { return onTails() }

// NewOnionKey makes a random key, and the address that goes with it.
func NewOnionKey() (key OnionKey, address string, err error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return OnionKey{}, "", err
	}
	// Tor keeps the key as ed25519 uses it: hashed and clamped (RFC 8032, 5.1.5).
	expanded := sha512.Sum512(private.Seed())
	defer clear(expanded[:])
	expanded[0] &= 248
	expanded[31] = expanded[31]&127 | 64
	return OnionKey{"ED25519-V3:" + base64.StdEncoding.EncodeToString(expanded[:])}, onionAddress(public), nil
}

// onionAddress is as rend-spec-v3 has it: key, checksum, version.
func onionAddress(public []byte) string {
	const version = 3
	sum := sha3.Sum256(append(append([]byte(".onion checksum"), public...), version))
	raw := append(append([]byte(nil), public...), sum[0], sum[1], version)
	return strings.ToLower(base32.StdEncoding.EncodeToString(raw)) + onionSuffix
}

// RemoveOnion ends an onion service that AddOnion made. Those who are
// connected to it stay so, and may even open further connections on the
// circuits they have should it be added again: with disconnect these are closed
// as well, which only a tor of our own does.
func (t *Tor) RemoveOnion(ctx context.Context, address string, disconnect bool) error {
	ask, err := t.services()
	if err == nil && disconnect && t.own == nil {
		err = ErrNotOwn
	}
	if err != nil {
		return fmt.Errorf("ending an onion service: %w", err)
	}
	if err := CheckOnion(address); err != nil {
		return err
	}
	id := strings.TrimSuffix(address, onionSuffix)
	_, err = ask(ctx, "DEL_ONION "+id)
	if err == nil && disconnect {
		err = t.own.closeCircuits(ctx, id)
	}
	if err != nil {
		return fmt.Errorf("ending an onion service: %w", err)
	}
	if f := t.following(); f != nil {
		f.announced.forget(id)
	}
	return nil
}

// closeCircuits closes those on which clients are connected to the service.
// One that joins a moment later was introduced before: so they are looked for
// until none is left.
func (o *own) closeCircuits(ctx context.Context, id string) error {
	for {
		lines, err := o.control.request(ctx, "GETINFO circuit-status")
		if err != nil {
			return err
		}
		circuits := circuitsOf(lines, id)
		if len(circuits) == 0 {
			return nil
		}
		for _, circuit := range circuits {
			// It may have ended by itself meanwhile: the next look tells.
			if _, err := o.control.request(ctx, "CLOSECIRCUIT "+circuit); err != nil && ctx.Err() != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-o.child.Done():
			return o.err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// circuitsOf finds a service's own ends of circuits, in lines such as
//
//	17 BUILT $… BUILD_FLAGS=… PURPOSE=HS_SERVICE_REND HS_STATE=HSSR_JOINED REND_QUERY=…
func circuitsOf(lines []string, id string) (circuits []string) {
	for _, line := range strings.Split(strings.Join(lines, "\n"), "\n") {
		fields := strings.Fields(strings.TrimPrefix(line, "circuit-status="))
		if len(fields) < 3 {
			continue
		}
		rest := " " + strings.Join(fields[1:], " ") + " "
		if strings.Contains(rest, " PURPOSE=HS_SERVICE_") && strings.Contains(rest, " REND_QUERY="+id+" ") {
			circuits = append(circuits, fields[0])
		}
	}
	return circuits
}

// lasts is how long an onion directory keeps an announcement. Tor renews it
// every hour or two.
const lasts = 3 * time.Hour

// Announced reports whether most directories that should have it have taken the
// announcement of an onion service that tor offers for us, so that it can be found.
func (t *Tor) Announced(address string) bool {
	f := t.following()
	return f != nil && f.announced.holds(strings.TrimSuffix(address, onionSuffix))
}

// announcements are what tor's events say of our onion services.
type announcements struct {
	mu   sync.Mutex
	of   map[string]map[string]time.Time // address, directory: when it was taken; zero if it was not yet
	down bool                            // the network is away
}

// hear takes in events such as
//
//	HS_DESC UPLOAD duckduckgogg… UNKNOWN $… …
//	HS_DESC UPLOADED duckduckgogg… UNKNOWN $…
//	NETWORK_LIVENESS DOWN
func (a *announcements) hear(line string) {
	fields := strings.Fields(line)
	if len(fields) < 2 {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case fields[0] == "NETWORK_LIVENESS":
		a.down = fields[1] == "DOWN"
	case len(fields) > 4 && fields[0] == "HS_DESC" && strings.HasPrefix(fields[1], "UPLOAD"):
		if a.of == nil {
			a.of = map[string]map[string]time.Time{}
		}
		taken := a.of[fields[2]]
		if taken == nil {
			taken = map[string]time.Time{}
			a.of[fields[2]] = taken
		}
		if directory := fields[4]; fields[1] == "UPLOADED" {
			taken[directory] = time.Now()
		} else if _, ok := taken[directory]; !ok {
			taken[directory] = time.Time{}
		}
	}
}

// holds forgets directories that were not told again in time: others are in
// charge by then.
func (a *announcements) holds(id string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	asked, took := 0, 0
	for directory, at := range a.of[id] {
		switch {
		case at.IsZero():
			asked++
		case time.Since(at) < lasts:
			asked++
			took++
		default:
			delete(a.of[id], directory)
		}
	}
	return !a.down && 2*took > asked
}

func (a *announcements) forget(id string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.of, id)
}
