package manifest

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"

	"hiddenbackup/tahoeclient"
)

func TestReaderHoldsNoPowerToWrite(t *testing.T) {
	m := newFixture(t).manifest(2)
	r, err := m.Reader()
	if err != nil {
		t.Fatal(err)
	}
	if r.Vault.CanWrite() || !r.Vault.CanRead() || !r.Vault.IsDirectory() {
		t.Error("the reader's vault is not a read-only directory")
	}
	plain, err := EncodePlain(r)
	if err != nil {
		t.Fatal(err)
	}
	for name, secret := range map[string]string{
		"vault write-cap": m.Vault.Secret(), "lease secret": m.Gateway.LeaseSecret.Base32(),
		"convergence secret": m.Gateway.Convergence.Base32(),
		"write key":          strings.Split(m.Vault.Secret(), ":")[2],
	} {
		if bytes.Contains(plain, []byte(secret)) {
			t.Errorf("the reader manifest holds the %s", name)
		}
	}
	r.Grid.Servers[0].Place, r.Folders[0].Name, r.Pin.Sequence = "elsewhere", "other", 99
	if m.Grid.Servers[0].Place == "elsewhere" || m.Folders[0].Name == "other" || m.Pin.Sequence == 99 {
		t.Error("the reader shares memory with the owner's manifest")
	}
	r.Vault = m.Vault
	if _, err := EncodePlain(r); !errors.Is(err, ErrInvalid) {
		t.Errorf("a reader with the write-cap: %v", err)
	}
}

func TestNeedOwner(t *testing.T) {
	m := newFixture(t).manifest(1)
	r, err := m.Reader()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := (&Opened{Power: PowerOwner, Reader: r, Owner: m}).NeedOwner(); got != m || err != nil {
		t.Errorf("owner: %v", err)
	}
	reader := &Opened{Power: PowerReader, Reader: r}
	if _, err := reader.NeedOwner(); !errors.Is(err, ErrPower) || !strings.Contains(err.Error(), "reader") {
		t.Errorf("reader: %v", err)
	}
	if got, err := reader.NeedReader(); got != r || err != nil {
		t.Errorf("reader: %v", err)
	}
	legacy := &Opened{Legacy: &Legacy{}}
	if _, err := legacy.NeedOwner(); !errors.Is(err, ErrPower) {
		t.Errorf("legacy: %v", err)
	}
	if _, err := legacy.NeedReader(); !errors.Is(err, ErrPower) {
		t.Errorf("legacy: %v", err)
	}
}

func TestNextGeneration(t *testing.T) {
	m := newFixture(t).manifest(1)
	before := m.Generation
	m.NextGeneration()
	if m.Generation != before+1 || time.Since(m.Created) > time.Minute {
		t.Errorf("generation %d, created %v", m.Generation, m.Created)
	}
	if err := m.Validate(); err != nil {
		t.Error(err)
	}
}

func TestFolderPaths(t *testing.T) {
	for _, p := range []string{"/", "/a", "/home/amnesia/Persistent", "~", "~/Documents", "~/a b/ü", "/a/..b/.c"} {
		if err := (Folder{Name: "x", Path: p}).Validate(); err != nil {
			t.Errorf("%q is refused: %v", p, err)
		}
	}
	for _, p := range []string{
		"", "a", "./a", "../a", "/..", "/a/../../etc", "/a/..", "/a/.", "/a/", "//a", "/a//b", "~/", "~/..", "~/../x",
		"~/a/../b", "~//a", "~user/a", "~/a/", "/a\x00b", "/a\nb", "/caf\xe9", "/" + strings.Repeat("a", maxPath), "/a\u202eb",
	} {
		if err := (Folder{Name: "x", Path: p}).Validate(); !errors.Is(err, ErrInvalid) {
			t.Errorf("%.40q is accepted", p)
		}
	}
	for _, n := range []string{"", ".", "..", "a/b", "/", "a\x00", "a\n", "\xff", strings.Repeat("n", 256)} {
		if err := (Folder{Name: n, Path: "/a"}).Validate(); !errors.Is(err, ErrInvalid) {
			t.Errorf("name %.40q is accepted", n)
		}
	}
	for tier, want := range map[int]int{0: 2, 1: 1, 2: 2, 3: 3} {
		if f := (Folder{"x", "/a", tier}); f.Validate() != nil || f.Priority() != want {
			t.Errorf("tier %d: priority %d", tier, f.Priority())
		}
	}
	for _, tier := range []int{-1, 4} {
		if (Folder{"x", "/a", tier}).Validate() == nil {
			t.Errorf("tier %d is accepted", tier)
		}
	}
	for p, want := range map[string]string{"~": "/home/u", "~/a": "/home/u/a", "/x": "/x"} {
		if got := (Folder{Path: p}).Resolve("/home/u/"); got != want {
			t.Errorf("%q resolves to %q", p, got)
		}
	}
}

