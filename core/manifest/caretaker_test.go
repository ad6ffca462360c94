package manifest

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

// A caretaker's machine may be seized: what is in the file must neither open
// the backup nor name people.
func TestCaretakersFileHoldsNoSecretOfTheBackup(t *testing.T) {
	SetTestProfile(t)
	f := newFixture(t)
	m := f.manifest(6)
	m.Name, m.Grid.Servers[2].Operator, m.Grid.Servers[3].Place = "Source in Minsk", "Olga", "Lviv"
	c, err := m.Caretaker("to look after", f.secret())
	if err != nil {
		t.Fatal(err)
	}
	plain, err := EncodePlain(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{m.RootSecret.Base32(), m.Gateway.Convergence.Base32(), m.Vault.Secret(), m.Pin.Snapshot.Secret(), "Minsk", "Olga", "Lviv", "Notes"} {
		if strings.Contains(string(plain), secret) {
			t.Errorf("the caretaker's file holds %q", secret[:4])
		}
	}
	if m.Grid.Servers[2].Operator != "Olga" {
		t.Error("the owner's manifest lost her words")
	}
	pass := []byte("walrus lantern mountain gravel pliable outfit sandbox")
	sealed, err := Seal(c, pass, nil)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := Open(sealed, pass)
	if err != nil || !reflect.DeepEqual(opened.Caretaker, c) {
		t.Fatalf("%v, %v", opened, err)
	}
	if _, err := opened.NeedReader(); !errors.Is(err, ErrPower) {
		t.Errorf("restoring with a caretaker's file: %v", err)
	}
	if _, err := opened.NeedOwner(); !errors.Is(err, ErrPower) {
		t.Errorf("backing up with a caretaker's file: %v", err)
	}
	owner := &Opened{Power: PowerOwner, Owner: m}
	if _, err := owner.NeedCaretaker(); !errors.Is(err, ErrPower) || !strings.Contains(err.Error(), "owner") {
		t.Errorf("caring with an owner's manifest: %v", err)
	}
}

func TestCaretakersFileIsReadStrictly(t *testing.T) {
	f := newFixture(t)
	c, err := f.manifest(2).Caretaker("care", f.secret())
	if err != nil {
		t.Fatal(err)
	}
	raw, err := EncodePlain(c)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string][2]string{
		"a write-cap":   {"URI:DIR2-RO:", "URI:DIR2:"},
		"a root secret": {`"care_key"`, `"root_secret": "` + f.base32(32) + `", "care_key"`},
		"no care key":   {`"care_key"`, `"root_secret"`},
		"a convergence": {`"lease_secret"`, `"convergence": "x", "lease_secret"`},
		"folders":       {`"folders": []`, `"folders": [{"name": "a", "path": "/a"}]`},
	} {
		text := strings.Replace(string(raw), change[0], change[1], 1)
		if text == string(raw) {
			t.Fatalf("%s: nothing to change", name)
		}
		if _, err := DecodePlain([]byte(text)); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
