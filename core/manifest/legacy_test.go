package manifest

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/crypto/nacl/secretbox"
)

var legacyPassphrase = []byte("correct horse legacy")

func checkLegacy(t *testing.T, l *Legacy) {
	t.Helper()
	if l.Name != "Old stick" || l.Description != "made by hand in 2014" {
		t.Errorf("name %q, description %q", l.Name, l.Description)
	}
	g := l.Grid
	if g.Needed != 3 || g.Happy != 6 || g.Total != 6 || g.Network != NetworkTor || len(g.Introducers) != 1 || len(g.Servers) != 3 {
		t.Errorf("%d/%d/%d on %s, %d introducers, %d servers", g.Needed, g.Happy, g.Total, g.Network, len(g.Introducers), len(g.Servers))
	}
	if err := g.Validate(); err != nil {
		t.Error(err)
	}
	s := g.Servers[0]
	if s.Nickname != "Node1" || s.Seed != s.Furl.TubID() || !strings.HasPrefix(s.Furl.Hints()[0], "tor:") || !strings.HasSuffix(s.Furl.Hints()[0], ".onion:1231") {
		t.Errorf("the first server is %s, at %v", s.Nickname, s.Furl.Hints())
	}
	if !reflect.DeepEqual(l.Unreachable, []string{"Node4"}) {
		t.Errorf("unreachable: %v", l.Unreachable)
	}
	if len(l.Directories) != 1 || l.Directories[0].Alias != "tails_backup" || !l.Directories[0].Cap.CanWrite() || len(l.Targets) != 2 {
		t.Fatalf("%d directories, %d targets", len(l.Directories), len(l.Targets))
	}
	want := LegacyTarget{
		Alias: "tails_backup", Root: l.Directories[0].Cap, Remote: []string{"Persistent"}, Version: "Latest",
		Path: "/live/persistence/TailsData_unlocked/Persistent", Excludes: []string{"*.iso", "Music*"},
	}
	if !reflect.DeepEqual(l.Targets[1], want) {
		t.Errorf("the second target is %+v", l.Targets[1])
	}
}

// TestLegacyFile opens a file whose key was computed by Python's hashlib with p=1.
func TestLegacyFile(t *testing.T) {
	SetTestProfile(t)
	data := read(t, "legacy-scrypt-p1.secretbox")
	folded := regexpFold(data)
	for _, form := range [][]byte{data, folded, bytes.TrimSpace(data)} {
		for _, p := range [][]byte{legacyPassphrase, append(bytes.Clone(legacyPassphrase), '\n')} {
			opened, err := Open(form, p)
			if err != nil {
				t.Fatal(err)
			}
			if opened.Owner != nil || opened.Reader != nil || opened.Legacy == nil {
				t.Fatal("not a legacy manifest")
			}
			checkLegacy(t, opened.Legacy)
		}
	}
	// That program did not normalise what was typed.
	for _, p := range []string{"wrong", " correct horse legacy", "Correct horse legacy", "correct  horse legacy", ""} {
		if _, err := OpenLegacy(data, []byte(p)); !errors.Is(err, ErrPassphrase) {
			t.Errorf("%q: %v", p, err)
		}
	}
}

func regexpFold(data []byte) []byte {
	var out []byte
	for i, c := range bytes.TrimSpace(data) {
		if i > 0 && i%76 == 0 {
			out = append(out, "\r\n"...)
		}
		out = append(out, c)
	}
	return out
}

// TestLegacyFileAtFullCost opens a file whose key was computed by Python's hashlib with p=1000.
func TestLegacyFileAtFullCost(t *testing.T) {
	if os.Getenv("HIDDEN_BACKUP_SLOW_TESTS") == "" {
		t.Skip("it takes ten seconds or more; set HIDDEN_BACKUP_SLOW_TESTS=1")
	}
	l, err := OpenLegacy(read(t, "legacy-scrypt.secretbox"), legacyPassphrase)
	if err != nil {
		t.Fatal(err)
	}
	checkLegacy(t, l)
}

// TestOldestLegacyFile is from before the key was stretched.
func TestOldestLegacyFile(t *testing.T) {
	SetTestProfile(t)
	key := sha256.Sum256([]byte("pässword"))
	nonce := [24]byte{1}
	box := secretbox.Seal(nonce[:], read(t, "legacy.json"), &nonce, &key)
	l, err := OpenLegacy([]byte(base64.StdEncoding.EncodeToString(box)), []byte("pässword"))
	if err != nil {
		t.Fatal(err)
	}
	checkLegacy(t, l)
}

func TestLegacyDamage(t *testing.T) {
	SetTestProfile(t)
	box, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(read(t, "legacy-scrypt-p1.secretbox"))))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(box); i += 311 {
		altered := bytes.Clone(box)
		altered[i]++
		if _, err := OpenLegacy([]byte(base64.StdEncoding.EncodeToString(altered)), legacyPassphrase); !errors.Is(err, ErrPassphrase) {
			t.Errorf("byte %d altered: %v", i, err)
		}
	}
	for _, s := range []string{"", "aGk=", "not base64!", strings.Repeat("A", maxInput+4)} {
		if _, err := OpenLegacy([]byte(s), legacyPassphrase); !errors.Is(err, ErrNotManifest) {
			t.Errorf("%.20q: %v", s, err)
		}
	}
}

