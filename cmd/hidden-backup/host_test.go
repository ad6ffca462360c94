package main

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"hiddenbackup/core/node"
	"hiddenbackup/core/node/nodetest"
	"hiddenbackup/core/tor/tornet"
	"hiddenbackup/core/tor/tortest"
)

// hostComputer is a computer of somebody who hosts: its own home, its own tor.
type hostComputer struct {
	t       *testing.T
	program string
	env     []string
	tor     string // the value of --tor
}

func newHostComputer(t *testing.T, program, tor string) *hostComputer {
	t.Helper()
	runtime, err := os.MkdirTemp("/dev/shm", "hb")
	if err != nil {
		t.Fatal(err)
	}
	h := &hostComputer{t: t, program: program, tor: tor,
		env: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + nodetest.Dir(t), "XDG_RUNTIME_DIR=" + runtime, "HIDDEN_BACKUP_TAHOE=" + practice.tahoe, noSleep}}
	t.Cleanup(func() {
		h.run("host", "disable")
		os.RemoveAll(runtime)
	})
	return h
}

func (h *hostComputer) run(args ...string) (string, error) {
	cmd := exec.Command(h.program, append(args, "--tor", h.tor)...)
	cmd.Env = h.env
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (h *hostComputer) mustRun(args ...string) string {
	h.t.Helper()
	out, err := h.run(args...)
	if err != nil {
		h.t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return out
}

// Three people host; a traveller makes a manifest of their invites, backs up
// and restores; a fourth one joins. All of it through a private Tor network.
func TestTravellerStoresWithThreeHosts(t *testing.T) {
	needGrid(t)
	tortest.RequireTor(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	dir := nodetest.Dir(t)
	network, err := tornet.Start(ctx, tornet.Config{Dir: filepath.Join(dir, "tor")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { network.Close() })
	// What “--tor practice:DIR” looks for, without the grid.
	lock, err := node.LockPractice(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { lock.Close() })
	lines, err := json.Marshal(network.ClientConfig())
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "network.json"), lines, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	program, tor := copyOfSelf(t), "practice:"+dir
	var invites []string
	var hosts []*hostComputer
	for range 4 {
		hosts = append(hosts, newHostComputer(t, program, tor))
		invites = append(invites, filepath.Join(dir, "invite-"+string(rune('0'+len(hosts)))))
	}
	began := time.Now()
	var starting sync.WaitGroup
	for i, h := range hosts {
		starting.Add(1)
		go func() {
			defer starting.Done()
			out, err := h.run("host", "enable", "--wait", "90s")
			if err != nil || !strings.Contains(out, "Published:  yes") {
				t.Errorf("host %d: %v\n%s", i, err, out)
				return
			}
			// One of them for a tor that takes no keys.
			args := []string{"host", "invite", "Zoë", "--output", invites[i]}
			if i == 1 {
				args = append(args, "--without-key")
			}
			if out, err := h.run(args...); err != nil {
				t.Errorf("host %d: %v\n%s", i, err, out)
			}
		}()
	}
	starting.Wait()
	if t.Failed() {
		return
	}
	t.Logf("four hosts are up after %v", time.Since(began))
	for _, file := range invites {
		if info, err := os.Stat(file); err != nil || info.Mode() != 0o600 {
			t.Errorf("the invite, a secret, has mode %v: %v", info.Mode(), err)
		}
	}

	zoe := newHostComputer(t, program, tor)
	pass := filepath.Join(dir, "passphrase")
	os.WriteFile(pass, []byte("walrus lantern mountain gravel pliable outfit sandbox\n"), 0o600)
	papers, m := filepath.Join(dir, "papers"), filepath.Join(dir, "manifest")
	if err := os.CopyFS(papers, os.DirFS("testdata")); err != nil {
		t.Fatal(err)
	}
	zoe.mustRun("manifest", "create", "-o", m, "--folder", papers, "--passphrase-file", pass,
		"--invite", invites[0], "--invite", invites[1], "--invite", invites[2])
	zoe.mustRun("backup", "-m", m, "--passphrase-file", pass)
	out := zoe.mustRun("manifest", "grid", "add", "-m", m, "--passphrase-file", pass, "--invite", invites[3])
	if !strings.Contains(out, "added") || !strings.Contains(out, "Of 4 shares of each new file, any 2") {
		t.Errorf("a fourth server: %s", out)
	}
	if out := zoe.mustRun("status", "-m", m, "--passphrase-file", pass); !strings.Contains(out, "4 of 4 servers answer") {
		t.Errorf("not all hosts are reached: %s", out)
	}
	target := filepath.Join(dir, "target")
	zoe.mustRun("restore", "-m", m, "--passphrase-file", pass, "--target", target)
	zoe.mustRun("compare", "-m", m, "--passphrase-file", pass, "--target", target)
	if out, err := exec.Command("diff", "-r", papers, filepath.Join(target, "papers")).CombinedOutput(); err != nil {
		t.Errorf("what came back is not what was stored: %s", out)
	}
}

// copyOfSelf is this test binary under the program's name: started so, it is
// the program, and so is what it starts.
func copyOfSelf(t *testing.T) string {
	t.Helper()
	in, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	path := filepath.Join(t.TempDir(), "hidden-backup")
	out, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o700)
	if err == nil {
		_, err = io.Copy(out, in)
		out.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}
