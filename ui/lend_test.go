package ui_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hiddenbackup/core/host"
	"hiddenbackup/core/node/nodetest"
	"hiddenbackup/core/tor"
	"hiddenbackup/core/tor/tornet"
	"hiddenbackup/core/tor/tortest"
	"hiddenbackup/ui/uitest"
)

// Somebody lends space with the window alone, and who got the invite reaches
// the server through Tor.
func TestLendingThroughTheWindow(t *testing.T) {
	needGrid(t)
	tortest.RequireTor(t)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	network, err := tornet.Start(ctx, tornet.Config{Dir: nodetest.Dir(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { network.Close() })
	w := start(t, uitest.Options{Env: []string{tor.TorVariable + "=" + torOf(t, network)}})
	w.Press("Lend Space")
	w.See("It is off.", "Nobody yet.")
	w.CheckPage()
	w.Type("Who runs it (a pseudonym will do, and so will nothing)", "Zoë")
	w.Type("How much stays free for you", "much")
	w.Press("Start Lending")
	w.See("That cannot be set.")
	w.Type("How much stays free for you", "1000T")
	w.Press("Start Lending")
	w.Patience = 2 * time.Minute
	w.See("It is on: the people you invite reach it.")
	w.Shot("lend")

	w.Type("Name of a person to invite", "Anna")
	w.Press("Invite")
	w.See("The Invite for Anna")
	w.CheckPage()
	w.Shot("invited")
	w.Press("Done")
	w.See("First save the invite, copy it or show it: it cannot be shown again.")
	w.Press("Save the File…")
	file := filepath.Join(w.Home, "anna.invite")
	w.SaveFile(file, "Save")
	w.See("Saved: " + file + ". Give it away, then delete it here.")
	w.Press("Show the QR Code")
	w.See("QR Code of the Invite")
	w.Press("Back")
	w.Press("Done")
	w.Find("Shut Anna Out", uitest.Button)

	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	invites, err := host.ParseInvites(text)
	if err != nil || len(invites) != 1 || invites[0].Server.Operator != "Zoë" || invites[0].Space != 0 || !invites[0].HasKey() {
		t.Fatalf("the invite is %+v: %v", invites, err)
	}
	onion := invites[0].Server.Furl.Onions()
	anna, err := tor.Start(ctx, tor.Config{
		Source: tor.Own, Dir: nodetest.Dir(t), AllowDisk: true, Private: network.ClientConfig(),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer anna.Close()
	if err := anna.WaitBootstrapped(ctx); err != nil {
		t.Fatal(err)
	}
	key, err := tor.ParseClientKey(strings.ToUpper(invites[0].Server.OnionKey.Base32()))
	if err == nil {
		err = anna.AddClientAuth(ctx, onion[0], key)
	}
	if err != nil {
		t.Fatal(err)
	}
	reach := func() error {
		ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
		defer cancel()
		conn, err := anna.DialOnion(ctx, onion[0], 3457)
		if err == nil {
			conn.Close()
		}
		return err
	}
	if err := reach(); err != nil {
		t.Errorf("Anna does not reach the server: %v", err)
	}

	w.Press("Shut Anna Out")
	w.See("Press again to shut Anna out.")
	w.Press("Shut Anna Out")
	w.See("Nobody yet.")
	if err := reach(); err == nil {
		t.Error("Anna still gets in")
	}
	w.Press("Stop")
	w.See("It is off.")
	if left := w.Traces(); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// torOf is a tor that joins the private network.
func torOf(t *testing.T, network *tornet.Network) string {
	t.Helper()
	real, err := tor.FindTor()
	if err != nil {
		t.Fatal(err)
	}
	dir := nodetest.Dir(t)
	lines := filepath.Join(dir, "network")
	script := fmt.Sprintf("#!/bin/sh\n[ \"$1\" != --defaults-torrc ] || { shift 2; set -- --defaults-torrc %s \"$@\"; }\nexec %s \"$@\"\n", lines, real)
	err = os.WriteFile(lines, []byte(strings.Join(network.ClientConfig(), "\n")+"\n"), 0o600)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "tor"), []byte(script), 0o700)
	}
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "tor")
}
