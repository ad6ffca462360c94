package retain

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"hiddenbackup/core/snapshot"
)

// snapshots makes one snapshot of "papers" for each time, numbered from 1.
func snapshots(t *testing.T, times ...string) []snapshot.Info {
	t.Helper()
	var infos []snapshot.Info
	for i, s := range times {
		at, err := time.Parse("2006-01-02 15:04 -0700", s)
		if err != nil {
			t.Fatal(err)
		}
		infos = append(infos, snapshot.Info{Sequence: uint64(i + 1), Time: at.UTC(), Folders: []snapshot.Folder{{Name: "papers"}}})
	}
	return infos
}

// text is "number:reason+reason" for each snapshot that stays, oldest first.
func text(kept map[uint64][]Reason) string {
	var words []string
	for n := range uint64(100) {
		if why, ok := kept[n]; ok {
			s := fmt.Sprint(n)
			for i, r := range why {
				s += map[bool]string{true: ":", false: "+"}[i == 0] + string(r)
			}
			words = append(words, s)
		}
	}
	return strings.Join(words, " ")
}

func TestKeepRules(t *testing.T) {
	berlin := time.FixedZone("east", 2*3600)
	west := time.FixedZone("west", -8*3600)
	week := []string{ // Monday to Sunday, one on the Monday after, twice on the last day
		"2026-06-01 12:00 +0000", "2026-06-02 12:00 +0000", "2026-06-03 12:00 +0000", "2026-06-04 12:00 +0000",
		"2026-06-05 12:00 +0000", "2026-06-06 12:00 +0000", "2026-06-07 12:00 +0000", "2026-06-08 12:00 +0000", "2026-06-08 18:00 +0000",
	}
	for _, tt := range []struct {
		name  string
		rules Rules
		zone  *time.Location
		times []string
		want  string
	}{
		{"the newest few", Rules{Last: 2}, time.UTC, week, "8:last 9:last"},
		{"more than there are", Rules{Last: 50}, time.UTC, week[:2], "1:last 2:last"},
		{"the newest of a day", Rules{Daily: 2}, time.UTC, week, "7:daily 9:daily"},
		{"a week ends on Sunday", Rules{Weekly: 2}, time.UTC, week, "7:weekly 9:weekly"},
		{"each rule by itself", Rules{Last: 1, Daily: 2, Weekly: 2}, time.UTC, week, "7:daily+weekly 9:last+daily+weekly"},
		{"as long as asked, to the minute", Rules{Within: 30 * time.Hour}, time.UTC, week, "7:within 8:within 9:within"},
		{"days without a snapshot do not count", Rules{Daily: 3}, time.UTC,
			[]string{"2026-01-01 12:00 +0000", "2026-03-01 12:00 +0000", "2026-06-01 12:00 +0000"}, "1:daily 2:daily 3:daily"},
		{"the last minute of a month", Rules{Monthly: 2}, time.UTC,
			[]string{"2026-01-31 23:58 +0000", "2026-01-31 23:59 +0000", "2026-02-01 00:00 +0000"}, "2:monthly 3:monthly"},
		{"a month's end is the zone's", Rules{Monthly: 2}, berlin,
			[]string{"2026-01-31 21:00 +0000", "2026-01-31 22:30 +0000", "2026-02-01 00:00 +0000"}, "1:monthly 3:monthly"},
		{"a day's end is the zone's", Rules{Daily: 2}, west,
			[]string{"2026-06-01 07:59 +0000", "2026-06-01 08:00 +0000", "2026-06-02 07:59 +0000"}, "1:daily 3:daily"},
		{"the same in UTC", Rules{Daily: 2}, time.UTC,
			[]string{"2026-06-01 07:59 +0000", "2026-06-01 08:00 +0000", "2026-06-02 07:59 +0000"}, "2:daily 3:daily"},
		{"a week across the year's end", Rules{Weekly: 2}, time.UTC, // 29 December 2025 is a Monday
			[]string{"2025-12-28 12:00 +0000", "2025-12-29 12:00 +0000", "2026-01-01 12:00 +0000"}, "1:weekly 3:weekly"},
		{"a leap day", Rules{Monthly: 2, Daily: 1}, time.UTC,
			[]string{"2028-02-29 23:00 +0000", "2028-03-01 01:00 +0000"}, "1:monthly 2:daily+monthly"},
		{"a clock that was wrong", Rules{Daily: 2}, time.UTC, // the newest is the one with the highest number
			[]string{"2026-06-01 12:00 +0000", "2031-01-01 00:00 +0000", "2026-06-01 13:00 +0000", "2026-06-02 12:00 +0000"}, "3:daily 4:daily"},
		{"nothing", Rules{}, time.UTC, week, ""},
		{"no snapshots", Rules{Last: 3, Daily: 3}, time.UTC, nil, ""},
	} {
		infos := snapshots(t, tt.times...)
		slices.Reverse(infos) // the order must not matter
		if got := text(tt.rules.Keep(infos, tt.zone)); got != tt.want {
			t.Errorf("%s: kept %q, want %q", tt.name, got, tt.want)
		}
	}
}

// Two snapshots of some folders must not push out the last whole one.
func TestEachFolderIsKeptByItself(t *testing.T) {
	infos := snapshots(t, "2026-06-01 12:00 +0000", "2026-06-02 12:00 +0000", "2026-06-03 12:00 +0000", "2026-06-04 12:00 +0000")
	infos[0].Folders = []snapshot.Folder{{Name: "papers"}, {Name: "photos"}}
	infos[1].Folders = []snapshot.Folder{{Name: "papers"}, {Name: "photos"}}
	if got := text(Rules{Last: 1, Daily: 1}.Keep(infos, time.UTC)); got != "2:last+daily 4:last+daily" {
		t.Errorf("kept %q", got)
	}
}

func TestRulesThatKeepNothingAreRefused(t *testing.T) {
	for _, r := range []Rules{{}, {Last: -1}, {Daily: 3, Weekly: -2}, {Monthly: -1}, {Within: -time.Hour}} {
		if err := r.Validate(); !errors.Is(err, ErrRules) {
			t.Errorf("%+v: %v", r, err)
		}
	}
	for _, r := range []Rules{{Last: 1}, {Daily: 1}, {Weekly: 1}, {Monthly: 1}, {Within: time.Hour}} {
		if err := r.Validate(); err != nil {
			t.Errorf("%+v: %v", r, err)
		}
	}
}
