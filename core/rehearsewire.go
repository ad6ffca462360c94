package core

import (
	"errors"
	"time"

	"hiddenbackup/core/progress"
	"hiddenbackup/core/restore"
	"hiddenbackup/core/snapshot"
)

// What the two processes of a rehearsal say to each other. Both are the same
// executable, so nothing here is a format that lasts.

// blankRequest is all the blank computer gets. It holds secrets, so it travels
// through the process's standard input and nowhere else.
type blankRequest struct {
	Manifest   []byte
	Passphrase []byte
	Snapshot   uint64
	Full       bool
	Target     string   // where the files go
	LiveHome   string   // of the person, whose folders are no target; empty where they cannot be
	Scratch    []string // directories to remove when nobody needs them any more

	Directory    string // of its gateway: its own, so that it finds nobody else's
	AllowDisk    bool
	DownloadRate int64
	Wait         time.Duration
	Tor          TorConfig
	SAM          string
}

// blankLine is one line of the answers: a status now and then, at the end how
// it went.
type blankLine struct {
	Status *progress.Status `json:",omitempty"`
	Result *blankResult     `json:",omitempty"`
}

// blankResult is how it went. Failure says why it ended early.
type blankResult struct {
	Info                            snapshot.Info
	Form                            [32]byte // of the snapshot: see vault.Form
	Files                           uint64
	Bytes, Fetched                  int64
	First                           []string      // folders of the first tier
	FirstAfter, AllAfter, Restoring time.Duration // the first two from the start of the process
	Sample                          [][]byte      // paths of the files drawn
	SampleOf, TooLarge              int
	RolledBack                      bool
	NoVault                         string
	Unreadable, Missing             []string
	Problems, Warnings              []blankProblem
	ProblemCount, WarningCount      uint64
	Failure                         *failure
}

// blankProblem is a restore.Problem; JSON would change a path that is no UTF-8.
type blankProblem struct {
	Path []byte
	Text string
}

func tellProblems(problems []restore.Problem) []blankProblem {
	var told []blankProblem
	for _, p := range problems {
		told = append(told, blankProblem{[]byte(p.Path), p.Err.Error()})
	}
	return told
}

func toldProblems(told []blankProblem) []restore.Problem {
	var problems []restore.Problem
	for _, p := range told {
		problems = append(problems, restore.Problem{Path: string(p.Path), Err: errors.New(p.Text)})
	}
	return problems
}
