package host

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hiddenbackup/core/internal/rundir"
	"hiddenbackup/core/node/nodetest"
	"hiddenbackup/core/tor/tortest"
)

// account is a person's account on a computer; nothing of it is in the
// network. On Tails there is a Persistent Folder if persistent is set.
func account(t *testing.T, tails, persistent bool) (home string) {
	t.Helper()
	home = t.TempDir()
	runtime, err := os.MkdirTemp("/dev/shm", "hb-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(runtime) })
	t.Setenv("HOME", home)
	t.Setenv("XDG_DATA_HOME", "")
	t.Setenv("XDG_CONFIG_HOME", "")
	t.Setenv("XDG_RUNTIME_DIR", runtime)
	before := onTails
	onTails = func() bool { return tails }
	t.Cleanup(func() { onTails = before })
	if persistent {
		if err := os.Mkdir(filepath.Join(home, "Persistent"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return home
}

func opened(t *testing.T, service string) *Host {
	t.Helper()
	h, err := Open(Config{Service: service})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestDescriptionsAreReadStrictly(t *testing.T) {
	for _, name := range Services {
		s, err := FindService(name)
		if err != nil || s.Name != name {
			t.Fatalf("%s: %v", name, err)
		}
	}
	if _, err := FindService("../storage"); !errors.Is(err, ErrService) {
		t.Errorf("a name that is a path: %v", err)
	}
	const head = "name='x'\ntitle='X'\nsummary='x'\nnode='storage'\nport=1\n"
	option := func(text string) string { return "[[option]]\n" + text + "\ntext='x'\n" }
	base := option("name='persistence'\ntype='switch'\ndefault='on'") + option("name='port'\ntype='port'\ndefault='1'")
	if _, err := parseService([]byte(head + base)); err != nil {
		t.Fatalf("the smallest: %v", err)
	}
	for name, text := range map[string]string{
		"an unknown key":              head + "colour='red'\n" + base,
		"an unknown key of an option": head + base + option("name='place'\ntype='text'\ndefault=''\ncolour='red'"),
		"an unknown option":           head + base + option("name='colour'\ntype='text'\ndefault=''"),
		"an option twice":             head + base + option("name='port'\ntype='port'\ndefault='1'"),
		"an unknown type":             head + base + option("name='place'\ntype='colour'\ndefault=''"),
		"a default of another type":   head + base + option("name='allow-lan'\ntype='switch'\ndefault='maybe'"),
		"nothing explained":           head + base + "[[option]]\nname='place'\ntype='text'\ndefault=''\n",
		"no options":                  head,
		"another node":                strings.Replace(head, "storage", "shell", 1) + base,
		"a package that is a flag":    head + "packages=['--purge']\n" + base,
		"a port beyond":               strings.Replace(head, "port=1", "port=70000", 1) + base,
		"no TOML":                     "{",
	} {
		if _, err := parseService([]byte(text)); !errors.Is(err, ErrService) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOptionValues(t *testing.T) {
	account(t, false, false)
	h := opened(t, "storage")
	for _, c := range []struct{ name, value, want string }{
		{"allow-lan", "Yes", "on"}, {"allow-lan", " 0 ", "off"}, {"port", "080", "80"},
		{"reserved-space", "5000", "5000"}, {"reserved-space", "20 GB", "20G"}, {"reserved-space", "2T", "2T"},
		{"lease-expiry", "031", "31"}, {"lease-expiry", "Never", "never"}, {"place", " Reykjavík ", "Reykjavík"},
	} {
		if err := h.Set(c.name, c.value); err != nil {
			t.Errorf("%s = %q: %v", c.name, c.value, err)
		}
		if s, err := h.Setting(c.name); err != nil || s.Value != c.want || !s.Set {
			t.Errorf("%s = %q is %+v, %v", c.name, c.value, s, err)
		}
	}
	for _, c := range []struct{ name, value string }{
		{"allow-lan", "perhaps"}, {"allow-lan", ""}, {"port", "0"}, {"port", "65536"}, {"port", "-1"}, {"port", "0x50"},
		{"reserved-space", "-1"}, {"reserved-space", "10 X"}, {"reserved-space", "B"}, {"reserved-space", "9999999999T"}, {"reserved-space", "1e9"}, {"reserved-space", ""},
		{"lease-expiry", "30"}, {"lease-expiry", "99999"}, {"lease-expiry", "soon"},
		{"place", "a\nb"}, {"place", "\x1b[2J"}, {"place", "a\u202eb"}, {"place", strings.Repeat("x", 129)}, {"place", "\xff"},
		{"persistence", "sometimes"}, {"nonsense", "on"}, {"", ""},
	} {
		if err := h.Set(c.name, c.value); !errors.Is(err, ErrOption) {
			t.Errorf("%s = %q: %v", c.name, c.value, err)
		}
	}
	if v, err := h.values(); err != nil || v.size(optReserved) != 2e12 || v.number(optPort) != 80 || v.number(optLease) != 0 {
		t.Errorf("%v, %v", v, err)
	}
	info, err := os.Stat(filepath.Join(h.Directory(), optionsName))
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("the options are in a file of mode %v, %v", info.Mode(), err)
	}
}

func TestPersistenceMovesTheState(t *testing.T) {
	account(t, false, false)
	h := opened(t, "storage")
	if !h.Persistent() {
		t.Error("off Tails nothing would stay")
	}
	if _, err := h.change(func(s *state) error { s.Port = 32100; return nil }); err != nil {
		t.Fatal(err)
	}
	if err := h.Set("place", "here"); err != nil {
		t.Fatal(err)
	}
	keys := filepath.Join(h.Directory(), nodeName, "private")
	if err := os.MkdirAll(keys, 0o700); err != nil {
		t.Fatal(err)
	}
	os.WriteFile(filepath.Join(keys, "node.pem"), []byte("key"), 0o600)
	before, err := load(h.Directory())
	if err != nil {
		t.Fatal(err)
	}
	for _, value := range []string{"off", "on"} {
		old := h.Directory()
		if err := h.Set("persistence", value); err != nil {
			t.Fatal(err)
		}
		if s, err := h.Setting("persistence"); err != nil || s.Value != value || h.Directory() == old {
			t.Errorf("persistence is %q in %s: %v", s.Value, h.Directory(), err)
		}
		if _, err := os.Stat(old); err == nil {
			t.Errorf("%s is still there", old)
		}
		after, err := load(h.Directory())
		place, err2 := h.Setting("place")
		key, err3 := os.ReadFile(filepath.Join(h.Directory(), nodeName, "private", "node.pem"))
		if err := errors.Join(err, err2, err3); err != nil || after.Locked != before.Locked || place.Value != "here" || string(key) != "key" {
			t.Errorf("%s: what moved is not what was there: %v", value, err)
		}
	}
	os.MkdirAll(filepath.Join(h.Directory(), nodeName, "storage", "shares", "aa"), 0o700)
	os.WriteFile(filepath.Join(h.Directory(), nodeName, "storage", "shares", "aa", "0"), make([]byte, 5000), 0o600)
	if err := h.Set("persistence", "off"); !errors.Is(err, ErrHoldsShares) {
		t.Errorf("with shares of others: %v", err)
	}
	lock, err := rundir.TryLock(filepath.Join(h.Directory(), lockName))
	if err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{"moved": h.Set("persistence", "off"), "forgotten": h.Forget()} {
		if !errors.Is(err, ErrRunning) {
			t.Errorf("%s while it runs: %v", what, err)
		}
	}
	rundir.Unlock(lock)
	if err := h.Forget(); err != nil {
		t.Fatal(err)
	}
	if _, there := h.dir(); there {
		t.Error("something is left")
	}
}

func TestStateMustBeOursAlone(t *testing.T) {
	account(t, false, false)
	h := opened(t, "storage")
	if err := os.MkdirAll(h.Directory(), 0o755); err != nil {
		t.Fatal(err)
	}
	os.Chmod(h.Directory(), 0o755)
	if err := h.Set("place", "here"); !errors.Is(err, rundir.ErrUnsafeDir) {
		t.Errorf("a directory that is open to others: %v", err)
	}
}

func TestTailsForgetsByDefaultAndAsksFirst(t *testing.T) {
	home := account(t, true, false)
	h := opened(t, "storage")
	if h.Persistent() {
		t.Error("on Tails it would be kept")
	}
	if risk, err := h.Risk(); err != nil || !strings.Contains(risk, "entry guards") {
		t.Errorf("the risk is %q, %v", risk, err)
	}
	if err := h.prepare(func(*state) {}); !errors.Is(err, ErrConsent) {
		t.Errorf("without consent: %v", err)
	}
	if err := h.prepare(func(s *state) { s.Agreed = true }); err != nil {
		t.Fatal(err)
	}
	if risk, err := h.Risk(); err != nil || risk != "" {
		t.Errorf("once agreed, the risk is %q, %v", risk, err)
	}
	if err := h.Set("persistence", "on"); !errors.Is(err, ErrNoPersistence) {
		t.Errorf("without a Persistent Folder: %v", err)
	}
	if err := h.Set("autostart", "on"); !errors.Is(err, ErrAutostart) {
		t.Errorf("a unit that Tails forgets: %v", err)
	}
	if err := os.Mkdir(filepath.Join(home, "Persistent"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := h.Set("persistence", "on"); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(h.Directory(), filepath.Join(home, "Persistent")) {
		t.Errorf("it is kept in %s, which Tails forgets", h.Directory())
	}
}

// A note that nobody renews is no news, and one of the dead is none.
func TestStatusDoesNotLie(t *testing.T) {
	account(t, false, false)
	h := opened(t, "storage")
	self := exitedProcess(t)
	if err := h.writeNote(note{Keeper: self, Phase: Published, Published: true}); err != nil {
		t.Fatal(err)
	}
	if s, err := h.Status(); err != nil || s.Running || s.Published {
		t.Errorf("of a process that ended: %+v, %v", s, err)
	}
	alive := selfProcess(t)
	if err := h.writeNote(note{Keeper: alive, Phase: Published, Published: true}); err != nil {
		t.Fatal(err)
	}
	if s, err := h.Status(); err != nil || !s.Running || !s.Published {
		t.Errorf("of a living one: %+v, %v", s, err)
	}
	text, err := os.ReadFile(h.note)
	if err != nil {
		t.Fatal(err)
	}
	at := sinceBoot() - 2*stale
	n, _ := h.readNote()
	old := strings.Replace(string(text), jsonOf(n.At), jsonOf(at), 1)
	if err := os.WriteFile(h.note, []byte(old), 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err := h.Status(); err != nil || !s.Running || s.Published || !strings.Contains(s.Problem, "hangs") {
		t.Errorf("of one that hangs: %+v, %v", s, err)
	}
	for _, text := range []string{"", "{", `{"keeper":{"pid":1}}`, strings.Repeat("x", maxFile+1)} {
		os.WriteFile(h.note, []byte(text), 0o600)
		if s, err := h.Status(); err != nil || s.Running {
			t.Errorf("of a note that is none: %+v, %v", s, err)
		}
	}
}

// A state that somebody broke does not hide that the service runs: it has to be
// possible to see and to stop it.
func TestStatusSaysThatItRunsWhateverTheStateIs(t *testing.T) {
	account(t, false, false)
	h, err := Open(Config{})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.prepare(func(*state) {}); err != nil {
		t.Fatal(err)
	}
	if err := h.writeNote(note{Keeper: selfProcess(t), Phase: Published, Published: true}); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(h.Directory(), stateName), 10); err != nil {
		t.Fatal(err)
	}
	if s, err := h.Status(); !errors.Is(err, ErrState) || !s.Running || !s.Published {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestEnableThatFailsSaysWhy(t *testing.T) {
	nodetest.RequireTahoe(t)
	tortest.RequireTor(t)
	account(t, false, false)
	h, err := Open(Config{Program: []string{"/bin/sh", "-c", "echo no such luck >&2; exit 7"}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	_, err = h.Enable(ctx, false, 10*time.Second)
	if !errors.Is(err, ErrEarly) || !strings.Contains(err.Error(), "no such luck") || !strings.Contains(err.Error(), "7") {
		t.Errorf("Enable returned %v", err)
	}
}

func TestStoppedEnableLeavesNothing(t *testing.T) {
	nodetest.RequireTahoe(t)
	tortest.RequireTor(t)
	account(t, false, false)
	h, err := Open(Config{Program: []string{"/bin/sleep", "1000.25"}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := h.Enable(ctx, false, time.Minute); !errors.Is(err, context.Canceled) || errors.Is(err, ErrNotRunning) {
		t.Errorf("Enable returned %v", err)
	}
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range files {
		if text, _ := os.ReadFile(file); strings.Contains(string(text), "sleep\x001000.25") {
			t.Errorf("%s is left", file)
		}
	}
}
