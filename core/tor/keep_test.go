package tor_test

import (
	"context"
	"errors"
	"os"
	"syscall"
	"testing"
	"time"

	"hiddenbackup/core/tor"
)

// What goes through tor goes on after tor died, and needs no new address: a
// gateway is told once.
func TestKeptTorComesBackWithItsKeys(t *testing.T) {
	cfg := config(t)
	key, err := tor.NewClientKey()
	if err != nil {
		t.Fatal(err)
	}
	address, err := network(t).OnionService(deadline(t, 20*time.Second), greeter(t), 80, key.Public())
	if err != nil {
		t.Fatal(err)
	}
	kept, err := tor.Keep(deadline(t, 60*time.Second), cfg, 40*time.Second, func(ctx context.Context, now *tor.Tor) error {
		return now.AddClientAuth(ctx, address, key)
	})
	if err != nil {
		t.Fatal(err)
	}
	defer kept.Close()
	user := start(t, tor.Config{Socks: kept.Socks()})
	if err := reach(t, user, address, 80); err != nil {
		t.Fatal(err)
	}

	syscall.Kill(torPID(t, cfg.Dir), syscall.SIGKILL)
	eventually(t, "tor is known to be away", func() bool {
		return errors.Is(kept.Check(context.Background()), tor.ErrEnded)
	})
	if conn, err := user.DialOnion(deadline(t, 5*time.Second), address, 80); err == nil {
		conn.Close()
		t.Error("a connection was made without tor")
	}
	eventually(t, "tor is back", func() bool { return kept.Check(context.Background()) == nil })
	if s := kept.Status(); !s.Connected() {
		t.Errorf("it is back at %+v", s)
	}
	if err := reach(t, user, address, 80); err != nil {
		t.Errorf("after it came back: %v", err)
	}

	if err := kept.Close(); err != nil {
		t.Error(err)
	}
	eventually(t, "nothing is left", func() bool {
		left, err := os.ReadDir(cfg.Dir)
		return err == nil && len(left) == 0 && len(processesIn(cfg.Dir)) == 0
	})
}

// Each that fails to start is tidied up, so that trying for hours fills nothing.
func TestKeptTorThatCannotBePreparedIsAnError(t *testing.T) {
	cfg := config(t)
	refused := errors.New("refused")
	if _, err := tor.Keep(deadline(t, 60*time.Second), cfg, 40*time.Second, func(context.Context, *tor.Tor) error {
		return refused
	}); !errors.Is(err, refused) {
		t.Errorf("Keep returned %v", err)
	}
	if pids := processesIn(cfg.Dir); len(pids) > 0 {
		t.Errorf("processes %v are left", pids)
	}
}
