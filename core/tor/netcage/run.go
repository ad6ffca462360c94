package netcage

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	// variable names the test to those who are in the cage.
	variable = "HIDDEN_BACKUP_CAGE"

	// reportFD is where the caged process says why it could make no cage, and
	// closes it when it could.
	reportFD  = 3
	maxReport = 4096

	// lead is how much earlier than us the caged process runs out of time, so
	// that it is the one who says where it was.
	lead = 5 * time.Second
)

// errNoCage means that this machine lets us make no cage.
var errNoCage = errors.New("no network of its own can be made here")

// Inside reports whether this process is in a cage.
func Inside() bool { return os.Getenv(variable) != "" }

// Run runs test in a cage: in a second process of the test binary, whose
// failure becomes this test's. It must be all there is to a top-level test.
// Where no cage can be made the test is skipped; HIDDEN_BACKUP_REQUIRE_TOR=1
// turns that into a failure.
func Run(t *testing.T, test func(*testing.T, *Cage)) {
	t.Helper()
	if Inside() {
		test(t, enter(t))
		return
	}
	if strings.Contains(t.Name(), "/") {
		t.Fatal("only a whole test can run in a cage")
	}
	output, err := again(t)
	switch {
	case errors.Is(err, errNoCage) && os.Getenv("HIDDEN_BACKUP_REQUIRE_TOR") == "1":
		t.Fatalf("required here: %v", err)
	case errors.Is(err, errNoCage):
		t.Skip(err)
	case err != nil:
		t.Errorf("in the cage: %v\n%s", err, output)
	default:
		t.Logf("in the cage:\n%s", output)
	}
}

// enter makes the cage around this process, which is in namespaces of its own.
func enter(t *testing.T) *Cage {
	t.Helper()
	syscall.CloseOnExec(reportFD)
	report := os.NewFile(reportFD, "report")
	defer report.Close()
	err := build(t.TempDir())
	var c *Cage
	if err == nil {
		c, err = watch()
	}
	if err != nil {
		fmt.Fprint(report, err)
		t.Fatal(err)
	}
	t.Cleanup(c.close)
	return c
}

// again runs this test in a process in new namespaces.
func again(t *testing.T) (output []byte, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	report, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer report.Close()
	args := []string{"-test.run=^" + t.Name() + "$", "-test.count=1", "-test.v"}
	if end, ok := t.Deadline(); ok {
		args = append(args, fmt.Sprint("-test.timeout=", max(time.Until(end)-lead, time.Second)))
	}
	var all bytes.Buffer
	cmd := exec.Command(self, args...)
	cmd.Env = append(os.Environ(), variable+"="+t.Name())
	cmd.Stdout, cmd.Stderr = &all, &all
	cmd.ExtraFiles = []*os.File{write}
	cmd.SysProcAttr = namespaces()
	cmd.WaitDelay = lead // what it may leave running has its output open
	// Pdeathsig comes when the starting thread ends.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err = cmd.Start()
	write.Close()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoCage, err)
	}
	reason, err := io.ReadAll(io.LimitReader(report, maxReport))
	if err = errors.Join(err, cmd.Wait()); len(reason) > 0 {
		err = fmt.Errorf("%w: %s", errNoCage, reason)
	}
	return all.Bytes(), err
}

// namespaces are those of the cage. Who is not root needs one for users as
// well, is root in it, and may then make the others.
func namespaces() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS,
		Pdeathsig:  syscall.SIGKILL,
	}
	if os.Geteuid() != 0 {
		attr.Cloneflags |= syscall.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
	}
	return attr
}