func TestLegacyJSON(t *testing.T) {
	plain := string(read(t, "legacy.json"))
	opened, err := Open([]byte(plain), nil)
	if err != nil {
		t.Fatal(err)
	}
	checkLegacy(t, opened.Legacy)
	servers := opened.Legacy.Grid.Servers

	onion := strings.TrimPrefix(servers[0].Furl.Hints()[0], "tor:")
	for name, c := range map[string]struct {
		old, new string
		want     error
	}{
		"unknown field":         {`"name"`, `"colour": 7, "name"`, nil},
		"clearnet through tor":  {onion, "storage.example.org:99", nil},
		"two hints":             {onion, onion + ",tcp:192.0.2.1:88", nil},
		"modern hint":           {onion, "tor:" + onion, nil},
		"capitals":              {servers[0].Furl.TubID(), strings.ToUpper(servers[0].Furl.TubID()), nil},
		"old snapshot":          {`"Latest"`, `"Archives/2014-01-31_10:00:00Z"`, nil},
		"no version of it":      {`"Latest"`, `""`, nil},
		"deep remote":           {`"dotgnupg"`, `"a/b/c"`, nil},
		"home":                  {"/live/persistence/TailsData_unlocked/gnupg", "~/.gnupg/", nil},
		"root":                  {"/live/persistence/TailsData_unlocked/gnupg", "/", nil},
		"another type":          {legacyType, "Other", ErrNotManifest},
		"another version":       {`"version": 1`, `"version": 2`, ErrVersion},
		"field twice":           {`"name"`, `"name": "x", "name"`, ErrInvalid},
		"furl":                  {"pb://", "http://", ErrInvalid},
		"hint":                  {onion, "unix:/tmp/x", ErrInvalid},
		"hint that breaks out":  {onion, onion + "\\n[node]", ErrInvalid},
		"same server twice":     {servers[0].Furl.TubID(), servers[1].Furl.TubID(), ErrInvalid},
		"capability":            {"URI:DIR2:", "URI:CHK:", ErrInvalid},
		"capability of a file":  {"URI:DIR2:", "URI:SSK:", ErrInvalid},
		"verify capability":     {"URI:DIR2:", "URI:DIR2-Verifier:", ErrInvalid},
		"read-only capability":  {"URI:DIR2:", "URI:DIR2-RO:", nil},
		"alias unknown":         {`"backupAlias": "tails_backup"`, `"backupAlias": "other"`, ErrInvalid},
		"local traversal":       {"/TailsData_unlocked/gnupg", "/../../etc", ErrInvalid},
		"local traversal, home": {"/live/persistence/TailsData_unlocked/gnupg", "~/../x", ErrInvalid},
		"local relative":        {"/live/persistence/TailsData_unlocked/gnupg", "gnupg", ErrInvalid},
		"local empty":           {"/live/persistence/TailsData_unlocked/gnupg", "", ErrInvalid},
		"remote traversal":      {`"dotgnupg"`, `"../x"`, ErrInvalid},
		"remote empty":          {`"dotgnupg"`, `""`, ErrInvalid},
		"version traversal":     {`"Latest"`, `"../Latest"`, ErrInvalid},
		"control character":     {`"Old stick"`, `"Old\u0007stick"`, ErrInvalid},
		"exclude":               {`"*.iso"`, `"a\u0000b"`, ErrInvalid},
	} {
		if !strings.Contains(plain, c.old) {
			t.Fatalf("%s: the fixture has no %s", name, c.old)
		}
		l, err := OpenLegacy([]byte(strings.Replace(plain, c.old, c.new, 1)), nil)
		if !errors.Is(err, c.want) || (c.want == nil) != (err == nil) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
		if name == "clearnet through tor" && l.Grid.Network != NetworkTorToClearnet {
			t.Errorf("%s: the network is %s", name, l.Grid.Network)
		}
	}
}

func TestLegacyDraft(t *testing.T) {
	l, err := OpenLegacy(read(t, "legacy.json"), nil)
	if err != nil {
		t.Fatal(err)
	}
	l.Targets = append(l.Targets, l.Targets[0])
	m := l.Draft()
	var names []string
	for _, f := range m.Folders {
		names = append(names, f.Name)
	}
	if !reflect.DeepEqual(names, []string{"dotgnupg", "Persistent", "dotgnupg-2"}) {
		t.Errorf("folders %q", names)
	}
	if err := m.Validate(); !errors.Is(err, ErrInvalid) {
		t.Errorf("a draft without secrets validates: %v", err)
	}
	whole := newFixture(t).manifest(1)
	m.Vault, m.RootSecret, m.Gateway = whole.Vault, whole.RootSecret, whole.Gateway
	if err := m.Validate(); err != nil {
		t.Error(err)
	}
}

func FuzzOpenLegacy(f *testing.F) {
	work.Store(&profile{time: 1, memory: 64, threads: 1, scryptP: 1})
	f.Cleanup(func() { work.Store(&production) })
	f.Add(read(f, "legacy.json"))
	f.Add(read(f, "legacy-scrypt-p1.secretbox"))
	f.Add([]byte(`{"type":"TahoeLAFSBackupManifest","version":1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := OpenLegacy(data, legacyPassphrase)
		if err != nil {
			return
		}
		m := l.Draft()
		whole := newFixture(t).manifest(1)
		m.Vault, m.RootSecret, m.Gateway = whole.Vault, whole.RootSecret, whole.Gateway
		if len(l.Grid.Servers)+len(l.Grid.Introducers) == 0 {
			m.Grid = whole.Grid
		}
		if err := m.Validate(); err != nil {
			t.Fatalf("an accepted legacy manifest drafts an invalid one: %v", err)
		}
	})
}
