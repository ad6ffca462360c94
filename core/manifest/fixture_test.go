package manifest

import (
	"encoding/base32"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"hiddenbackup/tahoeclient"
)

// fixture draws manifests that look like real ones, the same ones in every run.
type fixture struct {
	t      testing.TB
	random io.Reader
}

func newFixture(t testing.TB) *fixture {
	return &fixture{t, rand.NewChaCha8([32]byte{'f', 'i', 'x'})}
}

func (f *fixture) bytes(n int) []byte {
	b := make([]byte, n)
	if _, err := io.ReadFull(f.random, b); err != nil {
		f.t.Fatal(err)
	}
	return b
}

func (f *fixture) base32(n int) string { return base32Lower.EncodeToString(f.bytes(n)) }

func (f *fixture) secret() Secret {
	f.t.Helper()
	s, err := NewSecret(f.random)
	if err != nil {
		f.t.Fatal(err)
	}
	return s
}

func (f *fixture) cap(s string) tahoeclient.Cap {
	f.t.Helper()
	c, err := tahoeclient.ParseCap(s)
	if err != nil {
		f.t.Fatal(err)
	}
	return c
}

func mustFurl(t testing.TB, s string) Furl {
	t.Helper()
	furl, err := ParseFurl(s)
	if err != nil {
		t.Fatal(err)
	}
	return furl
}

func (f *fixture) onion() string {
	return base32.StdEncoding.EncodeToString(append(f.bytes(34), 3))
}

func (f *fixture) server(i int) Server {
	f.t.Helper()
	places := []string{"Berlin", "Reykjavík", "Montréal", "Zürich", "Montevideo", "Taipei"}
	id := f.base32(32)
	return Server{
		ID: "v0-" + id, Nickname: fmt.Sprintf("storage-%d", i+1),
		Operator: fmt.Sprintf("Friend %d", i+1), Place: places[i%len(places)],
		Furl: mustFurl(f.t, fmt.Sprintf("pb://%s@tor:%s.onion:%d/%s",
			f.base32(20), strings.ToLower(f.onion()), 3457+i, f.base32(20))),
		// Servers of today announce their id as seed.
		Seed: id, OnionKey: f.secret(),
	}
}

// manifest is the realistic one: six onion servers with everything a server can have, one
// introducer, three folders, a pin.
func (f *fixture) manifest(servers int) *Manifest {
	f.t.Helper()
	m := &Manifest{
		Name: "Field laptop", Generation: 7, Created: time.Date(2026, 3, 14, 15, 9, 26, 0, time.UTC),
		Grid: Grid{Needed: 3, Happy: 5, Total: 6, Network: NetworkTor, Introducers: []Introducer{{
			"main", mustFurl(f.t, fmt.Sprintf("pb://%s@tor:%s.onion:3458/%s", f.base32(20), strings.ToLower(f.onion()), f.base32(20))),
		}}},
		Vault:      f.cap("URI:DIR2:" + f.base32(16) + ":" + f.base32(32)),
		RootSecret: f.secret(),
		Gateway:    GatewaySecrets{f.secret(), f.secret()},
		Folders: []Folder{
			{"Notes", "~/Documents/Notes", 1},
			{"Keys", "/live/persistence/TailsData_unlocked/gnupg", 1},
			{"Persistent", "/home/amnesia/Persistent", 3},
		},
		Pin: &Pin{f.cap("URI:CHK:" + f.base32(16) + ":" + f.base32(32) + ":3:6:18432"), 41},
	}
	for i := range servers {
		m.Grid.Servers = append(m.Grid.Servers, f.server(i))
	}
	return m
}
