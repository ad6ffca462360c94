package core

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"hiddenbackup/core/manifest"
	"hiddenbackup/core/node"
	"hiddenbackup/core/progress"
	"hiddenbackup/core/restore"
	"hiddenbackup/core/snapshot"
)

// RehearsalCommand is the hidden command a front end must answer by calling
// RunRehearsal: the process that plays the blank computer.
const RehearsalCommand = "play-blank-computer"

const statusInterval = 200 * time.Millisecond

// RunRehearsal is that process's whole work: it restores, answers, and waits
// until its standard input closes, because the process that started it is done
// or dead. Then it removes what the rehearsal made.
func RunRehearsal(ctx context.Context) error {
	started := time.Now()
	for fd := firstLockFD; fd < firstLockFD+maxLocks; fd++ {
		syscall.CloseOnExec(fd) // our own children must not keep the locks
	}
	out, err := answers()
	if err != nil {
		return err
	}
	defer out.Close()
	var q blankRequest
	if err = json.NewDecoder(os.Stdin).Decode(&q); err != nil {
		return errors.New("this command is started by others only; it found no request on standard input")
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	left := make(chan struct{})
	go func() {
		defer close(left)
		defer cancel()
		io.Copy(io.Discard, os.Stdin)
	}()
	b := &blank{q: q, out: json.NewEncoder(out), started: started, tracker: new(progress.Tracker)}
	if err = b.run(ctx); err != nil {
		b.result.Failure = tellFailure(err)
	}
	b.out.Encode(blankLine{Result: &b.result})
	debug.FreeOSMemory()
	<-left
	for _, dir := range q.Scratch {
		err = errors.Join(err, node.RemoveScratch(dir))
	}
	return err
}

// answers is standard output under another number: writing to a standard one
// that nobody reads any more would end us before we cleaned up.
func answers() (*os.File, error) {
	fd, err := unix.FcntlInt(1, unix.F_DUPFD_CLOEXEC, firstLockFD+maxLocks)
	if err != nil {
		return nil, fmt.Errorf("opening standard output: %w", err)
	}
	return os.NewFile(uintptr(fd), "answers"), nil
}

// blank is the blank computer.
type blank struct {
	q       blankRequest
	out     *json.Encoder
	started time.Time
	tracker *progress.Tracker
	result  blankResult
}

func (b *blank) run(ctx context.Context) error {
	quit, told := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(told)
		b.tell(quit)
	}()
	defer func() {
		close(quit)
		<-told
	}()
	b.tracker.SetPhase(progress.PhaseUnlock)
	opened, err := manifest.Open(b.q.Manifest, b.q.Passphrase)
	clear(b.q.Passphrase)
	if err != nil {
		return err
	}
	access, err := NewAccess(opened)
	if err != nil {
		return err
	}
	g, err := Connect(ctx, Config{
		Directory: b.q.Directory, AllowDisk: b.q.AllowDisk, DownloadRate: b.q.DownloadRate, Wait: b.q.Wait, Tor: b.q.Tor, SAM: b.q.SAM,
	}, access, b.tracker)
	if err != nil {
		return err
	}
	err = b.restore(ctx, g)
	if cerr := g.Close(); err == nil {
		err = cerr
	}
	return err
}

// tell sends a status now and then.
func (b *blank) tell(quit <-chan struct{}) {
	tick := time.NewTicker(statusInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s := b.tracker.Status()
			b.out.Encode(blankLine{Status: &s})
		case <-quit:
			return
		}
	}
}

// restore brings the first tier back, then the rest.
func (b *blank) restore(ctx context.Context, g *Grid) error {
	chosen, err := g.Choose(ctx, b.q.Snapshot)
	if err != nil {
		return err
	}
	r := &b.result
	r.Info, r.RolledBack, r.Missing = chosen.Info, chosen.RolledBack, chosen.Missing
	if chosen.NoVault != nil {
		r.NoVault = chosen.NoVault.Error()
	}
	for _, err := range chosen.Unreadable {
		r.Unreadable = append(r.Unreadable, err.Error())
	}
	if r.Form, err = g.form(ctx, r.Info.Sequence); err != nil {
		return err
	}
	if b.q.LiveHome != "" {
		if err := outside(b.q.Target, restore.PlacesOf(chosen.Snapshot, b.q.LiveHome)); err != nil {
			return err
		}
	}
	b.tracker.SetPhase(progress.PhaseEstimate)
	v, err := g.survey(ctx, chosen.Snapshot)
	if err != nil {
		return err
	}
	room, err := node.Room(b.q.Target)
	if err != nil {
		return err
	}
	if !b.q.Full {
		v.orLarge(room)
	}
	if need := v.need(b.q.Full); need > room {
		return noRoom(need, room)
	}
	first, rest := make(map[string]string), make(map[string]string)
	for name, place := range restore.ResolvePlaces(chosen.Snapshot, b.q.Target) {
		if v.first[name] {
			first[name] = place
			r.First = append(r.First, name)
		} else {
			rest[name] = place
		}
	}
	if err := b.step(ctx, g, chosen.Snapshot, restore.Options{Places: first}); err != nil {
		return err
	}
	r.FirstAfter = time.Since(b.started)
	o := restore.Options{Places: rest}
	if !b.q.Full {
		o.Select, r.SampleOf, r.TooLarge = v.paths(), v.of, v.tooLarge
		for _, path := range o.Select {
			r.Sample = append(r.Sample, []byte(path))
		}
	}
	if b.q.Full || len(o.Select) > 0 {
		err = b.step(ctx, g, chosen.Snapshot, o)
	}
	r.AllAfter = time.Since(b.started)
	return err
}

// step is one restore, with a progress of its own.
func (b *blank) step(ctx context.Context, g *Grid, s *snapshot.Snapshot, o restore.Options) error {
	if len(o.Places) == 0 {
		return nil
	}
	b.tracker.Show(progress.Status{Phase: progress.PhaseEstimate})
	o.KeepSetID = true
	done, err := g.Restore(ctx, s, o, b.tracker)
	r := &b.result
	r.Files += done.Files
	r.Bytes += done.Bytes
	r.Fetched += done.Fetched
	r.Restoring += done.Elapsed
	r.ProblemCount += done.ProblemCount
	r.WarningCount += done.WarningCount
	r.Problems = append(r.Problems, tellProblems(done.Problems)...)
	r.Warnings = append(r.Warnings, tellProblems(done.Warnings)...)
	return err
}

// noRoom is an ErrNoRoom that says what would do.
func noRoom(need, free int64) error {
	err := fmt.Errorf("%w: %d MB are needed, %d MB are free", ErrNoRoom, need/1e6+1, free/1e6)
	const shared = "/dev/shm" // often larger than where a session has its files
	if more, serr := node.Room(shared); serr == nil && more > need && node.MemoryBacked(shared) {
		return fmt.Errorf("%w; --target %s has room and is in memory too", err, shared)
	}
	return err
}
