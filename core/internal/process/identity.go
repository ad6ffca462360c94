package process

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Identity names one process for good. Numbers are used again; a number with
// its start time and boot is not.
type Identity struct {
	PID   int    `json:"pid"`
	Start uint64 `json:"start"` // clock ticks after boot
	Boot  string `json:"boot"`
}

// Self is the identity of this process.
func Self() (Identity, error) { return Identify(os.Getpid()) }

// Identify is the identity of a running process.
func Identify(pid int) (Identity, error) {
	start, err := startTime(pid)
	if err != nil {
		return Identity{}, err
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return Identity{}, fmt.Errorf("reading the boot id: %w", err)
	}
	return Identity{PID: pid, Start: start, Boot: strings.TrimSpace(string(boot))}, nil
}

// Running reports whether that very process still runs.
func (i Identity) Running() bool {
	now, err := Identify(i.PID)
	return err == nil && now == i
}

// Stop asks the process to end, waits, then kills it. It never touches a
// stranger that got the same number.
func (i Identity) Stop(wait time.Duration) error {
	if i.PID <= 1 {
		return fmt.Errorf("stopping process %d: not a process of ours", i.PID)
	}
	handle, err := unix.PidfdOpen(i.PID, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("stopping process %d: %w", i.PID, err)
	}
	defer unix.Close(handle)
	// The handle pins the process, so what holds now holds for the signals below.
	if !i.Running() {
		return nil
	}
	for _, sig := range []unix.Signal{unix.SIGTERM, unix.SIGKILL} {
		err := unix.PidfdSendSignal(handle, sig, nil, 0)
		if errors.Is(err, unix.ESRCH) || err == nil && pollEnd(handle, wait) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("stopping process %d: %w", i.PID, err)
		}
	}
	return fmt.Errorf("process %d does not end", i.PID)
}

// pollEnd waits until the process behind the handle has ended.
func pollEnd(handle int, wait time.Duration) bool {
	end := time.Now().Add(wait)
	for {
		left := time.Until(end)
		if left < 0 {
			return false
		}
		fds := []unix.PollFd{{Fd: int32(handle), Events: unix.POLLIN}}
		n, err := unix.Poll(fds, int(left.Milliseconds())+1)
		if n > 0 {
			return true
		}
		if err != nil && !errors.Is(err, unix.EINTR) {
			return false
		}
	}
}

// startTime reads field 22 of /proc/PID/stat. A zombie counts as ended.
func startTime(pid int) (uint64, error) {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, fmt.Errorf("looking at process %d: %w", pid, err)
	}
	// The second field is the program's name and may hold anything, also ")".
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 20 || fields[0] == "Z" || fields[0] == "X" {
		return 0, fmt.Errorf("looking at process %d: %w", pid, os.ErrProcessDone)
	}
	return strconv.ParseUint(fields[19], 10, 64)
}
