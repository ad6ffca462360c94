package tails

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
	"github.com/godbus/dbus/v5/prop"
)

const tailsRelease = "NAME=\"Tails\"\nID=\"tails\"\nID_LIKE=\"debian\"\nVERSION=\"7.8.1\"\n"

// computer makes a file tree and looks at it from then on.
func computer(t *testing.T, files map[string]string, dirs ...string) string {
	t.Helper()
	root := t.TempDir()
	for _, d := range dirs {
		if err := os.MkdirAll(filepath.Join(root, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range files {
		name = filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	SetTestSystem(t, root, "/home/amnesia")
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path="+filepath.Join(root, "no-bus"))
	return root
}

func feature(t *testing.T, s Storage, key string) Feature {
	t.Helper()
	for _, f := range s.Features {
		if f.Key == key {
			return f
		}
	}
	t.Fatalf("no feature %s", key)
	return Feature{}
}

func TestAnotherSystemHasNoPersistentStorage(t *testing.T) {
	for name, release := range map[string]string{
		"debian": "ID=debian\n", "none": "", "like tails": "ID=mine\nID_LIKE=\"tails\"\n",
	} {
		computer(t, map[string]string{"/etc/os-release": release})
		if s := Look(t.Context()); s.Tails || len(s.Features) != 0 {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

// Without an answer from the bus the mounts say what is on, and what nothing
// says stays unknown: "off" would be left out of a backup in silence.
func TestMountsSayWhatIsOn(t *testing.T) {
	computer(t, map[string]string{
		"/etc/os-release": tailsRelease,
		"/proc/self/mountinfo": "1 1 0:1 / / rw - overlay overlay rw\n" +
			"2 1 0:2 / /live/persistence/TailsData_unlocked rw,noatime - ext4 /dev/dm-0 rw\n" +
			"3 1 0:2 /Persistent /home/amnesia/Persistent rw - ext4 /dev/dm-0 rw\n" +
			"4 1 0:2 /gnupg /home/amnesia/.gnupg rw - ext4 /dev/dm-0 rw\n",
	}, "/home/amnesia/Persistent", "/home/amnesia/.thunderbird", data+"/dotfiles")
	s := Look(t.Context())
	if !s.Tails || s.Created != On || s.Unlocked != On || len(s.Features) != len(table) {
		t.Fatalf("%+v", s)
	}
	for key, want := range map[string]State{
		"PersistentDirectory": On, "GnuPG": On, "Thunderbird": Off, "Dotfiles": Unknown, "NetworkConnections": Unknown,
	} {
		if got := feature(t, s, key).State; got != want {
			t.Errorf("%s: %v, want %v", key, got, want)
		}
	}
	if !feature(t, s, "PersistentDirectory").Readable {
		t.Error("the Persistent folder is there and not called readable")
	}
	if feature(t, s, "GnuPG").Readable {
		t.Error("a folder that is not there is called readable")
	}
	if f, ok := s.For("~/.gnupg/private-keys-v1.d"); !ok || f.Key != "GnuPG" {
		t.Errorf("%v, %v", f, ok)
	}
	if f, ok := s.For("/home/amnesia/.gnupg2"); ok {
		t.Errorf("a folder beside is taken for %v", f.Key)
	}
	var byHand []string
	for _, f := range s.ByHand() {
		byHand = append(byHand, f.Key)
	}
	if got := strings.Join(byHand, " "); got != "WelcomeScreen Printers NetworkConnections TorConfiguration AdditionalSoftware" {
		t.Errorf("by hand: %s", got)
	}
}

func TestALockedStorageIsNotCalledEmpty(t *testing.T) {
	computer(t, map[string]string{"/etc/os-release": tailsRelease})
	s := Look(t.Context())
	if s.Unlocked != Unknown || feature(t, s, "PersistentDirectory").State != Unknown {
		t.Errorf("%+v", s)
	}
}

// Tails' service as the bus policy shows it: Get, and nothing else is needed.
func TestTailsItselfIsAsked(t *testing.T) {
	computer(t, map[string]string{"/etc/os-release": tailsRelease}, "/home/amnesia/.thunderbird")
	address := startBus(t)
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
	conn, err := dbus.Connect(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	export := func(path, iface string, values map[string]bool) {
		props := map[string]*prop.Prop{}
		for name, v := range values {
			props[name] = &prop.Prop{Value: v}
		}
		if _, err := prop.Export(conn, dbus.ObjectPath(path), prop.Map{iface: props}); err != nil {
			t.Fatal(err)
		}
	}
	export(storagePath, storageName, map[string]bool{"IsCreated": true, "IsUnlocked": true})
	export(storagePath+"/Features/Thunderbird", storageName+".Feature", map[string]bool{"IsActive": true})
	export(storagePath+"/Features/Printers", storageName+".Feature", map[string]bool{"IsActive": false})
	if _, err := conn.RequestName(storageName, 0); err != nil {
		t.Fatal(err)
	}
	s := Look(t.Context())
	if s.Created != On || s.Unlocked != On {
		t.Errorf("%+v", s)
	}
	if f := feature(t, s, "Thunderbird"); f.State != On || !f.Readable {
		t.Errorf("%+v", f)
	}
	if f := feature(t, s, "Printers"); f.State != Off {
		t.Errorf("%+v", f)
	}
}

func TestAFrozenServiceDoesNotFreezeUs(t *testing.T) {
	computer(t, map[string]string{"/etc/os-release": tailsRelease})
	address := startBus(t)
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
	conn, err := dbus.Connect(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if _, err := conn.RequestName(storageName, 0); err != nil {
		t.Fatal(err)
	}
	conn.Eavesdrop(make(chan *dbus.Message, 100)) // takes every question, answers none
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if s := Look(ctx); s.Created != Unknown || len(s.Features) != len(table) {
		t.Errorf("%+v", s)
	}
}

// startBus runs a bus that ends with the test.
func startBus(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("dbus-daemon"); err != nil {
		t.Skip("needs dbus-daemon")
	}
	cmd := exec.Command("dbus-daemon", "--session", "--nofork", "--nopidfile", "--print-address=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	b := make([]byte, 1000)
	n, err := out.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(b[:n]))
}

func TestAToolIsOpenedAsTheMenuWould(t *testing.T) {
	if _, err := exec.LookPath("gio"); err != nil {
		t.Skip("needs gio of libglib2.0-bin")
	}
	root := computer(t, nil)
	if err := PersistentStorage.Open(t.Context()); err == nil || !strings.Contains(err.Error(), ErrNoTool.Error()) {
		t.Errorf("a tool that is not there: %v", err)
	}
	opened := filepath.Join(root, "opened")
	entry := filepath.Join(root, "usr/share/applications", string(PersistentStorage))
	if err := os.MkdirAll(filepath.Dir(entry), 0o700); err != nil {
		t.Fatal(err)
	}
	text := "[Desktop Entry]\nType=Application\nName=Persistent Storage\nExec=touch " + opened + "\n"
	if err := os.WriteFile(entry, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := PersistentStorage.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if _, err := os.Stat(opened); err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the tool did not start")
		}
	}
}
