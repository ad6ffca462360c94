package ui

import (
	"fmt"
	"strings"

	"hiddenbackup/core"
)

// readyText is the proof of an item with its date, or what is missing.
func readyText(r *core.Readiness, item core.Item) string {
	if !r.Green(item) {
		return readyMissing(r, item)
	}
	p := r.Proofs
	switch item {
	case core.ItemSnapshot:
		return fmt.Sprintf(T("Snapshot %d of %s holds every file as it is now."), r.Newest.Sequence, moment(r.Newest.Time))
	case core.ItemReadBack:
		if p.Rehearsed.Full && p.Rehearsed.Snapshot == r.Newest.Sequence {
			return fmt.Sprintf(T("All of it was read back on %s."), moment(p.Rehearsed.Time))
		}
		return fmt.Sprintf(T("%s of %s packs were read back on %s, and the servers had all of them."), count(p.Verified.Read), count(p.Verified.Packs), moment(p.Verified.Time))
	case core.ItemRehearsal:
		if !p.Rehearsed.Full {
			return fmt.Sprintf(T("What comes back first and a sample of the rest were restored as if after the journey on %s."), moment(p.Rehearsed.Time))
		}
		return fmt.Sprintf(T("It was restored as if after the journey on %s."), moment(p.Rehearsed.Time))
	case core.ItemRecall:
		return fmt.Sprintf(T("You typed the passphrase from memory on %s."), moment(p.Recalled))
	case core.ItemHolders:
		return fmt.Sprintf(N("%d person has confirmed to have this manifest: %s.", "%d people have confirmed to have this manifest: %s.", len(r.Holders)), len(r.Holders), people(r.Holders))
	case core.ItemKept:
		return keptText(r)
	case core.ItemOperators:
		return fmt.Sprintf(N("Any %d operator may vanish with all servers (found on %s).", "Any %d operators may vanish with all servers (found on %s).", p.Checked.Operators), p.Checked.Operators, moment(p.Checked.Time))
	case core.ItemTime:
		return fmt.Sprintf(T("At the rate of the rehearsal everything is back in: %s."), span(r.RestoreTime(3)))
	}
	return ""
}

func keptText(r *core.Readiness) string {
	switch {
	case len(r.Caretakers) > 0:
		return fmt.Sprintf(T("A caretaker renews it: %s."), people(r.Caretakers))
	case r.Forever:
		return T("The servers of this grid are said to delete nothing.")
	}
	return fmt.Sprintf(T("All leases last until %s, 30 days and more after your return."), day(r.Proofs.Leases))
}

// readyMissing says what is not proven.
func readyMissing(r *core.Readiness, item core.Item) string {
	p := r.Proofs
	switch item {
	case core.ItemSnapshot:
		return snapshotMissing(r)
	case core.ItemReadBack:
		return T("Nothing of the newest snapshot was read back yet.")
	case core.ItemRehearsal:
		if p.Rehearsed.Snapshot == r.Newest.Sequence && !p.Rehearsed.Time.IsZero() {
			return fmt.Sprintf(T("The rehearsal of %s failed, or the snapshot was repaired since."), moment(p.Rehearsed.Time))
		}
		return T("The newest snapshot was not rehearsed.")
	case core.ItemRecall:
		return T("The passphrase was not typed from memory within 14 days.")
	case core.ItemHolders:
		return fmt.Sprintf(T("%d of %d people have confirmed to have this manifest."), len(r.Holders), r.Wanted)
	case core.ItemKept:
		if r.KeepUntil.IsZero() {
			return fmt.Sprintf(T("Leases last until %s. Say below when you are back."), day(p.Leases))
		}
		return fmt.Sprintf(T("Leases last until %s; it must be kept until %s. A caretaker can renew it meanwhile."), day(p.Leases), day(r.KeepUntil))
	case core.ItemOperators:
		switch {
		case r.Practice:
			return T("One operator, you, runs all servers. That is always so on a practice grid: it is for learning, not for wiping.")
		case p.Checked.Snapshot == r.Newest.Sequence && p.Checked.Operators == 0:
			return T("One operator alone could make it unreadable. Use a grid with servers of more people.")
		}
		return T("It is not known how many operators may vanish.")
	case core.ItemTime:
		return T("How long a restore takes was not measured.")
	}
	return ""
}

func snapshotMissing(r *core.Readiness) string {
	switch {
	case r.Newest.Sequence == 0:
		return T("There is no snapshot yet.")
	case r.Proofs.RolledBack:
		return T("The grid shows a state older than your manifest. Wait until more servers answer; or somebody hides the newer one.")
	case len(r.Missing) > 0:
		return fmt.Sprintf(T("The newest snapshot does not hold %s."), shown(strings.Join(r.Missing, ", ")))
	case len(r.Pending.Problems) > 0:
		n := len(r.Pending.Problems)
		return fmt.Sprintf(N("%s file or folder cannot be read and would be lost.", "%s files or folders cannot be read and would be lost.", n), count(n))
	}
	n := r.Pending.New + r.Pending.Changed
	return fmt.Sprintf(N("%s file is new or changed since snapshot %d.", "%s files are new or changed since snapshot %d.", n), count(n), r.Newest.Sequence)
}

func people(receipts []core.Receipt) string {
	names := make([]string, len(receipts))
	for i, r := range receipts {
		names[i] = fmt.Sprintf(X("person and day", "%s on %s"), shown(r.Name), day(r.Confirmed))
	}
	return strings.Join(names, ", ")
}
