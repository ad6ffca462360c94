package tor

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const authority = "DirAuthority authority1 orport=10001 no-v2 v3ident=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA " +
	"127.0.0.1:10002 BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB"

const fingerprint = "0123456789abcdef0123456789ABCDEF01234567"

func TestRenderedTorrc(t *testing.T) {
	t.Setenv("PATH", programs(t, "obfs4proxy", "snowflake-client"))
	got, err := renderTorrc(Config{
		Guards:  "/home/me/guards",
		Private: []string{"TestingTorNetwork 1", authority},
		Bridges: []string{
			"192.0.2.1:443",
			" Bridge\tobfs4 [2001:db8::1]:9001 " + fingerprint + "  cert=a+b/c iat-mode=0 ",
			"obfs4 192.0.2.2:1 cert=x",
			"snowflake 192.0.2.3:80 url=https://example.org/ ice=stun:a:1,stun:b:2",
		},
	}, "/run/user/1000/hidden-backup/tor-01234567")
	if err != nil {
		t.Fatal(err)
	}
	path := os.Getenv("PATH")
	want := strings.ReplaceAll(`DataDirectory /home/me/guards
SocksPort unix:/run/user/1000/hidden-backup/tor-01234567/socks.sock ExtendedErrors
ControlPort unix:/run/user/1000/hidden-backup/tor-01234567/control.sock
CookieAuthentication 1
CookieAuthFile /run/user/1000/hidden-backup/tor-01234567/cookie
DisableNetwork 1
ClientOnly 1
AvoidDiskWrites 1
UseBridges 1
Bridge 192.0.2.1:443
ClientTransportPlugin obfs4 exec PATH/obfs4proxy
Bridge obfs4 [2001:db8::1]:9001 FP cert=a+b/c iat-mode=0
Bridge obfs4 192.0.2.2:1 cert=x
ClientTransportPlugin snowflake exec PATH/snowflake-client
Bridge snowflake 192.0.2.3:80 url=https://example.org/ ice=stun:a:1,stun:b:2
TestingTorNetwork 1
AUTHORITY
`, "PATH", path)
	want = strings.NewReplacer("FP", fingerprint, "AUTHORITY", authority).Replace(want)
	if string(got) != want {
		t.Errorf("it is:\n%s", got)
	}
}

