package main

import (
	"strings"
	"testing"
	"time"

	"hiddenbackup/core/progress"
)

func TestFileNamesCannotTakeOverTheTerminal(t *testing.T) {
	for path, want := range map[string]string{
		"papers/Übersicht 1.txt":  "papers/Übersicht 1.txt",
		"a\x1b[2Jb":               `"a\x1b[2Jb"`,
		"two\nlines":              `"two\nlines"`,
		"not utf8 \xff":           `"not utf8 \xff"`,
		"right to left \u202etxt": `"right to left \u202etxt"`,
	} {
		if got := shown(path); got != want {
			t.Errorf("%q is shown as %s, want %s", path, got, want)
		}
	}
}

func TestNumbersReadAsPeopleWriteThem(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1.0 kB", 37_300_000: "37.3 MB", 999_960: "1.0 MB", 1 << 60: "1.2 EB"} {
		if got := size(n); got != want {
			t.Errorf("size(%d) = %s, want %s", n, got, want)
		}
	}
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567"} {
		if got := count(n); got != want {
			t.Errorf("count(%d) = %s", n, got)
		}
	}
	for d, want := range map[time.Duration]string{9 * time.Second: "0:09", 75 * time.Second: "1:15", time.Hour + 61*time.Second: "1:01:01"} {
		if got := clock(d); got != want {
			t.Errorf("clock(%v) = %s", d, got)
		}
	}
}

func TestSizesAreReadStrictly(t *testing.T) {
	for s, want := range map[string]int64{"": 0, "17": 17, "500k": 500_000, "2M": 2_000_000, "1.5Gi": 3 << 29, "1MB": 1_000_000, "64KiB": 64 << 10} {
		if got, err := parseSize(s); err != nil || got != want {
			t.Errorf("%q is %d, %v, want %d", s, got, err, want)
		}
	}
	for _, s := range []string{"x", "-1", "1x", "k", "1e30T", "NaN", "Inf", "1kk"} {
		if n, err := parseSize(s); err == nil {
			t.Errorf("%q is accepted as %d", s, n)
		}
	}
	if _, err := parseRate("0"); err == nil {
		t.Error("a rate of nothing is accepted")
	}
}

func TestProgressLineFitsTheTerminal(t *testing.T) {
	s := progress.Status{Phase: progress.PhaseFiles, Entries: 1234, EntriesTotal: 11478, Bytes: 45_200_000, BytesTotal: 157_000_000, Rate: 12_100_000, Left: 9 * time.Second, Problems: 1}
	if got, want := progressLine(s, 200), "backing up  1,234 of 11,478  45.2 MB of 157.0 MB  12.1 MB/s  0:09 left  1 problem"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	waits := progress.Status{Phase: progress.PhaseRestore, Bytes: 45_200_000, BytesTotal: 157_000_000, Left: -1, Elapsed: time.Minute}
	if got := progressLine(waits, 200); !strings.Contains(got, "waiting for the servers") {
		t.Errorf("when nothing comes: %s", got)
	}
	if got := progressLine(s, 30); len([]rune(got)) != 30 || !strings.HasPrefix(got, "backing up") {
		t.Errorf("%q", got)
	}
}