func TestValidateNamesWhatIsWrong(t *testing.T) {
	f := newFixture(t)
	other := func(s string) tahoeclient.Cap { return f.cap(s) }
	key, hash := f.base32(16), f.base32(32)
	cases := map[string]struct {
		change func(*Manifest)
		want   error
	}{
		"no name":                 {func(m *Manifest) { m.Name = "" }, ErrInvalid},
		"long name":               {func(m *Manifest) { m.Name = strings.Repeat("n", 129) }, ErrInvalid},
		"line break in name":      {func(m *Manifest) { m.Name = "a\nb" }, ErrInvalid},
		"not UTF-8":               {func(m *Manifest) { m.Name = "caf\xe9" }, ErrInvalid},
		"generation zero":         {func(m *Manifest) { m.Generation = 0 }, ErrInvalid},
		"no time":                 {func(m *Manifest) { m.Created = time.Time{} }, ErrInvalid},
		"no vault":                {func(m *Manifest) { m.Vault = tahoeclient.Cap{} }, ErrInvalid},
		"read-only vault":         {func(m *Manifest) { m.Vault = other("URI:DIR2-RO:" + key + ":" + hash) }, ErrInvalid},
		"vault is a mutable file": {func(m *Manifest) { m.Vault = other("URI:SSK:" + key + ":" + hash) }, ErrInvalid},
		"vault is a verifier":     {func(m *Manifest) { m.Vault = other("URI:DIR2-Verifier:" + key + ":" + hash) }, ErrInvalid},
		"vault cannot change":     {func(m *Manifest) { m.Vault = other("URI:DIR2-CHK:" + key + ":" + hash + ":3:6:99") }, ErrInvalid},
		"MDMF vault":              {func(m *Manifest) { m.Vault = other("URI:DIR2-MDMF:" + key + ":" + hash) }, nil},
		"pin is a directory":      {func(m *Manifest) { m.Pin.Snapshot = m.Vault }, ErrInvalid},
		"pin is a verifier":       {func(m *Manifest) { m.Pin.Snapshot = other("URI:CHK-Verifier:" + key + ":" + hash + ":3:6:99") }, ErrInvalid},
		"pin is mutable":          {func(m *Manifest) { m.Pin.Snapshot = other("URI:SSK-RO:" + key + ":" + hash) }, ErrInvalid},
		"pin is empty":            {func(m *Manifest) { m.Pin = &Pin{} }, ErrInvalid},
		"pin is a literal":        {func(m *Manifest) { m.Pin.Snapshot = other("URI:LIT:mfrgg") }, nil},
		"no pin":                  {func(m *Manifest) { m.Pin = nil }, nil},
		"no root secret":          {func(m *Manifest) { m.RootSecret = Secret{} }, ErrInvalid},
		"no lease secret":         {func(m *Manifest) { m.Gateway.LeaseSecret = Secret{} }, ErrInvalid},
		"no convergence":          {func(m *Manifest) { m.Gateway.Convergence = Secret{} }, ErrInvalid},
		"no folders":              {func(m *Manifest) { m.Folders = nil }, nil},
		"same folder name":        {func(m *Manifest) { m.Folders[1].Name = m.Folders[0].Name }, ErrInvalid},
		"many folders":            {func(m *Manifest) { m.Folders = make([]Folder, 1001) }, ErrInvalid},
		"no network":              {func(m *Manifest) { m.Grid.Network = "" }, ErrInvalid},
		"unknown network":         {func(m *Manifest) { m.Grid.Network = "clearnet" }, ErrInvalid},
		"wrong network":           {func(m *Manifest) { m.Grid.Network = NetworkI2P }, ErrNetwork},
		"needed zero":             {func(m *Manifest) { m.Grid.Needed = 0 }, ErrInvalid},
		"happy below needed":      {func(m *Manifest) { m.Grid.Happy = 2 }, ErrInvalid},
		"total below happy":       {func(m *Manifest) { m.Grid.Total = 4 }, ErrInvalid},
		"total too large":         {func(m *Manifest) { m.Grid.Total = 256 }, ErrInvalid},
		"nobody to talk to":       {func(m *Manifest) { m.Grid.Servers, m.Grid.Introducers = nil, nil }, ErrInvalid},
		"server twice":            {func(m *Manifest) { m.Grid.Servers[1].ID = m.Grid.Servers[0].ID }, ErrInvalid},
		"server id":               {func(m *Manifest) { m.Grid.Servers[0].ID = "v0-short" }, ErrInvalid},
		"seed":                    {func(m *Manifest) { m.Grid.Servers[0].Seed = "UPPER" }, ErrInvalid},
		"no seed":                 {func(m *Manifest) { m.Grid.Servers[0].Seed = "" }, nil},
		"no furl":                 {func(m *Manifest) { m.Grid.Servers[0].Furl = Furl{} }, ErrInvalid},
		"label":                   {func(m *Manifest) { m.Grid.Servers[0].Place = "a\x1b[2Jb" }, ErrInvalid},
		"introducer name":         {func(m *Manifest) { m.Grid.Introducers[0].Name = "a: b" }, ErrInvalid},
		"introducer twice":        {func(m *Manifest) { m.Grid.Introducers = append(m.Grid.Introducers, m.Grid.Introducers[0]) }, ErrInvalid},
		"many servers":            {func(m *Manifest) { m.Grid.Servers = make([]Server, 256) }, ErrInvalid},
		"clearnet beside onions": {func(m *Manifest) {
			m.Grid.Servers[1].Furl = mustFurl(t, "pb://"+f.base32(20)+"@tcp:203.0.113.9:3457/"+f.base32(20))
		}, ErrNetwork},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			m := newFixture(t).manifest(3)
			c.change(m)
			_, err := EncodePlain(m)
			if !errors.Is(err, c.want) || (c.want == nil) != (err == nil) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

func TestFurlNetworks(t *testing.T) {
	tub, onion := strings.Repeat("a", 32), strings.Repeat("b", 56)+".onion"
	b32 := strings.Repeat("c", 52) + ".b32.i2p"
	networks := []Network{NetworkTor, NetworkTorToClearnet, NetworkI2P, NetworkPractice}
	const tor, open, i2p, practice = "1", "2", "3", "4"
	cases := map[string]string{ // hints → networks that take them
		"tor:" + onion + ":3457":                          tor + open,
		"tor:" + onion + ":3457,tor:" + onion + ":80":     tor + open,
		"tor:" + onion + ":3457,tcp:192.0.2.1:3457":       open,
		"tcp:192.0.2.1:3457":                              open,
		"tcp:storage.example.org:3457":                    open,
		"tcp:[2001:db8::1]:3457":                          open,
		"tcp:127.0.0.1:3457":                              open + practice,
		"tcp:localhost:3457":                              open + practice,
		"tcp:[::1]:3457":                                  open + practice,
		"i2p:" + b32:                                      i2p,
		"i2p:" + b32 + ":3457":                            i2p,
		"tor:" + strings.Repeat("b", 16) + ".onion:3457":  "", // version 2
		"tor:storage.example.org:3457":                    "",
		"tor:x." + onion + ":3457":                        "",
		"tor:" + onion:                                    "",
		"tor:" + onion + ":0":                             "",
		"tor:" + onion + ":70000":                         "",
		"tcp:" + onion + ":3457":                          "", // would leave through the exit, and fail
		"tcp:127.0.0.2:3457":                              open,
		"tcp:[::1:3457":                                   "",
		"tcp:storage.example.org":                         "",
		onion + ":3457":                                   "",
		"unix:a":                                          "",
		"i2p:storage.i2p":                                 "",
		"tcp:127.0.0.1.example.org:3457":                  open,
		"tcp:localhost.example.org:3457":                  open,
		"tcp:127.0.0.1:3457,tcp:storage.example.org:3457": open,
	}
	for hints, want := range cases {
		furl := mustFurl(t, "pb://"+tub+"@"+hints+"/swissnum")
		got := ""
		for i, n := range networks {
			err := furl.checkNetwork(n)
			if err == nil {
				got += fmt.Sprint(i + 1)
			} else if !errors.Is(err, ErrNetwork) {
				t.Errorf("%s: %v", hints, err)
			}
		}
		if got != want {
			t.Errorf("%s: taken by networks %q, want %q", hints, got, want)
		}
	}
	for _, s := range []string{
		"", "pb://", "pb://" + tub + "@/x", "pb://" + tub + "@tcp:a:1", "pb://" + tub + "@tcp:a:1/",
		"pb://" + tub[1:] + "@tcp:a:1/x", "pb://" + strings.ToUpper(tub) + "@tcp:a:1/x",
		"http://" + tub + "@tcp:a:1/x", "pb://" + tub + "@tcp:a:1/x/y", "pb://" + tub + "@tcp:a:1/x\n",
		"pb://" + tub + "@tcp:a:1,/x", "pb://" + tub + "@tcp:a:+1/x", "pb://" + tub + "@tcp:a b:1/x", "pb://" + tub + "@tcp:a\n:1/x",
		"pb://" + tub + "@tcp:a:1/x\"", "pb://" + tub + "@" + strings.Repeat("a", 2000) + "/x",
	} {
		if _, err := ParseFurl(s); !errors.Is(err, ErrInvalid) {
			t.Errorf("%.60q is accepted", s)
		}
	}
}

// TestNothingSecretPrints tries every road from a manifest to text.
func TestNothingSecretPrints(t *testing.T) {
	m := newFixture(t).manifest(2)
	r, err := m.Reader()
	if err != nil {
		t.Fatal(err)
	}
	secrets := map[string]string{
		"vault": m.Vault.Secret()[9:], "root secret": m.RootSecret.Base32(),
		"lease secret": m.Gateway.LeaseSecret.Base32(), "convergence": m.Gateway.Convergence.Base32(),
		"onion key": m.Grid.Servers[0].OnionKey.Base32(), "pin": m.Pin.Snapshot.Secret()[8:],
		"reader's vault": r.Vault.Secret()[12:],
	}
	for i, f := range []Furl{m.Grid.Servers[0].Furl, m.Grid.Servers[1].Furl, m.Grid.Introducers[0].Furl} {
		secrets[fmt.Sprintf("furl %d", i)] = f.Secret()
		secrets[fmt.Sprintf("swissnum %d", i)] = f.Secret()[strings.LastIndexByte(f.Secret(), '/')+1:]
	}
	root := m.RootSecret.Bytes()
	for name, format := range map[string]string{"decimal": "%d", "hex": "%x", "upper hex": "%X", "go": "%#v", "quoted": "%q", "raw": "%s"} {
		secrets["root secret "+name] = strings.Trim(fmt.Sprintf(format, root), "[]")
	}

	type hidden struct { // fmt does not ask Format for unexported fields
		m Manifest
		s Secret
		f Furl
		l []Server
		p map[string]Secret
		w GatewaySecrets
	}
	values := []any{
		m, *m, r, *r, m.Grid, m.Grid.Servers, m.Grid.Servers[0], m.Grid.Introducers, m.Gateway, m.RootSecret, &m.RootSecret,
		m.Vault, m.Pin, *m.Pin, m.Grid.Servers[0].Furl, map[string]any{"m": m},
		Opened{Power: PowerOwner, Owner: m, Reader: r}, &Opened{Owner: m},
		hidden{*m, m.RootSecret, m.Grid.Servers[0].Furl, m.Grid.Servers, map[string]Secret{"a": m.RootSecret}, m.Gateway},
	}
	check := func(how string, v any, out string) {
		t.Helper()
		for name, s := range secrets {
			if strings.Contains(out, s) {
				t.Errorf("%s of %T shows the %s", how, v, name)
			}
		}
	}
	for _, v := range values {
		for _, verb := range "vTtbcdoOqxXUeEfFgGspw" {
			for _, flag := range []string{"", "+", "#", "+#", "0", " ", "-40", "40.3"} {
				format := "%" + flag + string(verb)
				check(format, v, fmt.Sprintf(format, v))
			}
		}
		check("Sprint", v, fmt.Sprint(v)+fmt.Sprintln(v))
		out, _ := json.Marshal(v)
		check("json", v, string(out))
		out, _ = xml.Marshal(v)
		check("xml", v, string(out))
		var buf bytes.Buffer
		_ = gob.NewEncoder(&buf).Encode(v)
		check("gob", v, buf.String())
		for _, h := range []slog.Handler{slog.NewTextHandler(&buf, nil), slog.NewJSONHandler(&buf, nil)} {
			slog.New(h).Info("x", "v", v, slog.Group("g", "v", v))
		}
		check("slog", v, buf.String())
		check("error", v, fmt.Errorf("x: %v", v).Error())
	}
	if got := fmt.Sprintf("%v %s %d %+v %#v", m.RootSecret, m.RootSecret, m.RootSecret, m.Grid.Servers[0].Furl, m.RootSecret); strings.Count(got, redacted) != 5 {
		t.Errorf("not redacted five times: %s", got)
	}
	for _, v := range []any{m.RootSecret, m.Grid.Servers[0].Furl} {
		for _, name := range []string{"MarshalJSON", "MarshalText", "MarshalBinary", "GobEncode", "MarshalCBOR", "MarshalYAML", "MarshalXML"} {
			if _, ok := reflect.TypeOf(v).MethodByName(name); ok {
				t.Errorf("%T has %s", v, name)
			}
		}
	}
}

func TestErrorsHoldNoSecret(t *testing.T) {
	m := newFixture(t).manifest(2)
	plain, err := EncodePlain(m)
	if err != nil {
		t.Fatal(err)
	}
	secrets := []string{
		m.Vault.Secret(), m.RootSecret.Base32(), m.Gateway.LeaseSecret.Base32(), m.Gateway.Convergence.Base32(),
		m.Pin.Snapshot.Secret(), m.Grid.Servers[0].Furl.Secret(), m.Grid.Servers[0].OnionKey.Base32(),
	}
	for _, secret := range secrets {
		for name, broken := range map[string]string{
			"typo": secret[:20] + "1" + secret[21:], "longer": secret + "a", "shorter": secret[:len(secret)-1],
			"quote": secret[:20] + `"` + secret[20:], "not UTF-8": secret + "\xff", "as key": secret + `":"", "`,
		} {
			_, err := DecodePlain(bytes.Replace(plain, []byte(secret), []byte(broken), 1))
			if err == nil {
				// A size may lose a digit, and a swissnum have another length.
				if name != "longer" && name != "shorter" {
					t.Errorf("%s is accepted", name)
				}
				continue
			}
			for i := 0; i+8 <= len(secret); i++ {
				if part := secret[i : i+8]; part != "URI:CHK:" && strings.Contains(err.Error(), part) {
					t.Errorf("%s: the error shows %q", name, part)
					break
				}
			}
		}
	}
}

func TestSecret(t *testing.T) {
	if _, err := SecretFromBytes(make([]byte, 32)); !errors.Is(err, ErrInvalid) {
		t.Errorf("zeros: %v", err)
	}
	if _, err := SecretFromBytes(make([]byte, 31)); !errors.Is(err, ErrInvalid) {
		t.Errorf("short: %v", err)
	}
	if _, err := NewSecret(strings.NewReader("short")); err == nil {
		t.Error("a random source that ends is accepted")
	}
	a, err := NewSecret(nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := SecretFromBytes(a.Bytes())
	if err != nil || a != b || a.IsZero() {
		t.Error("a copy differs")
	}
	wipe(b.Bytes())
	if !bytes.Equal(a.Bytes(), b.Bytes()) {
		t.Error("wiping a copy changed the secret")
	}
	if !bytes.Equal(Secret{}.Bytes(), make([]byte, 32)) || !(Secret{}).IsZero() {
		t.Error("the zero secret is not zero")
	}
	for _, s := range []string{a.Base32() + "\n", strings.ToUpper(a.Base32()), a.Base32()[:51] + "b"} {
		if _, err := parseSecret("x", s); err == nil {
			t.Errorf("another spelling is accepted")
		}
	}
}