// programs is a directory with such programs.
func programs(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestLinesThatDoNotGetIntoTorrc(t *testing.T) {
	t.Setenv("PATH", programs(t, "obfs4proxy"))
	const dir = "/run/tor-01234567"
	for _, line := range []string{
		"", " ", "Bridge", "obfs4", "obfs4 " + fingerprint, "example.org:443", "192.0.2.1", "192.0.2.1:0", "192.0.2.1:65536",
		"[fe80::1%eth0]:443", "192.0.2.1:443\nSocksPort 0.0.0.0:9050", "192.0.2.1:443\rLog debug", "192.0.2.1:443 # x",
		`192.0.2.1:443 "x"`, `192.0.2.1:443 \`, "192.0.2.1:443 a=b", "192.0.2.1:443 0123", "192.0.2.1:443 " + fingerprint + " x",
		"obfs4 192.0.2.1:443 cert", "obfs4 192.0.2.1:443 ca rt=x y", "obfs4 192.0.2.1:443 cert=\u00fc", "obfs4 192.0.2.1:443\x00 cert=x",
		"exec 192.0.2.1:443", "../obfs4 192.0.2.1:443", "obfs4 192.0.2.1:443 cert=" + strings.Repeat("x", maxBridgeLine),
	} {
		_, err := renderTorrc(Config{Bridges: []string{"192.0.2.9:443", line}}, dir)
		if !errors.Is(err, ErrBridge) || !strings.HasPrefix(err.Error(), "bridge 2: ") || strings.Contains(err.Error(), "192.0.2.1") {
			t.Errorf("%q: %v", line, err)
		}
	}
	if _, err := renderTorrc(Config{Bridges: []string{"snowflake 192.0.2.3:80"}}, dir); !errors.Is(err, ErrNoPlugin) || !strings.Contains(err.Error(), "snowflake-client") {
		t.Errorf("a bridge without its program: %v", err)
	}
	for _, line := range []string{
		"", "SocksPort 9050", "TestingTorNetwork 1\nSocksPort 9050", authority + "\n", authority + " # x",
		strings.Replace(authority, "127.0.0.1", "192.0.2.1", 1), "HiddenServiceSingleHopMode 1", "%include /etc/passwd",
	} {
		if _, err := renderTorrc(Config{Private: []string{line}}, dir); !errors.Is(err, ErrConfig) {
			t.Errorf("%q: %v", line, err)
		}
	}
	for _, path := range []string{"/a b", "/a\nb", "/a#b", `/a"b`, "relative", "/" + strings.Repeat("x", 100)} {
		if _, err := renderTorrc(Config{}, path); !errors.Is(err, ErrConfig) {
			t.Errorf("directory %q: %v", path, err)
		}
	}
	if _, err := renderTorrc(Config{Guards: "guards"}, dir); !errors.Is(err, ErrConfig) {
		t.Errorf("relative guards: %v", err)
	}
}

// pretend gives the system other properties for a test.
func pretend(t *testing.T, release string, socks ...string) (ready string) {
	t.Helper()
	dir := t.TempDir()
	before := []string{osRelease, tailsReady}
	beforeSocks := usualSocks
	t.Cleanup(func() { osRelease, tailsReady, usualSocks = before[0], before[1], beforeSocks })
	osRelease, tailsReady, usualSocks = filepath.Join(dir, "os-release"), filepath.Join(dir, "done"), socks
	if err := os.WriteFile(osRelease, []byte(release), 0o600); err != nil {
		t.Fatal(err)
	}
	return tailsReady
}

const (
	debian = "NAME=\"Debian\"\nVERSION_ID=\"13\"\nID=debian\n"
	tails  = "NAME=\"Tails\"\nID=\"tails\"\nID_LIKE=\"debian\"\n"
)

func TestWhoseTorIsUsed(t *testing.T) {
	for _, c := range []struct {
		name, release string
		cfg           Config
		want          Source
		bad           bool
	}{
		{name: "by default", want: Any},
		{name: "by default on Tails", release: tails, want: System},
		{name: "a named one", cfg: Config{Socks: "tcp:127.0.0.1:9050"}, want: System},
		{name: "with bridges", cfg: Config{Bridges: []string{"x"}}, want: Own},
		{name: "with guards", cfg: Config{Guards: "/x"}, want: Own},
		{name: "private on Tails", release: tails, cfg: Config{Private: []string{"DirAuthority x"}}, want: Own},
		{name: "private without authorities", release: tails, cfg: Config{Private: []string{"TestingTorNetwork 1"}}, bad: true},
		{name: "own on Tails", release: tails, cfg: Config{Source: Own}, bad: true},
		{name: "bridges on Tails", release: tails, cfg: Config{Bridges: []string{"x"}}, bad: true},
		{name: "bridges for the system's", cfg: Config{Source: System, Bridges: []string{"x"}}, bad: true},
		{name: "a named one of our own", cfg: Config{Source: Own, Socks: "tcp:127.0.0.1:9050"}, bad: true},
		{name: "a named one with bridges", cfg: Config{Bridges: []string{"x"}, Socks: "tcp:127.0.0.1:9050"}, bad: true},
		{name: "unknown", cfg: Config{Source: 7}, bad: true},
	} {
		if c.release == "" {
			c.release = debian
		}
		pretend(t, c.release)
		got, err := c.cfg.source()
		if c.bad != errors.Is(err, ErrConfig) || !c.bad && got != c.want {
			t.Errorf("%s: %v, %v", c.name, got, err)
		}
	}
}

func TestNoTorAnywhere(t *testing.T) {
	closed := "tcp:" + closedPort(t)
	pretend(t, debian, closed)
	t.Setenv(TorVariable, "/no/such/tor")
	if _, err := Start(context.Background(), Config{}); !errors.Is(err, ErrNoTor) || !errors.Is(err, ErrNoSocks) {
		t.Errorf("on Debian: %v", err)
	}
	pretend(t, tails, closed)
	if _, err := Start(context.Background(), Config{}); errors.Is(err, ErrNoTor) || !errors.Is(err, ErrNoSocks) {
		t.Errorf("on Tails: %v", err)
	}
}

func TestTailsTorIsReadyWhenTailsSaysSo(t *testing.T) {
	address := serve(t, likeTor)
	ready := pretend(t, tails, "tcp:"+closedPort(t), address)
	c, err := Start(context.Background(), Config{})
	if err != nil {
		t.Fatal(err)
	}
	if c.Own() || c.Socks() != address {
		t.Errorf("the tor is %q", c.Socks())
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := c.WaitBootstrapped(ctx); !errors.Is(err, ErrNotBootstrapped) {
		t.Errorf("before it is ready: %v", err)
	}
	if err := os.WriteFile(ready, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := c.WaitBootstrapped(context.Background()); err != nil || !c.Status().Connected() {
		t.Errorf("when it is ready: %v, %+v", err, c.Status())
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}
