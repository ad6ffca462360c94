package host

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"

	"hiddenbackup/core/manifest"
	"hiddenbackup/core/tor"
)

// sample is an invite as a host makes it.
func sample(t testing.TB, number int) *Invite {
	t.Helper()
	_, address, err1 := tor.NewOnionKey()
	key, err2 := tor.NewClientKey()
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	secret, err1 := manifest.SecretFromBytes(key.Bytes())
	letter := string(rune('a' + number))
	furl, err2 := manifest.ParseFurl("pb://" + strings.Repeat(letter, 32) + "@tor:" + address + ":3457/swissnum")
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	return &Invite{
		Service: "storage", Made: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), Expires: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC), Space: 1 << 40,
		Server: manifest.Server{ID: "v0-" + strings.Repeat(letter, 52), Nickname: "host-" + letter, Operator: "Ben", Place: "Reykjavík",
			Furl: furl, LeaseDays: 400, OnionKey: secret},
	}
}

func TestInviteSurvivesMessages(t *testing.T) {
	want := sample(t, 0)
	text, err1 := want.Text()
	line, err2 := want.Line()
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	for name, form := range map[string]string{
		"as it is":     text,
		"in one line":  line,
		"in a message": "Dear Zoë,\r\n\r\n" + strings.ReplaceAll(text, "\n", "\r\n") + "\r\nSee you!",
		"quoted":       "> > " + strings.ReplaceAll(text, "\n", "\n> > "),
		"small":        strings.ToLower(line),
		"spaced":       strings.Join(strings.Split(line, ""), " \u200b"),
		"as letters":   strings.NewReplacer("0", "O", "1", "l").Replace(line[len("HIDDEN BACKUP INVITE V1 BYTES 000 DATA "):]),
	} {
		if name == "as letters" {
			form = line[:len("HIDDEN BACKUP INVITE V1 BYTES 000 DATA ")] + form
		}
		got, err := ParseInvites([]byte(form))
		if err != nil || len(got) != 1 || *got[0] != *want {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	other, err := sample(t, 1).Text()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := ParseInvites([]byte(text + "\nand\n" + other)); err != nil || len(got) != 2 || *got[0] != *want {
		t.Errorf("two in one text: %d, %v", len(got), err)
	}
	if len(line) > 1100 {
		t.Errorf("it has %d letters; a QR code of them is hard to read", len(line))
	}
}

func TestDamagedInviteIsNoticed(t *testing.T) {
	line, err := sample(t, 0).Line()
	if err != nil {
		t.Fatal(err)
	}
	for i := range line {
		for _, c := range []string{"", "7", "Z"} {
			damaged := line[:i] + c + line[i+1:]
			if damaged == line || line[i] == ' ' && c == "" {
				continue
			}
			if got, err := ParseInvites([]byte(damaged)); err == nil || len(got) > 0 {
				t.Fatalf("letter %d as %q is not noticed", i, c)
			}
		}
		if _, err := ParseInvites([]byte(line[:i])); !errors.Is(err, ErrInvite) {
			t.Fatalf("cut off after %d letters: %v", i, err)
		}
	}
	if _, err := ParseInvites([]byte(strings.Replace(line, "V1", "V2", 1))); !errors.Is(err, ErrInviteVersion) {
		t.Errorf("of a newer version: %v", err)
	}
	if _, err := ParseInvites(make([]byte, maxInviteText+1)); !errors.Is(err, ErrInvite) {
		t.Errorf("of a megabyte: %v", err)
	}
}

// What is whole may still be a trap: each of these has a good checksum.
func TestHostileInviteIsRefused(t *testing.T) {
	good := sample(t, 0)
	onion := good.Server.Furl.Hints()[0]
	head, tail := "pb://"+strings.Repeat("a", 32)+"@", "/swissnum"
	wire := wireInvite{Service: "storage", Made: good.Made.Unix(), Expires: good.Expires.Unix(),
		Furl: head + onion + tail, ID: good.Server.ID, Nickname: "x"}
	for name, c := range map[string]struct {
		change func(*wireInvite)
		want   error
	}{
		"leads to an open address":     {func(w *wireInvite) { w.Furl = head + "tcp:203.0.113.7:3457" + tail }, ErrElsewhere},
		"also to an open address":      {func(w *wireInvite) { w.Furl = head + onion + ",tcp:203.0.113.7:3457" + tail }, ErrElsewhere},
		"leads to this computer":       {func(w *wireInvite) { w.Furl = head + "tcp:127.0.0.1:22" + tail }, ErrElsewhere},
		"a mistyped onion":             {func(w *wireInvite) { w.Furl = head + "tor:" + strings.Repeat("a", 56) + ".onion:1" + tail }, ErrInvite},
		"no address":                   {func(w *wireInvite) { w.Furl = "" }, ErrInvite},
		"no service":                   {func(w *wireInvite) { w.Service = "" }, ErrInvite},
		"a service of another kind":    {func(w *wireInvite) { w.Service = "shell" }, ErrInvite},
		"an introducer with a key":     {func(w *wireInvite) { w.Service, w.Key = "introducer", make([]byte, 31) }, ErrInvite},
		"a short key":                  {func(w *wireInvite) { w.Key = []byte("short") }, ErrInvite},
		"a server without an id":       {func(w *wireInvite) { w.ID = "" }, ErrInvite},
		"a name that turns around":     {func(w *wireInvite) { w.Nickname = "x\u202ey" }, ErrInvite},
		"a name that moves the cursor": {func(w *wireInvite) { w.Place = "\x1b[2J" }, ErrInvite},
		"a long name":                  {func(w *wireInvite) { w.Operator = strings.Repeat("x", 500) }, ErrInvite},
		"a lease of minus a day":       {func(w *wireInvite) { w.LeaseDays = -2 }, ErrInvite},
		"less space than none":         {func(w *wireInvite) { w.Space = -1 }, ErrInvite},
		"expired before it was made":   {func(w *wireInvite) { w.Expires = w.Made - 1 }, ErrInvite},
		"made before there was any":    {func(w *wireInvite) { w.Made = -1 << 62 }, ErrInvite},
		"good until the sun is out":    {func(w *wireInvite) { w.Expires = 1 << 62 }, ErrInvite},
	} {
		w := wire
		c.change(&w)
		data, err := cbor.Marshal(w)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := ParseInvites(wrapped(data)); !errors.Is(err, c.want) || got != nil {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	for name, value := range map[string]any{
		"a list":          []int{1, 2},
		"unknown fields":  map[int]any{1: "storage", 99: "x"},
		"deep":            map[int]any{1: []any{[]any{[]any{[]any{1}}}}},
		"another type":    map[int]any{4: 7},
		"text for a date": map[int]any{2: "now"},
	} {
		data, err := cbor.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParseInvites(wrapped(data)); !errors.Is(err, ErrInvite) {
			t.Errorf("%s: %v", name, err)
		}
	}
	data, _ := cbor.Marshal(wire)
	if _, err := ParseInvites(wrapped(data)); err != nil {
		t.Errorf("the one all of them are made from: %v", err)
	}
}

func wrapped(data []byte) []byte {
	return []byte(fmt.Sprintf("%s V1 BYTES %d DATA %s CHECK %s", inviteBegin, len(data), crockford.EncodeToString(data), inviteCheck(data)))
}

func TestInvitesTellNoSecretWhenPrinted(t *testing.T) {
	i := sample(t, 0)
	_, swissnum, _ := strings.Cut(i.Server.Furl.Secret(), "/swiss")
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		if text := fmt.Sprintf(verb, *i); strings.Contains(text, i.Server.OnionKey.Base32()) || strings.Contains(text, "/swiss"+swissnum) || strings.Contains(text, ".onion") {
			t.Errorf("%s prints %s", verb, text)
		}
	}
}

func FuzzParseInvites(f *testing.F) {
	i := sample(f, 0)
	text, err := i.Text()
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(text))
	f.Add([]byte("HIDDEN BACKUP INVITE V1 BYTES 9 DATA"))
	f.Add(wrapped([]byte{0xa1, 0x01, 0x61, 0x78}))
	f.Fuzz(func(t *testing.T, text []byte) {
		// Checksums keep a fuzzer out: it may also write what they protect.
		for _, form := range [][]byte{text, wrapped(text[:min(len(text), maxInvite)])} {
			found, err := ParseInvites(form)
			if err != nil {
				continue
			}
			for _, i := range found {
				if err := i.validate(); err != nil {
					t.Errorf("taken, though %v", err)
				}
				for _, hint := range i.Server.Furl.Hints() {
					if !strings.HasPrefix(hint, "tor:") {
						t.Errorf("taken with the hint %q", hint)
					}
				}
			}
		}
	})
}

func TestGridOfInvites(t *testing.T) {
	now := time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)
	var invites []*Invite
	for n, want := range []Numbers{{1, 1, 1}, {1, 2, 2}, {2, 3, 3}, {2, 3, 4}, {3, 4, 5}, {3, 5, 6}} {
		invites = append(invites, sample(t, n))
		g, err := Grid(invites, Numbers{}, now)
		if err != nil || (Numbers{g.Needed, g.Happy, g.Total}) != want || g.Network != manifest.NetworkTor {
			t.Errorf("%d servers: %d/%d/%d, %v", n+1, g.Needed, g.Happy, g.Total, err)
		}
	}
	if _, err := Grid(invites, Numbers{Needed: 7}, now); !errors.Is(err, manifest.ErrInvalid) {
		t.Errorf("seven of six: %v", err)
	}
	if _, err := Grid(invites, Numbers{}, now.AddDate(0, 0, 20)); !errors.Is(err, ErrExpired) {
		t.Errorf("after they expired: %v", err)
	}
	if _, err := Grid(nil, Numbers{}, now); !errors.Is(err, manifest.ErrInvalid) {
		t.Errorf("of none: %v", err)
	}

	g, err := Grid(invites[:3], Numbers{}, now)
	if err != nil {
		t.Fatal(err)
	}
	practice := g
	practice.Network = manifest.NetworkPractice
	if _, _, err := AddToGrid(practice, invites[3:4], Numbers{}, now); !errors.Is(err, manifest.ErrNetwork) {
		t.Errorf("added to a practice grid: %v", err)
	}
	// The second server moved to another address; a fourth is new.
	moved := sample(t, 1)
	more, changes, err := AddToGrid(g, []*Invite{moved, invites[3]}, Numbers{}, now)
	if err != nil || len(more.Servers) != 4 || more.Servers[1].Furl != moved.Server.Furl || more.Servers[1].OnionKey != moved.Server.OnionKey {
		t.Errorf("%d servers: %v", len(more.Servers), err)
	}
	if want := []Change{{"host-b", true}, {"host-d", false}}; fmt.Sprint(changes) != fmt.Sprint(want) {
		t.Errorf("changes: %v", changes)
	}
	if (Numbers{more.Needed, more.Happy, more.Total}) != (Numbers{2, 3, 4}) {
		t.Errorf("the numbers are %d/%d/%d now", more.Needed, more.Happy, more.Total)
	}
	if g.Servers[1].Furl == moved.Server.Furl {
		t.Error("the grid that was added to is another now")
	}
}

// Somebody who knows a server's id must not be able to take its place.
func TestInviteCannotTakeAnothersPlace(t *testing.T) {
	now := time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)
	g, err := Grid([]*Invite{sample(t, 0), sample(t, 1)}, Numbers{}, now)
	if err != nil {
		t.Fatal(err)
	}
	sameID, sameTub := sample(t, 5), sample(t, 5)
	sameID.Server.ID = g.Servers[0].ID
	sameTub.Server.Furl = g.Servers[0].Furl
	for _, i := range []*Invite{sameID, sameTub} {
		if _, _, err := AddToGrid(g, []*Invite{i}, Numbers{}, now); !errors.Is(err, ErrSameServer) {
			t.Errorf("AddToGrid returned %v", err)
		}
	}
}

func TestStateThatIsNotOurs(t *testing.T) {
	dir := t.TempDir()
	s, err := load(dir)
	if err != nil {
		t.Fatal(err)
	}
	good, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"empty":         " ",
		"cut off":       string(good[:len(good)/2]),
		"newer":         strings.Replace(string(good), `"version":1`, `"version":2`, 1),
		"without key":   strings.Replace(string(good), "ED25519-V3:", "", 1),
		"open":          strings.Replace(string(good), s.Nobody, "", 1),
		"half a person": strings.Replace(string(good), `"people":null`, `"people":[{"name":"x"}]`, 1),
		"no person":     strings.Replace(string(good), `"people":null`, `"people":[null]`, 1),
		"huge":          strings.Repeat(" ", maxFile+1),
	} {
		if err := os.WriteFile(filepath.Join(dir, stateName), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := load(dir); !errors.Is(err, ErrState) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
