package core

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"hiddenbackup/core/node"
	"hiddenbackup/core/progress"
	"hiddenbackup/core/restore"
)

// The locks of scratch directories are inherited from descriptor 3 on.
const (
	firstLockFD = 3
	maxLocks    = 2
)

// blankWait is how long the blank computer may take to stop its gateway and
// remove what it made.
const blankWait = 40 * time.Second

// stage is the directories of a rehearsal.
type stage struct {
	scratch []*node.Scratch // the first is the blank computer's home
	target  string          // where the files go
}

// newStage makes them: home and gateway in memory, the files there too or below
// a directory of the person's choice.
func newStage(c Config, target string) (*stage, error) {
	base, err := node.RuntimeDir(c.Directory, c.AllowDisk)
	if err != nil {
		return nil, err
	}
	s := &stage{}
	home, err := node.NewScratch(base, node.ScratchPrefix)
	if err != nil {
		return nil, err
	}
	s.scratch = append(s.scratch, home)
	files := home
	if target != "" {
		if files, err = node.NewScratch(target, node.ScratchPrefixForeign); err != nil {
			s.close()
			return nil, err
		}
		s.scratch = append(s.scratch, files)
	}
	s.target = filepath.Join(files.Path, "files")
	for _, dir := range []string{s.home(), s.target} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			s.close()
			return nil, fmt.Errorf("making a directory for the rehearsal: %w", err)
		}
	}
	return s, nil
}

func (s *stage) home() string { return filepath.Join(s.scratch[0].Path, "home") }

// keep moves the files out of what is removed at the end.
func (s *stage) keep() (string, error) {
	parent := filepath.Dir(s.scratch[len(s.scratch)-1].Path)
	place := filepath.Join(parent, "rehearsed-"+time.Now().Format("2006-01-02-150405"))
	if err := os.Rename(s.target, place); err != nil {
		return "", fmt.Errorf("keeping the files: %w", err)
	}
	return place, nil
}

// close removes what the blank computer did not remove itself.
func (s *stage) close() error {
	var errs []error
	for _, d := range s.scratch {
		if err := d.Close(); err != nil {
			errs = append(errs, fmt.Errorf("removing what was restored: %w", err))
		}
	}
	return errors.Join(errs...)
}

// player is the process that plays the blank computer.
type player struct {
	cmd   *exec.Cmd
	stdin io.Closer
	lines *json.Decoder
}

// play starts it with nothing of ours but where programs are, and hands it the
// request. The caller ends it.
func play(ctx context.Context, s *stage, q blankRequest) (*player, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding this program: %w", err)
	}
	tahoe, err := node.FindTahoe() // a program, wherever it lies: not among what is wiped
	if err != nil {
		return nil, err
	}
	q.Target = s.target
	q.Directory = filepath.Join(s.scratch[0].Path, "hidden-backup")
	cmd := exec.CommandContext(ctx, self)
	cmd.Args = []string{os.Args[0], RehearsalCommand}
	cmd.Dir = s.home()
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.home(), "XDG_RUNTIME_DIR=" + s.scratch[0].Path, node.TahoeVariable + "=" + tahoe}
	for _, d := range s.scratch {
		q.Scratch = append(q.Scratch, d.Path)
		cmd.ExtraFiles = append(cmd.ExtraFiles, d.Lock)
	}
	// A group of its own: Ctrl-C is for us, and we tell it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	cmd.Cancel = func() error {
		stdin.Close()
		return cmd.Process.Signal(syscall.SIGTERM)
	}
	cmd.WaitDelay = blankWait
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the blank computer: %w", err)
	}
	p := &player{cmd: cmd, stdin: stdin, lines: json.NewDecoder(stdout)}
	data, err := json.Marshal(q)
	if err == nil {
		_, err = stdin.Write(data)
		clear(data)
	}
	if err != nil {
		return nil, p.ended(err)
	}
	return p, nil
}

// follow shows the progress and returns the result.
func (p *player) follow(ctx context.Context, t *progress.Tracker) (*blankResult, error) {
	for {
		var line blankLine
		if err := p.lines.Decode(&line); err != nil {
			err = p.ended(err)
			if ctx.Err() != nil {
				err = context.Cause(ctx)
			}
			return nil, err
		}
		if line.Status != nil {
			t.Show(*line.Status)
		}
		if line.Result != nil {
			return line.Result, nil
		}
	}
}

// ended says how a process went that did not answer.
func (p *player) ended(err error) error {
	p.end()
	if p.cmd.ProcessState != nil {
		return fmt.Errorf("%w: %s", ErrBlank, p.cmd.ProcessState)
	}
	return fmt.Errorf("%w: %w", ErrBlank, err)
}

// end lets the blank computer clean up, and returns when it is gone.
func (p *player) end() {
	p.stdin.Close()
	timer := time.AfterFunc(blankWait, func() { p.cmd.Process.Kill() })
	defer timer.Stop()
	p.cmd.Wait()
}

// outside refuses a place that is a live folder or lies in one: the next backup
// would store the copy too.
func outside(place string, live map[string]string) error {
	for _, folder := range live {
		at, dir := resolved(place), resolved(folder)
		if at == dir || strings.HasPrefix(at, strings.TrimSuffix(dir, "/")+"/") {
			return fmt.Errorf("%w: %q is inside %q", restore.ErrInsideSource, place, folder)
		}
	}
	return nil
}
