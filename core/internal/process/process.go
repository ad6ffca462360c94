package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const defaultStopWait = 10 * time.Second

// Config says how to run one child.
type Config struct {
	Name  string     // for messages, e.g. "gateway"
	Argv  []string   // program and arguments; anyone on the machine can read them, so nothing secret
	Dir   string     // working directory; empty means "/"
	Env   []string   // the whole environment; see Environment
	Files []*os.File // inherited as descriptors 3, 4, …; still the caller's to close

	// StopWait is the time between asking (SIGTERM) and killing. Zero means 10 seconds.
	StopWait time.Duration

	// DeathSignal reaches the child at the moment we die, however we die.
	// Zero means none: then only the closing standard input tells it.
	DeathSignal syscall.Signal
}

// Process is one running child. All methods may be called from any goroutine.
type Process struct {
	cfg    Config
	pid    int
	stop   context.CancelFunc
	output *lastLines
	done   chan struct{}
	err    error // written before done is closed
}

// Start runs the child. The caller must call Stop, also after the child ended by itself.
func Start(cfg Config) (*Process, error) {
	if len(cfg.Argv) == 0 {
		return nil, errors.New("starting a child process: no program named")
	}
	if cfg.StopWait == 0 {
		cfg.StopWait = defaultStopWait
	}
	if cfg.Dir == "" {
		cfg.Dir = "/"
	}
	ctx, cancel := context.WithCancel(context.Background())
	p := &Process{cfg: cfg, stop: cancel, output: newLastLines(), done: make(chan struct{})}
	started := make(chan error, 1)
	go p.own(ctx, started)
	if err := <-started; err != nil {
		cancel()
		return nil, fmt.Errorf("starting %s: %w", cfg.Name, err)
	}
	return p, nil
}

// own starts the child and is the only place that waits for it. It keeps its
// thread to the end, because the kernel sends DeathSignal when the starting
// thread ends, not when the process does.
func (p *Process) own(ctx context.Context, started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(p.done)

	cmd := exec.CommandContext(ctx, p.cfg.Argv[0], p.cfg.Argv[1:]...)
	cmd.Dir, cmd.Env, cmd.ExtraFiles = p.cfg.Dir, p.cfg.Env, p.cfg.Files
	cmd.Stdout, cmd.Stderr = p.output, p.output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: p.cfg.DeathSignal}
	stdin, err := cmd.StdinPipe()
	if err == nil {
		cmd.Cancel = func() error { return p.terminate(cmd.Process.Pid, stdin) }
		cmd.WaitDelay = p.cfg.StopWait
		err = cmd.Start()
	}
	if err != nil {
		started <- err
		return
	}
	p.pid = cmd.Process.Pid
	started <- nil

	ended := make(chan struct{})
	go p.killLater(ctx, ended)
	waitUnreaped(p.pid)
	// The leader is dead but still holds its number, so this group is surely
	// ours. Whatever is left in it lost its reason to live.
	unix.Kill(-p.pid, unix.SIGKILL)
	close(ended)
	p.err = p.verdict(cmd.Wait(), ctx.Err() != nil)
}

// terminate asks the whole group to end. Closing standard input as well
// reaches a program that is too early in its life to handle signals.
func (p *Process) terminate(pid int, stdin io.Closer) error {
	stdin.Close()
	unix.Kill(-pid, unix.SIGCONT) // a suspended child could not hear us
	if err := unix.Kill(-pid, unix.SIGTERM); err != nil {
		return os.ErrProcessDone
	}
	return nil
}

// killLater ends a group that was asked to stop and did not.
func (p *Process) killLater(ctx context.Context, ended <-chan struct{}) {
	select {
	case <-ended:
		return
	case <-ctx.Done():
	}
	patience := time.NewTimer(p.cfg.StopWait)
	defer patience.Stop()
	select {
	case <-ended:
	case <-patience.C:
		unix.Kill(-p.pid, unix.SIGKILL)
	}
}

// waitUnreaped returns when the process has ended, and leaves it to be reaped.
func waitUnreaped(pid int) {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if err != unix.EINTR {
			return
		}
	}
}

// verdict turns the end of the child into what Err reports.
func (p *Process) verdict(waitErr error, asked bool) error {
	if asked {
		return nil
	}
	how := "ended by itself"
	var exit *exec.ExitError
	if errors.As(waitErr, &exit) {
		how = "ended: " + exit.ProcessState.String()
	}
	return &ExitError{Name: p.cfg.Name, How: how, Lines: p.LastLines()}
}

// PID is the number of the child, which is also the number of its group.
func (p *Process) PID() int { return p.pid }

// Done is closed when the child has ended and was reaped.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err says, once Done is closed, why the child ended: nil if Stop ended it,
// otherwise an *ExitError, also when its exit code was zero.
func (p *Process) Err() error {
	<-p.done
	return p.err
}

// LastLines are the newest lines the child wrote, oldest first, secrets removed.
func (p *Process) LastLines() []string { return p.output.lines() }

// Signal sends a signal to the child's whole group. It does nothing once the child ended.
func (p *Process) Signal(sig syscall.Signal) error {
	select {
	case <-p.done:
		return os.ErrProcessDone
	default:
		return unix.Kill(-p.pid, sig)
	}
}

// Stop asks the child to end, kills it if it does not, and returns when it is gone.
func (p *Process) Stop() {
	p.stop()
	<-p.done
}

// ExitError is a child that ended though nobody asked it to.
type ExitError struct {
	Name  string
	How   string   // how it ended, in words
	Lines []string // its last output, secrets removed
}

func (e *ExitError) Error() string {
	text := e.Name + " " + e.How
	if len(e.Lines) > 0 {
		text += "; its last words:\n  " + strings.Join(e.Lines, "\n  ")
	}
	return text
}

// Environment is all a child gets to see of ours: where programs are, one
// fixed language, and a home of its own.
func Environment(home, tmp string) []string {
	path := os.Getenv("PATH")
	if path == "" {
		path = "/usr/local/bin:/usr/bin:/bin"
	}
	return []string{"PATH=" + path, "LC_ALL=C.UTF-8", "HOME=" + home, "TMPDIR=" + tmp}
}
