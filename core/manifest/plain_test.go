package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func TestPlainRoundTrip(t *testing.T) {
	m := newFixture(t).manifest(6)
	m.Folders = append(m.Folders, Folder{Name: "Bücher <&> \"«»\"", Path: "~/Bücher <&> \\ \"x\""})
	for _, change := range []func(){
		func() {},
		func() { m.Pin = nil },
		func() { m.Grid.Introducers = nil },
		func() { m.Folders = nil },
		func() { m.Grid.Servers[0] = Server{ID: m.Grid.Servers[0].ID, Furl: m.Grid.Servers[0].Furl} },
	} {
		change()
		plain, err := EncodePlain(m)
		if err != nil {
			t.Fatal(err)
		}
		opened, err := DecodePlain(plain)
		if err != nil {
			t.Fatal(err)
		}
		if opened.Power != PowerOwner || !reflect.DeepEqual(opened.Owner, m) {
			t.Error("the owner manifest changed")
		}
		want, err := m.Reader()
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(opened.Reader, want) {
			t.Error("the read side of an owner manifest is not its reader")
		}
		plain, err = EncodePlain(want)
		if err != nil {
			t.Fatal(err)
		}
		opened, err = DecodePlain(plain)
		if err != nil {
			t.Fatal(err)
		}
		if opened.Power != PowerReader || opened.Owner != nil || !reflect.DeepEqual(opened.Reader, want) {
			t.Error("the reader manifest changed")
		}
	}
}

func TestDecodePlainIsStrict(t *testing.T) {
	m := newFixture(t).manifest(2)
	m.Name = "NAME"
	raw, err := EncodePlain(m)
	if err != nil {
		t.Fatal(err)
	}
	plain := string(raw)
	replace := func(old, new string) string {
		t.Helper()
		if !strings.Contains(plain, old) {
			t.Fatalf("the plain form has no %s", old)
		}
		return strings.Replace(plain, old, new, 1)
	}
	reader := replace(`"power": "owner"`, `"power": "reader"`)
	cases := map[string]struct {
		text string
		want error
		says string
	}{
		"as it was":              {plain, nil, ""},
		"spaces around":          {"\n " + plain + "\n\n", nil, ""},
		"empty":                  {"", ErrInvalid, ""},
		"not JSON":               {"hello", ErrInvalid, "line 1"},
		"broken on line 3":       {replace("\"version\": 1,", "\"version\": 1;"), ErrInvalid, "line 3"},
		"trailing data":          {plain + "{}", ErrInvalid, ""},
		"trailing word":          {plain + "x", ErrInvalid, ""},
		"a list":                 {"[" + plain + "]", ErrInvalid, ""},
		"another type":           {replace(plainType, "something"), ErrNotManifest, ""},
		"no type":                {replace(`"type"`, `"typo"`), ErrNotManifest, ""},
		"future version":         {replace(`"version": 1`, `"version": 2, "new_field": 3`), ErrVersion, "version 2"},
		"version zero":           {replace(`"version": 1`, `"version": 0`), ErrInvalid, ""},
		"version text":           {replace(`"version": 1`, `"version": "1"`), ErrInvalid, "version"},
		"version fraction":       {replace(`"version": 1`, `"version": 1.5`), ErrInvalid, ""},
		"owner as caretaker":     {replace(`"owner"`, `"caretaker"`), ErrInvalid, "caretaker"},
		"care key":               {replace(`"root_secret"`, `"care_key": "x", "root_secret"`), ErrInvalid, "care key"},
		"lease in no time":       {replace(`"nickname"`, `"lease_days": -2, "nickname"`), ErrInvalid, "lease_days"},
		"holder":                 {replace(`"owner"`, `"holder"`), ErrPower, "holder"},
		"unknown power":          {replace(`"owner"`, `"king"`), ErrPower, ""},
		"no power":               {replace(`"power": "owner",`, ``), ErrPower, ""},
		"reader with write-cap":  {reader, ErrInvalid, "gateway"},
		"unknown field":          {replace(`"name"`, `"colour": "red", "name"`), ErrInvalid, `"colour"`},
		"unknown deep field":     {replace(`"nickname"`, `"colour": "red", "nickname"`), ErrInvalid, `"colour"`},
		"field twice":            {replace(`"name"`, `"name": "a", "name"`), ErrInvalid, "twice"},
		"field twice, escaped":   {replace(`"name"`, `"n\u0061me": "a", "name"`), ErrInvalid, "twice"},
		"deep field twice":       {replace(`"needed"`, `"needed": 1, "needed"`), ErrInvalid, "twice"},
		"field in capitals":      {replace(`"name"`, `"NAME"`), ErrInvalid, ""},
		"field with long s":      {replace(`"servers"`, `"ſervers"`), ErrInvalid, ""},
		"null":                   {replace(`"name": "NAME"`, `"name": null`), ErrInvalid, "null"},
		"null list":              {replace(`"introducers": [`, `"introducers": null, "servers": [`), ErrInvalid, ""},
		"missing name":           {replace(`"name": "NAME",`, ``), ErrInvalid, "name"},
		"missing gateway":        {replace(`"gateway"`, `"getaway"`), ErrInvalid, ""},
		"negative generation":    {replace(`"generation": 7`, `"generation": -7`), ErrInvalid, "generation"},
		"huge generation":        {replace(`"generation": 7`, `"generation": 99999999999999999999`), ErrInvalid, "generation"},
		"largest generation":     {replace(`"generation": 7`, `"generation": 18446744073709551615`), nil, ""},
		"time":                   {replace("2026-03-14T", "14 March "), ErrInvalid, "created"},
		"time with zone":         {replace("15:09:26Z", "17:09:26.5+02:00"), nil, ""},
		"not UTF-8":              {replace("NAME", "N\xffME"), ErrInvalid, "UTF-8"},
		"half a surrogate pair":  {replace("NAME", `\ud800`), ErrInvalid, ""},
		"escaped control":        {replace("NAME", `a\u0007b`), ErrInvalid, "control"},
		"escaped NUL":            {replace("NAME", `a\u0000b`), ErrInvalid, "control"},
		"reversed writing":       {replace("NAME", `a\u202egpj.exe`), ErrInvalid, "direction"},
		"huge":                   {replace("NAME", strings.Repeat("n", maxPlain)), ErrInvalid, "64 KiB"},
		"deep":                   {replace(`"NAME"`, strings.Repeat("[", 30)+strings.Repeat("]", 30)), ErrInvalid, "deep"},
		"traversal":              {replace("~/Documents/Notes", "~/../../etc"), ErrInvalid, "path"},
		"escaped traversal":      {replace("~/Documents/Notes", `~/\u002e\u002e/etc`), ErrInvalid, "path"},
		"folder name":            {replace(`"Notes"`, `".."`), ErrInvalid, "folder"},
		"clearnet furl":          {replace("@tor:", "@tcp:192.0.2.7:3457,tor:"), ErrNetwork, "onion"},
		"furl in capitals":       {replace("pb://", "PB://"), ErrInvalid, "furl"},
		"vault with space":       {replace("URI:DIR2:", " URI:DIR2:"), ErrInvalid, "vault"},
		"unknown capability":     {replace("URI:DIR2:", "URI:DIR3:"), ErrInvalid, "vault"},
		"read-only vault":        {replace("URI:DIR2:", "URI:DIR2-RO:"), ErrInvalid, "vault"},
		"secret with line break": {replace(m.RootSecret.Base32(), m.RootSecret.Base32()+`\n`), ErrInvalid, "root_secret"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			opened, err := DecodePlain([]byte(c.text))
			if !errors.Is(err, c.want) || (c.want == nil) != (err == nil) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
			if err != nil && (opened != nil || !strings.Contains(err.Error(), c.says)) {
				t.Errorf("the error does not say %q: %v", c.says, err)
			}
		})
	}
}

