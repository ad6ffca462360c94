package host

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"
)

// The only good copy is never what is cleaned up.
func TestMoveThatCannotBeLeavesBothStates(t *testing.T) {
	account(t, false, false)
	h := opened(t, "storage")
	if err := h.Set("place", "on disk"); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(h.memory, nodeName, "private")
	if err := os.MkdirAll(other, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := h.Set("persistence", "off"); !errors.Is(err, ErrOccupied) {
		t.Errorf("moved over another state: %v", err)
	}
	if s, err := h.Setting("place"); err != nil || s.Value != "on disk" || !h.Persistent() {
		t.Errorf("what was there is %q, %v", s.Value, err)
	}
	if _, err := os.Stat(other); err != nil {
		t.Error(err)
	}
}

// A move that was killed leaves half a copy, which is nothing yet.
func TestHalfACopyIsNoState(t *testing.T) {
	account(t, false, false)
	h := opened(t, "storage")
	if err := h.Set("persistence", "off"); err != nil {
		t.Fatal(err)
	}
	if err := h.Set("place", "whole"); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(h.data+nextSuffix, nodeName), 0o700); err != nil {
		t.Fatal(err)
	}
	if h.Persistent() {
		t.Error("half a copy is taken for the state")
	}
	if err := h.Set("persistence", "on"); err != nil {
		t.Fatal(err)
	}
	if s, err := h.Setting("place"); err != nil || s.Value != "whole" || !h.Persistent() {
		t.Errorf("what was moved is %q, %v", s.Value, err)
	}
	for _, left := range []string{h.data + nextSuffix, h.memory, h.memory + oldSuffix} {
		if _, err := os.Lstat(left); err == nil {
			t.Errorf("%s is left", left)
		}
	}
}

// Who is invited while the state moves is invited.
func TestChangesDuringAMoveAreKept(t *testing.T) {
	account(t, false, false)
	h := opened(t, "storage")
	if _, err := h.change(func(*state) error { return nil }); err != nil {
		t.Fatal(err)
	}
	var moving sync.WaitGroup
	moving.Add(1)
	stop := make(chan struct{})
	go func() {
		defer moving.Done()
		for _, value := range []string{"off", "on", "off", "on", "off", "on"} {
			if err := h.Set("persistence", value); err != nil {
				t.Errorf("persistence %s: %v", value, err)
			}
		}
		close(stop)
	}()
	changed := 1
	for over := false; !over; {
		select {
		case <-stop:
			over = true
		default:
		}
		if _, err := h.change(func(*state) error { return nil }); err == nil {
			changed++
		}
	}
	moving.Wait()
	if s, err := load(h.Directory()); err != nil || s.Revision != changed {
		t.Errorf("%d changes were made, and %+v is what is left of them: %v", changed, s, err)
	}
}

// A slip in an editor must not end what strangers rely on.
func TestUnreadableOptionsAreWaitedFor(t *testing.T) {
	account(t, false, false)
	h := opened(t, "storage")
	if err := h.prepare(func(*state) {}); err != nil {
		t.Fatal(err)
	}
	dir := h.Directory()
	if err := os.WriteFile(filepath.Join(dir, optionsName), []byte("place = "), 0o600); err != nil {
		t.Fatal(err)
	}
	r := &runner{h: h, dir: dir}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- r.keep(ctx) }()
	for paused := false; !paused; {
		select {
		case err := <-ended:
			t.Fatalf("the service ended: %v", err)
		case <-time.After(10 * time.Millisecond):
		}
		r.mu.Lock()
		paused = r.note.Phase == Pausing && r.note.Problem != ""
		r.mu.Unlock()
	}
	// A state that is gone is forgotten, and not made anew.
	os.Remove(filepath.Join(dir, stateName))
	if err := <-ended; !errors.Is(err, ErrState) {
		t.Errorf("without a state it ended with %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, stateName)); err == nil {
		t.Error("another state was made")
	}
}

// A port that somebody else took meanwhile is not where the service leads.
func TestSessionChoosesAPortThatIsFree(t *testing.T) {
	account(t, false, false)
	h := opened(t, "storage")
	if err := h.prepare(func(*state) {}); err != nil {
		t.Fatal(err)
	}
	r := &runner{h: h, dir: h.Directory()}
	_, before, _, err := r.ready()
	if err != nil {
		t.Fatal(err)
	}
	taken := listenOn(t, before.Port)
	version, s, _, err := r.ready()
	if err != nil || s.Port == before.Port || s.Locked != before.Locked {
		t.Errorf("port %d after %d: %v", s.Port, before.Port, err)
	}
	taken.Close()
	again, s2, _, err := r.ready()
	if err != nil || s2.Port != s.Port || again != version {
		t.Errorf("a port that is free is changed to %d: %v", s2.Port, err)
	}
}

func listenOn(t *testing.T, port int) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}