func TestManyServers(t *testing.T) {
	m := newFixture(t).manifest(100)
	if _, err := EncodePlain(m); err != nil {
		t.Errorf("100 servers: %v", err)
	}
	m = newFixture(t).manifest(200)
	if _, err := EncodePlain(m); !errors.Is(err, ErrInvalid) {
		t.Errorf("more than 64 KiB: %v", err)
	}
	m = newFixture(t).manifest(1)
	m.Folders = nil
	for i := range maxFolders {
		m.Folders = append(m.Folders, Folder{Name: fmt.Sprint(i), Path: "/"})
	}
	if _, err := EncodePlain(m); err != nil {
		t.Errorf("1000 folders: %v", err)
	}
}

func FuzzDecodePlain(f *testing.F) {
	m := newFixture(f).manifest(2)
	r, err := m.Reader()
	if err != nil {
		f.Fatal(err)
	}
	for _, c := range []Content{m, r} {
		plain, err := EncodePlain(c)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(plain)
	}
	f.Add([]byte(`{"type":"hidden-backup-manifest","version":1,"power":"owner"}`))
	f.Add([]byte(`{"a":{"a":[]},"a":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		opened, err := DecodePlain(data)
		if err != nil {
			return
		}
		again, err := EncodePlain(opened.content())
		if err != nil {
			// Only the indentation can make it grow past the bound.
			if len(data) < maxPlain/4 {
				t.Fatalf("what was decoded does not encode: %v", err)
			}
			return
		}
		reopened, err := DecodePlain(again)
		if err != nil || !reflect.DeepEqual(reopened, opened) {
			t.Fatalf("decoding is not stable: %v", err)
		}
		third, err := EncodePlain(reopened.content())
		if err != nil || !bytes.Equal(again, third) {
			t.Fatalf("encoding is not stable: %v", err)
		}
	})
}

func TestGridDescriptionIsReadAsStrictlyAsAManifest(t *testing.T) {
	m := newFixture(t).manifest(3)
	plain, err := EncodePlain(m)
	if err != nil {
		t.Fatal(err)
	}
	var whole struct {
		Grid json.RawMessage `json:"grid"`
	}
	if err := json.Unmarshal(plain, &whole); err != nil {
		t.Fatal(err)
	}
	g, err := DecodeGrid(whole.Grid)
	if err != nil || len(g.Servers) != 3 || g.Servers[1] != m.Grid.Servers[1] {
		t.Fatalf("the grid did not come back: %v", err)
	}
	for name, bad := range map[string]string{
		"unknown field": strings.Replace(string(whole.Grid), `"needed"`, `"extra": 1, "needed"`, 1),
		"twice":         strings.Replace(string(whole.Grid), `"needed"`, `"needed": 1, "needed"`, 1),
		"clearnet":      strings.Replace(string(whole.Grid), "@tor:", "@tcp:", 1),
		"rest":          string(whole.Grid) + "{}",
		"empty":         "",
	} {
		if _, err := DecodeGrid([]byte(bad)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
